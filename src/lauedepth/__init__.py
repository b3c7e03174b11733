"""Depth-resolved Laue microdiffraction from coded-aperture scans.

The names below are loaded when they are first used, so that ``import lauedepth`` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from lauedepth.core.version import __version__

if TYPE_CHECKING:
    from lauedepth.config import ExperimentConfig, load_experiment
    from lauedepth.core.decoding.decode import decode
    from lauedepth.core.decoding.decode_images import DecodedImages, decode_images
    from lauedepth.core.decoding.pixels import DecodedPixels, DecodeOptions, PixelFlag, PixelStatus
    from lauedepth.core.errors import LaueDepthError
    from lauedepth.io import (
        export_depths,
        open_point,
        read_result,
        validate_file,
    )
    from lauedepth.tasks.reconstruct import reconstruct_point

__all__ = [
    "DecodeOptions",
    "DecodedImages",
    "DecodedPixels",
    "ExperimentConfig",
    "LaueDepthError",
    "PixelFlag",
    "PixelStatus",
    "__version__",
    "decode",
    "decode_images",
    "export_depths",
    "load_experiment",
    "open_point",
    "read_result",
    "reconstruct_point",
    "validate_file",
]

_HOMES = {
    "DecodeOptions": "lauedepth.core.decoding.pixels",
    "DecodedImages": "lauedepth.core.decoding.decode_images",
    "DecodedPixels": "lauedepth.core.decoding.pixels",
    "ExperimentConfig": "lauedepth.config",
    "LaueDepthError": "lauedepth.core.errors",
    "PixelFlag": "lauedepth.core.decoding.pixels",
    "PixelStatus": "lauedepth.core.decoding.pixels",
    "decode": "lauedepth.core.decoding.decode",
    "decode_images": "lauedepth.core.decoding.decode_images",
    "export_depths": "lauedepth.io",
    "load_experiment": "lauedepth.config",
    "open_point": "lauedepth.io",
    "read_result": "lauedepth.io",
    "reconstruct_point": "lauedepth.tasks.reconstruct",
    "validate_file": "lauedepth.io",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'lauedepth' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
