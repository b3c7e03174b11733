"""What a point's own file says of its frames: the incident beam, and where the aperture was."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from lauedepth.config import ExperimentConfig
from lauedepth.config.positions import positions_problem
from lauedepth.config.sections import LOG
from lauedepth.core.arrays import Flags, Floats
from lauedepth.core.errors import InputError
from lauedepth.core.notices import Notice, note, warning
from lauedepth.io import Point
from lauedepth.io.frame_list import told
from lauedepth.io.frame_log import read_log_column
from lauedepth.tasks.reconstruct.opening import open_for

USUAL_MONITOR: Final = "entry1/monitor/I0"
"""Where 34-ID-E keeps the incident beam: looked for without being asked."""

DARK: Final = 0.02
"""Below this part of its median a monitor saw no beam."""

NOISY: Final = 0.02
"""Scatter of a monitor from frame to frame that is worth a warning, relative."""

FEWEST_FOR_NOISE: Final = 20
"""Frames that it takes to tell it."""

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
        values = _values(config, point, key) - config.data.monitor_offset
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
    ).with_notices(
        [
            said,
            *([_no_beam(key, ignored, point)] if ignored.size else []),
            *_noisy(config, key, beam[used][~dark[used]], point),
        ]
    )


def _values(config: ExperimentConfig, point: Point, key: str) -> Floats:
    """Read a number of each frame from the point's file, or from the log beside it."""
    log = config.data.frame_log
    if log is None or not key.startswith(LOG):
        return point.values(key)
    path = point.path.parent / log.replace("{point}", point.path.stem)
    return read_log_column(path, key.removeprefix(LOG), point.shape[0])


def _unused(reason: str, point: Point) -> Notice:
    return warning(
        "monitor-not-used",
        f"the incident beam is taken as even: {reason}",
        str(point.path),
        "correct data.monitor, or learn the beam from the scan (instrument: {learn: auto})",
    )


def _no_beam(key: str, frames: npt.NDArray[np.int64], point: Point) -> Notice:
    return warning(
        "no-beam",
        f"{key} saw no beam in frames {told(frames)}: they are left out",
        str(point.path),
        "nothing to do if the beam was lost; data.monitor: false if the monitor was",
    )


def _noisy(config: ExperimentConfig, key: str, beam: Floats, point: Point) -> list[Notice]:
    """Warn of a monitor that scatters from frame to frame as beams do not.

    The second difference of a slow change vanishes, that of independent errors has six times
    their variance; its median does not see fills and steps.
    """
    if beam.size < FEWEST_FOR_NOISE or config.instrument.learn != "off":
        return []
    noise = float(np.median(np.abs(np.diff(beam, 2)))) / (0.6745 * np.sqrt(6.0))
    if noise <= NOISY:
        return []
    return [
        warning(
            "monitor-noisy",
            f"{key} scatters by {noise:.1%} from frame to frame: if the beam does not, "
            "this adds noise to all pixels",
            str(point.path),
            "correct the beam from the scan too (instrument: {learn: auto}), or leave the monitor "
            "out (data.monitor: false)",
        )
    ]


def _with_positions(config: ExperimentConfig, point: Point, key: str) -> ExperimentConfig:
    """Take the aperture's positions from the file; their mean stays where the pose has it.

    So it does not matter where an encoder counts from.
    """
    data, step_um = config.data, config.motion.step_um
    values = data.position_scale_um * _values(config, point, key)
    number, known = np.arange(values.size), np.isfinite(values)
    used = config.to_core().frames.indices
    if np.mean(known[used]) < 1.0 - MOST_DARK:
        raise InputError(
            f"{key} is known in only {np.mean(known[used]):.0%} of the frames",
            str(point.path),
            "remove data.positions to go by the step",
        )
    values = _at_middle(_filled(values, known), config)
    values += np.mean((step_um * number - values)[used])
    problem = positions_problem(values, used, step_um)
    if problem is not None:
        raise InputError(
            f"{key} {problem}",
            str(point.path),
            "see data.position_scale_um, or remove data.positions",
        )
    motion = config.motion.model_copy(update={"positions_um": tuple(values.tolist())})
    data = data.model_copy(update={"positions": None})
    said = _said_of(key, values[used] / step_um, used, known, step_um, point)
    return config.model_copy(update={"motion": motion, "data": data}).with_notices(said)


def _filled(values: Floats, known: Flags) -> Floats:
    """Return positions with those filled in that are not known: as between their neighbours."""
    number = np.arange(values.size)
    even = np.polyval(np.polyfit(number[known], values[known], 1), number)
    return np.asarray(even + np.interp(number, number[known], (values - even)[known]))


def _at_middle(values: Floats, config: ExperimentConfig) -> Floats:
    """Return positions moved on as the aperture did until the middle of each exposure.

    What steps have in common is left: `Motion.lead_steps` has it.
    """
    lead = config.motion.to_core().lead_steps
    steps = np.diff(values)
    steps = np.append(steps, steps[-1]) if lead > 0 else np.insert(steps, 0, steps[0])
    return np.asarray(values + lead * (steps - config.motion.step_um))


def _said_of(
    key: str,
    steps: Floats,
    used: npt.NDArray[np.int64],
    known: Flags,
    step_um: float,
    point: Point,
) -> list[Notice]:
    """Say which positions were taken, and of which frames they are odd or missing."""
    where = str(point.path)
    off = abs(step_um) * float(np.std(steps - used))
    said = [
        note(
            "positions-used",
            f"the aperture's positions are taken from {key}: {off:.2g} µm (rms) from even steps",
            where,
            "remove data.positions to go by the step",
        )
    ]
    missing = used[~known[used]]
    if missing.size:
        said.append(
            warning(
                "positions-missing",
                f"{key} is not known in frames {told(missing)}: taken as between its neighbours",
                where,
                "leave these frames out (data.ignored_frames) if depths look wrong",
            )
        )
    back = used[1:][np.diff(steps) < -1.0]
    if back.size:
        said.append(
            warning(
                "positions-turn-back",
                f"{key} goes back by more than a step at frames {told(back)}",
                where,
                "are the positions in the order of the frames? then nothing is wrong",
            )
        )
    return said
