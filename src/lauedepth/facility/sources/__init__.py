"""Places where points appear: one module each."""

from lauedepth.facility.sources.folder import FolderSource, Layout

__all__ = ["FolderSource", "Layout"]
