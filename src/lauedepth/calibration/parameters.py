"""What a calibration can fit: names, units, how well each is known beforehand, how to set it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from scipy.spatial.transform import Rotation

from lauedepth.calibration.trace_fit import SHAPES, Shape
from lauedepth.core.arrays import Floats
from lauedepth.core.errors import ConfigurationError
from lauedepth.core.instrument.experiment import Experiment, Motion, Vector
from lauedepth.core.instrument.geometry import scan_direction


@dataclass(frozen=True)
class State:
    """What is fitted.

    Attributes
    ----------
    experiment : Experiment
        As in the first scan, which anchors the others.
    depth_um : float
        Depth of the calibration sample.
    displacements_mm : tuple of (x, y, z)
        Of the aperture in each scan, beyond what its shift states; beam frame. None: nowhere.
    tilt_um : (float, float)
        How much the sample's depth grows over the detector's columns, and over its rows.
    """

    experiment: Experiment
    depth_um: float
    displacements_mm: tuple[Vector, ...] = ()
    tilt_um: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def of(cls, experiment: Experiment, depth_um: float, scans: int) -> State:
        """Return where a fit of some scans starts: displacements are as stated."""
        return cls(experiment, depth_um, ((0.0, 0.0, 0.0),) * scans)

    def depths_um(self, row: Floats, column: Floats) -> Floats:
        """Return the depth of the sample that each pixel sees."""
        columns, rows = self.experiment.detector.shape
        across, down = self.tilt_um
        tilt = across * (column / columns - 0.5) + down * (row / rows - 0.5)
        return np.asarray(self.depth_um + tilt)

    def displaced(self, number: int) -> Experiment:
        """Return the experiment with the aperture displaced as in a scan."""
        if not self.displacements_mm:
            return self.experiment
        moved = self.experiment.pose.moved(self.displacements_mm[number])
        return replace(self.experiment, pose=moved)


@dataclass(frozen=True)
class Parameter:
    """One number that can be fitted.

    Attributes
    ----------
    name : str
        Ends in its unit.
    scale : float
        How far off a start may well be. A combination of parameters that the data do not
        determine much better than this is held at its start.
    get : callable
        Its value in a state; turns of the scan direction count from the start, so are 0.
    add : callable
        The state with it changed by some amount.
    """

    name: str
    scale: float
    get: Callable[[State], float]
    add: Callable[[State, float], State]


def _of_pose(name: str, scale: float) -> Parameter:
    def get(state: State) -> float:
        return float(getattr(state.experiment.pose, name))

    def add(state: State, change: float) -> State:
        pose = replace(state.experiment.pose, **{name: get(state) + change})
        return replace(state, experiment=replace(state.experiment, pose=pose))

    return Parameter(name, scale, get, add)


def _of_aperture(name: str, scale: float) -> Parameter:
    def get(state: State) -> float:
        return float(getattr(state.experiment.aperture, name))

    def add(state: State, change: float) -> State:
        changed_value: dict[str, Any] = {name: get(state) + change}
        aperture = replace(state.experiment.aperture, **changed_value)
        return replace(state, experiment=replace(state.experiment, aperture=aperture))

    return Parameter(name, scale, get, add)


def _with_motion(state: State, motion: Motion) -> State:
    return replace(state, experiment=replace(state.experiment, motion=motion))


def _add_step(state: State, change_percent: float) -> State:
    motion = state.experiment.motion
    step_um = motion.step_um * (1 + change_percent / 100)
    return _with_motion(state, replace(motion, step_um=step_um))


def _turn_scan(state: State, axis: Floats, angle_deg: float) -> State:
    motion = state.experiment.motion
    turn = Rotation.from_rotvec(np.deg2rad(angle_deg) * axis)
    whole = (turn * Rotation.from_rotvec(motion.rotation_rad)).as_rotvec()
    return _with_motion(
        state, replace(motion, rotation_rad=(float(whole[0]), float(whole[1]), float(whole[2])))
    )


def _turn_in_plane(state: State, angle_deg: float) -> State:
    return _turn_scan(state, np.array([0.0, 0.0, 1.0]), angle_deg)


def _turn_out_of_plane(state: State, angle_deg: float) -> State:
    along = scan_direction(state.experiment.motion)
    axis = np.cross(along, [0.0, 0.0, 1.0])
    return _turn_scan(state, axis / np.linalg.norm(axis), angle_deg)


def _zero(state: State) -> float:
    del state
    return 0.0


def _of_detector(name: str, field: str, axis: int, scale: float, unit: float) -> Parameter:
    """Return a change of one component of the detector's translation or rotation."""

    def add(state: State, change: float) -> State:
        detector = state.experiment.detector
        values = list(getattr(detector, field))
        values[axis] += change * unit
        moved: dict[str, Any] = {field: tuple(values)}
        experiment = replace(state.experiment, detector=replace(detector, **moved))
        return replace(state, experiment=experiment)

    return Parameter(name, scale, _zero, add)


