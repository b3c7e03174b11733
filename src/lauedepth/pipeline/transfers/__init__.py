"""Ways to move files: one module each."""

from lauedepth.pipeline.transfers.local import LocalCopy, sha256, write_all
from lauedepth.pipeline.transfers.threads import InThreads, OneByOne, moved

__all__ = ["InThreads", "LocalCopy", "OneByOne", "moved", "sha256", "write_all"]
