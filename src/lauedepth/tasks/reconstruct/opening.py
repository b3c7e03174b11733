"""Points opened as an experiment says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from lauedepth.config import ExperimentConfig
from lauedepth.config.readings import DetectorReadings
from lauedepth.core.errors import InputError
from lauedepth.io import FrameList, Point, Readings, open_point, read_image


def open_for(config: ExperimentConfig, path: Path | str) -> Point:
    """Open a point whose files, frames and detector are those of an experiment.

    Raises
    ------
    InputError
        It cannot be read, or does not fit.
    """
    data = config.data
    return open_point(
        path,
        data.key,
        config.to_core().frames,
        detector=config.to_core().detector,
        first_number=data.first_number,
        region=None if data.region is None else data.region.to_core(),
        scan=FrameList(
            data.leading_images, data.spans("lost_frames"), data.spans("ignored_frames")
        ),
        readings=readings_of(config.detector),
    )


def readings_of(detector: DetectorReadings) -> Readings:
    """Read the images that a detector's section names.

    Raises
    ------
    InputError
        One cannot be read, or holds what it should not.
    """
    return Readings(
        counts_per_photon=detector.counts_per_photon,
        offset=detector.offset,
        saturation=detector.saturation_counts,
        dark=_dark(detector.dark),
        flat=_flat(detector.flat),
        bad=None if detector.mask is None else read_image(detector.mask) != 0,
    )


def _dark(name: str | None) -> npt.NDArray[np.float32] | None:
    if name is None:
        return None
    dark = read_image(name)
    if not np.isfinite(dark).all():
        raise InputError("the dark image holds NaN", name, "mark such pixels in detector.mask")
    return dark.astype(np.float32)


def _flat(name: str | None) -> npt.NDArray[np.float32] | None:
    """Return a flat field of median 1; NaN, so no measurement, where it is not positive."""
    if name is None:
        return None
    flat = read_image(name)
    positive = flat > 0
    if not positive.any():
        raise InputError("the flat field is nowhere positive", name, "give an image of even light")
    return np.where(positive, flat / np.median(flat[positive]), np.nan).astype(np.float32)
