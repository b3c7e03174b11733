"""The section of an experiment file that says which pixels are decoded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from lauedepth.config.pixel_mask import PixelMask, read_pixel_mask
from lauedepth.config.section import Section
from lauedepth.core.arrays import Flags
from lauedepth.core.errors import ConfigurationError
from lauedepth.core.instrument import experiment as core

MaskFile = Annotated[str, Field(pattern=r"\.npy$")]
Edge = Annotated[int, Field(ge=0, le=65_536)]
Window = Annotated[tuple[Edge, Edge], Field(description="[start, stop)")]


class Selection(Section):
    """Which pixels are decoded."""

    min_mean_counts: Annotated[float, Field(ge=0)] = 20.0
    """Minimum mean counts per frame; not asked for where a mask chooses."""
    rows_px: Window | None = None
    """Only these detector rows, in unbinned pixels: [start, stop)."""
    columns_px: Window | None = None
    """Only these detector columns, in unbinned pixels: [start, stop)."""
    mask: PixelMask | MaskFile | None = None
    """Only the pixels that a mask marks, bright or not; a .npy file beside the experiment."""

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        for name in ("rows_px", "columns_px"):
            window = getattr(self, name)
            if window is not None and window[1] <= window[0]:
                raise ValueError(f"{name} is empty: {list(window)}")
        return self

    def read(self, folder: Path, detector: core.Detector) -> Selection:
        """Return this selection with the pixels of its mask file, if it names one."""
        if not isinstance(self.mask, str):
            return self
        mask = read_pixel_mask(folder / self.mask, detector.shape[::-1], self.own_window)
        return self.model_copy(update={"mask": mask})

    @property
    def own_window(self) -> tuple[slice, slice] | None:
        """Rows and columns chosen, where both are."""
        if self.rows_px is None or self.columns_px is None:
            return None
        return slice(*self.rows_px), slice(*self.columns_px)

    def mask_pixels(self) -> Flags | None:
        """Return the mask of the whole detector, (rows, columns); None where there is none.

        Raises
        ------
        ConfigurationError
            The mask is still the name of a file.
        """
        if isinstance(self.mask, str):
            raise ConfigurationError(
                "the mask of pixels to decode was not found",
                self.mask,
                "put it beside the experiment, or choose pixels by --pixels",
            )
        return None if self.mask is None else self.mask.pixels()

    def window(self, region: core.Region) -> tuple[slice, slice]:
        """Return (rows, columns) of an image that lie wholly within the window.

        Parameters
        ----------
        region : Region
            The part of the detector that the image holds.
        """
        rows = _image_slice(self.rows_px, region.start[1], region.binning[1], region.shape[0])
        columns = _image_slice(self.columns_px, region.start[0], region.binning[0], region.shape[1])
        return rows, columns


def _image_slice(window: tuple[int, int] | None, start: int, binning: int, size: int) -> slice:
    if window is None:
        return slice(0, size)
    first = -((start - window[0]) // binning)
    stop = (window[1] - start) // binning
    return slice(min(max(first, 0), size), min(max(stop, 0), size))