POSE: Final = tuple(
    _of_pose(name, scale)
    for name, scale in (
        ("cenx_mm", 0.2),
        ("dist_mm", 0.2),
        ("cenz_mm", 0.2),
        ("anglex_deg", 1.0),
        ("angley_deg", 1.0),
        ("anglez_deg", 1.0),
    )
)
OTHERS: Final = (
    Parameter("step_change_percent", 1.0, _zero, _add_step),
    Parameter("scan_in_plane_deg", 1.0, _zero, _turn_in_plane),
    Parameter("scan_out_of_plane_deg", 1.0, _zero, _turn_out_of_plane),
    _of_aperture("thickness_um", 0.5),
    _of_aperture("widening_um", 0.5),
    Parameter(
        "sample_depth_um",
        10.0,
        lambda state: state.depth_um,
        lambda state, change: replace(state, depth_um=state.depth_um + change),
    ),
)
DETECTOR: Final = (
    *(_of_detector(f"detector_{a}_mm", "translation_mm", i, 0.5, 1.0) for i, a in enumerate("xyz")),
    *(
        _of_detector(f"detector_turn_{a}_deg", "rotation_rad", i, 0.2, np.pi / 180)
        for i, a in enumerate("xyz")
    ),
)
"""Components of the detector's translation and rotation vector, to see whether they are right."""


def _of_tilt(name: str, axis: int) -> Parameter:
    def add(state: State, change: float) -> State:
        across, down = state.tilt_um
        tilted = (across + change, down) if axis == 0 else (across, down + change)
        return replace(state, tilt_um=tilted)

    return Parameter(name, 10.0, lambda state: state.tilt_um[axis], add)


TILT: Final = (_of_tilt("tilt_over_columns_um", 0), _of_tilt("tilt_over_rows_um", 1))
FITTABLE: Final = {parameter.name: (parameter,) for parameter in (*POSE, *OTHERS)} | {
    "pose": POSE,
    "step": OTHERS[0:1],
    "scan-direction": OTHERS[1:3],
    "thickness": OTHERS[3:4],
    "widening": OTHERS[4:5],
    "sample-depth": OTHERS[5:6],
}
"""What can be fitted: single parameters, and groups."""


def parameters_named(names: Sequence[str]) -> tuple[Parameter, ...]:
    """Return the parameters that names and names of groups stand for.

    Raises
    ------
    ConfigurationError
        A name is not known, or there is none.
    """
    if not names:
        raise ConfigurationError("there is nothing to fit", "--fit", "name pose, for example")
    chosen: dict[str, Parameter] = {}
    for name in names:
        if name not in FITTABLE:
            near = difflib.get_close_matches(name, FITTABLE, 1)
            meant = f"did you mean {near[0]}? " if near else ""
            raise ConfigurationError(
                f"{name!r} cannot be fitted", "--fit", f"{meant}choose from {', '.join(FITTABLE)}"
            )
        chosen |= {parameter.name: parameter for parameter in FITTABLE[name]}
    return tuple(chosen.values())


STAGE_MM: Final = 0.2
"""How far a stage may put the aperture from where it was asked to."""


def displacement_parameters(asked: Sequence[Parameter], scans: int) -> tuple[Parameter, ...]:
    """Return displacements (x, y, z) of the aperture in all scans but the first.

    None where the direction of the scan is fitted: it is found from displacements as stated.
    """
    if any(parameter in FITTABLE["scan-direction"] for parameter in asked):
        return ()
    return tuple(_of_scan(number, axis) for number in range(1, scans) for axis in range(3))


def _of_scan(number: int, axis: int) -> Parameter:
    def get(state: State) -> float:
        return state.displacements_mm[number][axis]

    def add(state: State, change: float) -> State:
        rows = [list(row) for row in state.displacements_mm]
        rows[number][axis] += change
        return replace(state, displacements_mm=tuple((x, y, z) for x, y, z in rows))

    return Parameter(f"displacement_{number + 1}_{'xyz'[axis]}_mm", STAGE_MM, get, add)


def shapes_for(parameters: Sequence[Parameter]) -> tuple[Shape, ...]:
    """Return what has to be measured besides positions and advances."""
    names = {parameter.name for parameter in parameters}
    wanted: dict[Shape, str] = {"window": "thickness_um", "widening": "widening_um"}
    return tuple(shape for shape in SHAPES if wanted[shape] in names)


def apply_changes(start: State, parameters: Sequence[Parameter], changes: Floats) -> State:
    """Return a state with each parameter changed by some amount."""
    state = start
    for parameter, change in zip(parameters, changes, strict=True):
        state = parameter.add(state, float(change))
    return state
