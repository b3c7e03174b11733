"""An experiment as it holds for one point: its range of frames, its beam, its positions."""

from __future__ import annotations

from pathlib import Path

from lauedepth.config import ExperimentConfig
from lauedepth.core.errors import InputError
from lauedepth.core.notices import warning
from lauedepth.tasks.reconstruct.fly_scan import fly_scan_notices
from lauedepth.tasks.reconstruct.measured import with_measured
from lauedepth.tasks.reconstruct.opening import open_for


def fit_to_point(config: ExperimentConfig, path: Path | str) -> ExperimentConfig:
    """Return an experiment with what a point's own file says of its frames.

    Frames end where the point ends, if it may end early; see `with_measured` for the rest.

    Parameters
    ----------
    config : ExperimentConfig
    path : Path or str
        The point.

    Returns
    -------
    ExperimentConfig
        With notices on what was changed.

    Raises
    ------
    InputError
        The point cannot be read, or holds fewer than two of the frames.
    """
    fitted = with_measured(_cut(config, path), path)
    flown = fly_scan_notices(config)
    return fitted.with_notices(flown) if flown else fitted


def _cut(config: ExperimentConfig, path: Path | str) -> ExperimentConfig:
    """Return an experiment whose frames end where a point ends, if it may end early."""
    data = config.data
    if not data.may_end_early:
        return config
    with open_for(_asking_for_little(config), path) as point:
        stored = point.shape[0]
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


def _asking_for_little(config: ExperimentConfig) -> ExperimentConfig:
    """Return an experiment that opens any point of two frames."""
    little = config.data.model_copy(update={"first_frame": 0, "stop_frame": 2, "stride": 1})
    return config.model_copy(update={"data": little})
