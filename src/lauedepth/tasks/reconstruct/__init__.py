"""One point from its frames to its result: select, read, decode, publish; with resume."""

from __future__ import annotations

from lauedepth.tasks.reconstruct.blocks import (
    BLOCK_PIXELS,
    Block,
    BlockSize,
    Reading,
    bands_at_once,
    decode_block,
    join_decoded,
    plan_blocks,
    plan_readings,
    solve_block,
    traces_of,
)
from lauedepth.tasks.reconstruct.compiling import start_backend
from lauedepth.tasks.reconstruct.estimate import Estimate, estimate_point, is_packed
from lauedepth.tasks.reconstruct.identity import POINT_ATTRIBUTE, is_finished, run_identity
from lauedepth.tasks.reconstruct.inspect import FoundDepth, InspectedPixel, inspect_pixel
from lauedepth.tasks.reconstruct.opening import open_for
from lauedepth.tasks.reconstruct.point import (
    BASE_BYTES,
    MEMORY_BYTES,
    Progress,
    Summary,
    reconstruct_point,
    refuse_to_overwrite,
    summary_of_finished,
    warnings_of,
)
from lauedepth.tasks.reconstruct.publishing import Tally, publish_result
from lauedepth.tasks.reconstruct.selection import (
    Mask,
    Pixels,
    bright_pixels,
    read_mask,
    select_pixels,
    with_threshold,
)

__all__ = [
    "BASE_BYTES",
    "BLOCK_PIXELS",
    "MEMORY_BYTES",
    "POINT_ATTRIBUTE",
    "Block",
    "BlockSize",
    "Estimate",
    "FoundDepth",
    "InspectedPixel",
    "Mask",
    "Pixels",
    "Progress",
    "Reading",
    "Summary",
    "Tally",
    "bands_at_once",
    "bright_pixels",
    "decode_block",
    "estimate_point",
    "inspect_pixel",
    "is_finished",
    "is_packed",
    "join_decoded",
    "open_for",
    "plan_blocks",
    "plan_readings",
    "publish_result",
    "read_mask",
    "reconstruct_point",
    "refuse_to_overwrite",
    "run_identity",
    "select_pixels",
    "solve_block",
    "start_backend",
    "summary_of_finished",
    "traces_of",
    "warnings_of",
    "with_threshold",
]
