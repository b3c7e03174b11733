"""One point from its frames to its result: select, read, decode, publish; with resume."""

from __future__ import annotations

from lauedepth.tasks.reconstruct.compiling import start_decoder
from lauedepth.tasks.reconstruct.estimate import Estimate, estimate_point
from lauedepth.tasks.reconstruct.inspect import inspect_pixel
from lauedepth.tasks.reconstruct.opening import open_for
from lauedepth.tasks.reconstruct.point import reconstruct_point
from lauedepth.tasks.reconstruct.range_cut import fit_to_point
from lauedepth.tasks.reconstruct.selection import Pixels, read_mask, with_threshold
from lauedepth.tasks.reconstruct.summary import Summary

__all__ = [
    "Estimate",
    "Pixels",
    "Summary",
    "estimate_point",
    "fit_to_point",
    "inspect_pixel",
    "open_for",
    "read_mask",
    "reconstruct_point",
    "start_decoder",
    "with_threshold",
]
