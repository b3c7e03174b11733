"""Ways to move files: one module each."""

from lauedepth.pipeline.transfers.local import LocalCopy, sha256, write_all

__all__ = ["LocalCopy", "sha256", "write_all"]
