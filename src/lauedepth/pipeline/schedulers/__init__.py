"""Schedulers, one module each."""

from lauedepth.pipeline.schedulers.local import LocalProcesses

__all__ = ["LocalProcesses"]
