"""Places where points appear: one module each."""

from lauedepth.facility.sources.folder import FolderSource, Layout
from lauedepth.facility.sources.inspector import Inspector

__all__ = ["FolderSource", "Inspector", "Layout"]
