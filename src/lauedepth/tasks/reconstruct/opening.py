"""Points opened as an experiment says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from lauedepth.config import ExperimentConfig
from lauedepth.config.readings import DetectorReadings
from lauedepth.core.errors import InputError
from lauedepth.core.instrument.experiment import Frames
from lauedepth.core.notices import warning
from lauedepth.io import FrameList, Point, Readings, open_point, read_image


def open_for(config: ExperimentConfig, path: Path | str) -> Point:
    """Open a point whose files, frames and detector are those of an experiment.

    Raises
    ------
    InputError
        It cannot be read, or does not fit.
    """
    return _open(config, path, config.to_core().frames, readings_of(config.detector))


def _open(
    config: ExperimentConfig,
    path: Path | str,
    frames: Frames | None = None,
    readings: Readings | None = None,
) -> Point:
    """Open some frames of a point, all of them by default."""
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
        readings=readings,
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
    with _open(config, path) as whole:
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
        "range-cut",
        f"has {stored} frames, so the range is cut at {stored} instead of {data.stop_frame}",
        str(path),
        "if frames were lost at the beginning, depths are wrong: give the range that was measured",
    )
    return config.model_copy(update={"data": cut}).with_notices([told])


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
