"""Points opened as an experiment says."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lauedepth.config import ExperimentConfig
from lauedepth.core.errors import InputError
from lauedepth.core.notices import warning
from lauedepth.io import Point, open_point

RANGE_CUT: Final = "range-cut"
"""Code of the warning on a range of frames that reaches beyond a point."""


def open_for(config: ExperimentConfig, path: Path | str) -> Point:
    """Open a point whose files, frames and detector are those of an experiment.

    Raises
    ------
    InputError
        It cannot be read, or does not fit.
    """
    core = config.to_core()
    return open_point(
        path,
        config.data.key,
        core.frames,
        detector=core.detector,
        first_number=config.data.first_number,
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
    with open_point(path, data.key, detector=config.to_core().detector) as whole:
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
