"""Points opened as an experiment says."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from lauedepth.config import ExperimentConfig
from lauedepth.config.readings import DetectorReadings
from lauedepth.core.errors import InputError
from lauedepth.core.instrument.experiment import Frames
from lauedepth.core.notices import warning
from lauedepth.io import FrameList, Point, Readings, open_point, read_image

RANGE_CUT: Final = "range-cut"
"""Code of the warning on a range of frames that reaches beyond a point."""


def open_for(config: ExperimentConfig, path: Path | str) -> Point:
    """Open a point whose files, frames and detector are those of an experiment.

    Raises
    ------
    InputError
        It cannot be read, or does not fit.
    """
    return _opened(config, path, config.to_core().frames)


def _opened(config: ExperimentConfig, path: Path | str, frames: Frames | None) -> Point:
    data = config.data
    return open_point(
        path,
        data.key,
        frames,
        detector=config.to_core().detector,
        first_number=data.first_number,
        region=None if data.region is None else data.region.to_core(),
        scan=FrameList(
            data.leading_images, data.spans("lost_frames"), data.spans("ignored_frames")
        ),
        readings=readings_of(config.detector),
    )


def fit_to_point(config: ExperimentConfig, path: Path | str) -> ExperimentConfig:
    """Return an experiment whose frames end where a point ends, if it may end early.

    Parameters
    ----------
    config : ExperimentConfig
    path : Path or str
        The point.

    Returns
    -------
    ExperimentConfig
        With a warning where its range of frames was cut.

    Raises
    ------
    InputError
        The point cannot be read, or holds fewer than two of the frames.
    """
    data = config.data
    if not data.may_end_early:
        return config
    with _opened(config, path, None) as whole:
        stored = whole.shape[0]
    if stored >= data.stop_frame:
        return config
    if len(range(data.first_frame, stored, data.stride)) < 2:
        raise InputError(
            f"has {stored} frames, the experiment's range begins at {data.first_frame}",
            str(path),
            "give the range of this point's frames",
        )
    cut = data.model_copy(update={"stop_frame": stored})
    told = warning(
        RANGE_CUT,
        f"has {stored} frames, so the range is cut at {stored} instead of {data.stop_frame}",
        str(path),
        "if frames were lost at the beginning, depths are wrong: give the range that was measured",
    )
    return config.model_copy(update={"data": cut}).with_notices([told])


def cut_warnings(config: ExperimentConfig) -> tuple[str, ...]:
    """Return what `fit_to_point` warned of."""
    return tuple(notice.message for notice in config.notices if notice.code == RANGE_CUT)


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
