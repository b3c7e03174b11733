"""Sources of points, one module each."""

from lauedepth.pipeline.sources.folder import FolderSource, PointKind
from lauedepth.pipeline.sources.inspector import Inspector

__all__ = ["FolderSource", "Inspector", "PointKind"]
