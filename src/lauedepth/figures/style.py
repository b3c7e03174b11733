"""What all figures share: colours, resolution, and how they are saved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from lauedepth.io import publish

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE: Final = "#0072B2"
ORANGE: Final = "#D55E00"
GREY: Final = "#666666"
"""From the palette of Okabe and Ito, which is safe for colour-blind readers."""
DPI: Final = 150


def save_figure(figure: Figure, path: Path | str, dpi: int = DPI) -> None:
    """Save a figure in the format of its suffix (PNG, PDF, SVG), with `dpi` dots per inch."""
    path = Path(path)
    with publish(path) as partial:
        figure.savefig(partial, format=path.suffix.lstrip(".").lower() or "png", dpi=dpi)


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of the given size in inches."""
    from matplotlib.figure import Figure  # noqa: PLC0415  (slow to import)

    return Figure(figsize=(width, height), layout="constrained")
