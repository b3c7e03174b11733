"""Find the aperture's pose from scans of a thin sample at a known depth.

The published way (Gürsoy et al., Rev. Sci. Instrum. 94, 013702, 2023) decodes depths for
trial poses until the rays meet. Here each trace is measured once: its position on the code and
its advance per frame do not depend on the pose. The pose is then an ordinary least-squares
problem with errors known on both sides.
"""

from __future__ import annotations

from collections.abc import Sequence

from lauedepth.calibration.causes import cause_of_scatter
from lauedepth.calibration.common_errors import common_errors
from lauedepth.calibration.depth_error import depth_error_um
from lauedepth.calibration.displacements import refuse_contradictions
from lauedepth.calibration.matching import MismatchError, matching_pixels, refuse_few_pixels
from lauedepth.calibration.parameters import (
    POSE,
    Parameter,
    State,
    displacement_parameters,
    parameters_named,
    shapes_for,
)
from lauedepth.calibration.plausibility import refuse_implausible
from lauedepth.calibration.pose_fit import Problem, fit_pose
from lauedepth.calibration.positions import (
    MeasuredTraces,
    Scan,
    fit_scan,
    frames_from_middle,
    measured_traces,
)
from lauedepth.calibration.report import CalibrationReport, scan_pixels
from lauedepth.calibration.senses import advice_on_senses
from lauedepth.calibration.trace_fit import Shape, TraceFit
from lauedepth.calibration.warnings_of import calibration_warnings
from lauedepth.core.errors import InputError
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.progress import Progress, no_progress


def calibrate(
    experiment: Experiment,
    scans: Sequence[Scan],
    *,
    fit: Sequence[str] = ("pose",),
    sample_depth_um: float = 0.0,
    progress: Progress = no_progress,
) -> CalibrationReport:
    """Find where the aperture stands.

    Parameters
    ----------
    experiment : Experiment
        The start: up to approximately 1° and 0.2 mm off.
    scans : sequence of Scan
        Of a thin sample; several, with the aperture displaced, constrain more.
    fit : sequence of str
        Names of parameters or groups, see `parameters.FITTABLE`.
    sample_depth_um : float
        Where the middle of the sample is along the beam.
    progress : callable, optional
        Called with (stage, traces done, traces in all).

    Returns
    -------
    CalibrationReport

    Raises
    ------
    ConfigurationError
        An unknown parameter.
    InputError
        Too few pixels, traces that match nothing, light from many depths, scans that
        contradict each other, a pose that cannot be right.
    """
    start, parameters = State.of(experiment, sample_depth_um, len(scans)), parameters_named(fit)
    for scan in scans:
        refuse_few_pixels(scan)
    try:
        return _calibrated(start, parameters, tuple(scans), progress)
    except MismatchError as error:
        advice = advice_on_senses(start, scans[0]) or error.remedy
        raise InputError(error.what, error.where, advice) from error


def _calibrated(
    start: State, parameters: tuple[Parameter, ...], scans: tuple[Scan, ...], progress: Progress
) -> CalibrationReport:
    """Measure, fit, measure again near the pose found, fit and judge."""
    first = _measure(start, scans, "search", progress)
    matching = [matching_pixels(start, *one) for one in zip(scans, first, strict=True)]
    free = displacement_parameters(parameters, len(scans))
    if not free:
        refuse_contradictions(start, scans, first, matching)
    rough = fit_pose(Problem(start, (*POSE, *free), scans, first), matching)
    refuse_implausible(start, rough, scans, matching)
    shapes = shapes_for(parameters)
    final = _measure(rough.state, scans, "refine", progress, shapes, first)
    used = [mask & one.found for mask, one in zip(rough.used, final, strict=True)]
    problem = Problem(start, (*parameters, *free), scans, final, shapes)
    found = fit_pose(problem, used)
    refuse_implausible(start, found, scans, matching)
    cause = cause_of_scatter(problem, found)
    if cause and cause.is_adopted:
        problem, found = cause.problem, cause.fit
    pixels = tuple(
        scan_pixels(start, found, number, scan, final[number]) for number, scan in enumerate(scans)
    )
    return CalibrationReport(
        experiment=found.state.experiment,
        sample_depth_um=found.state.depth_um,
        fit=found,
        scans=pixels,
        depth_error_um=depth_error_um(found, problem.parameters),
        common=common_errors(problem, found),
        warnings=(*([cause.warning] if cause else []), *calibration_warnings(found, pixels)),
    )


def _measure(
    state: State,
    scans: tuple[Scan, ...],
    stage: str,
    progress: Progress,
    shapes: tuple[Shape, ...] = (),
    near: tuple[MeasuredTraces, ...] | None = None,
) -> tuple[MeasuredTraces, ...]:
    """Measure the traces of all scans, searched on the whole code or near earlier positions."""
    total, done, measured = sum(len(scan) for scan in scans), 0, []
    for number, scan in enumerate(scans):
        earlier = None if near is None else near[number]
        frames = frames_from_middle(scan.experiment(state.experiment))
        fits: list[TraceFit | None] = []
        for fit in fit_scan(
            state.experiment, scan, depth_um=state.depth_um, shapes=shapes, near=earlier
        ):
            fits.append(fit)
            done += 1
            progress(stage, done, total)
        measured.append(measured_traces(fits, scan, frames, shapes))
    return tuple(measured)
