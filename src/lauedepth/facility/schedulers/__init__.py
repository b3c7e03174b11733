"""Ways to run jobs: one module each."""

from lauedepth.facility.schedulers.local import LocalProcesses

__all__ = ["LocalProcesses"]
