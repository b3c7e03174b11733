"""Files: points in, results out, each format one table in `layout`."""

from __future__ import annotations

from lauedepth.io.export_34ide import export_depths
from lauedepth.io.frame_list import FrameList
from lauedepth.io.frame_sums import Sums
from lauedepth.io.images import read_image
from lauedepth.io.nexus_checks import nexus_checker, nexus_problems
from lauedepth.io.point import Point
from lauedepth.io.points import open_point
from lauedepth.io.publish import partial_path, publish, publish_hdf5
from lauedepth.io.reading import Provenance, ResultFile, read_result
from lauedepth.io.readings import Readings
from lauedepth.io.results import BAND_ROWS, ResultWriter, write_result
from lauedepth.io.validate import validate_file
from lauedepth.io.writing import write_point, write_series

__all__ = [
    "BAND_ROWS",
    "FrameList",
    "Point",
    "Provenance",
    "Readings",
    "ResultFile",
    "ResultWriter",
    "Sums",
    "export_depths",
    "nexus_checker",
    "nexus_problems",
    "open_point",
    "partial_path",
    "publish",
    "publish_hdf5",
    "read_image",
    "read_result",
    "validate_file",
    "write_point",
    "write_result",
    "write_series",
]
