"""Images of one depth as TIFF files, which any image program reads."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from lauedepth.io.publish import publish

DESCRIPTION: Final = 270
"""The tag that holds a text."""
_OURS: Final = "lauedepth"


def write_tiff(path: Path, image: npt.NDArray[np.float32], depth_um: float) -> None:
    """Write an image (rows, columns) as 32-bit floating point; its depth is in its description.

    Raises
    ------
    OutputError
        Cannot be written.
    """
    from PIL import Image  # noqa: PLC0415  (slow to import)

    with publish(path) as partial:
        text = f"{_OURS} depth_um={depth_um:g}"
        Image.fromarray(np.ascontiguousarray(image, np.float32)).save(
            partial, format="TIFF", tiffinfo={DESCRIPTION: text}
        )


def is_our_tiff(path: Path) -> bool:
    """Return whether a file is an image that `write_tiff` wrote."""
    from PIL import Image  # noqa: PLC0415  (slow to import)

    try:
        with Image.open(path, formats=["TIFF"]) as image:
            return str(image.getexif().get(DESCRIPTION, "")).startswith(_OURS)
    except (OSError, ValueError, SyntaxError):
        return False
