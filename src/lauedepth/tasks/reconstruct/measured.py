"""What a point's own file says of its frames: the incident beam, and where the aperture was."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from lauedepth.config import ExperimentConfig
from lauedepth.config.positions import positions_problem
from lauedepth.core.errors import InputError
from lauedepth.core.notices import Notice, note, warning
from lauedepth.io import Point
from lauedepth.io.frame_list import told
from lauedepth.tasks.reconstruct.opening import open_for

USUAL_MONITOR: Final = "entry1/monitor/I0"
"""Where 34-ID-E keeps the incident beam: looked for without being asked."""

DARK: Final = 0.02
"""Below this part of its median a monitor saw no beam."""

MOST_DARK: Final = 0.2
"""A monitor that saw no beam in more than this part of the frames is not believed."""


def with_measured(config: ExperimentConfig, path: Path | str) -> ExperimentConfig:
    """Return an experiment with the beam and the positions that a point's file holds.

    Parameters
    ----------
    config : ExperimentConfig
    path : Path or str
        The point.

    Returns
    -------
    ExperimentConfig
        With the numbers themselves instead of the names of their datasets, so that it holds
        for this point alone, and with notices on what was used and what was not.

    Raises
    ------
    InputError
        The point cannot be read, or lacks positions that the experiment names.
    """
    wants_beam = config.data.monitor is not False and config.beam_intensity is None
    if not wants_beam and config.data.positions is None:
        return config
    with open_for(config, path) as point:
        if config.data.positions is not None:
            config = _with_positions(config, point, config.data.positions)
        return _with_beam(config, point) if wants_beam else config


def _with_beam(config: ExperimentConfig, point: Point) -> ExperimentConfig:
    """Take the incident beam from the monitor; one that is not there is missed if it was named."""
    key = config.data.monitor or USUAL_MONITOR
    try:
        values = point.values(key)
    except InputError as error:
        return config.with_notices([_unused(error.what, point)] if config.data.monitor else [])
    used = config.to_core().frames.indices
    lit = values[np.isfinite(values) & (values > 0)]
    middle = float(np.median(lit)) if lit.size else np.nan
    dark = ~(values > DARK * middle)
    if not np.mean(dark[used]) <= MOST_DARK:
        reason = f"{key} saw no beam in {np.mean(dark[used]):.0%} of the frames"
        return config.with_notices([_unused(reason, point)])
    beam = np.where(dark, 1.0, values / middle)
    ignored = np.flatnonzero(dark & np.isin(np.arange(dark.size), used))
    data = config.data.model_copy(
        update={
            "ignored_frames": (*config.data.ignored_frames, *ignored.tolist()),
            "monitor": False,
        }
    )
    spread = float(np.std(beam[used]))
    said = note(
        "monitor-used",
        f"the incident beam of each frame is taken from {key}: it varied by {spread:.1%} (rms)",
        str(point.path),
        "data.monitor: false leaves it out",
    )
    return config.model_copy(
        update={"beam_intensity": tuple(beam.tolist()), "data": data}
    ).with_notices([said, *([_no_beam(key, ignored, point)] if ignored.size else [])])


def _unused(reason: str, point: Point) -> Notice:
    return warning(
        "monitor-not-used",
        f"the incident beam is taken as even: {reason}",
        str(point.path),
        "correct data.monitor, or learn the beam from the scan (instrument: {learn: auto})",
    )


def _no_beam(key: str, frames: np.typing.NDArray[np.int64], point: Point) -> Notice:
    return warning(
        "no-beam",
        f"{key} saw no beam in frames {told(frames)}: they are left out",
        str(point.path),
        "nothing to do if the beam was lost; data.monitor: false if the monitor was",
    )


def _with_positions(config: ExperimentConfig, point: Point, key: str) -> ExperimentConfig:
    """Take the aperture's positions from the file; their mean stays where the pose has it.

    So it does not matter where an encoder counts from, nor whether it was read at the begin or the
    end of exposures during which the aperture moves on: that shifts all of them alike.
    """
    data, step_um = config.data, config.motion.step_um
    values = data.position_scale_um * point.values(key)
    number, known = np.arange(values.size), np.isfinite(values)
    used = config.to_core().frames.indices
    if np.mean(known[used]) < 1.0 - MOST_DARK:
        raise InputError(
            f"{key} is known in only {np.mean(known[used]):.0%} of the frames",
            str(point.path),
            "remove data.positions to go by the step",
        )
    values = np.interp(number, number[known], values[known])
    values += np.mean((step_um * number - values)[used])
    problem = positions_problem(values, used, step_um)
    if problem is not None:
        raise InputError(
            f"{key} {problem}",
            str(point.path),
            "see data.position_scale_um, or remove data.positions",
        )
    off = float(np.std((values - step_um * number)[used]))
    said = note(
        "positions-used",
        f"the aperture's positions are taken from {key}: {off:.2g} µm (rms) from even steps",
        str(point.path),
        "remove data.positions to go by the step",
    )
    motion = config.motion.model_copy(update={"positions_um": tuple(values.tolist())})
    data = data.model_copy(update={"positions": None})
    return config.model_copy(update={"motion": motion, "data": data}).with_notices([said])
