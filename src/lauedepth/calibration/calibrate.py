"""Find the aperture's pose from scans of a thin sample at a known depth.

The published way (Gürsoy et al., Rev. Sci. Instrum. 94, 013702, 2023) decodes depths for
trial poses until the rays meet. Here each trace is measured once: its position on the code and
its advance per frame do not depend on the pose. The pose is then an ordinary least-squares
problem with errors known on both sides.
"""

from __future__ import annotations

from collections.abc import Sequence

from lauedepth.calibration.depth_error import depth_error_um
from lauedepth.calibration.displacements import unstated_displacements
from lauedepth.calibration.matching import matching_pixels, refuse_few_pixels
from lauedepth.calibration.parameters import State, parameters_named, shapes_for
from lauedepth.calibration.pose_fit import Problem, fit_pose
from lauedepth.calibration.positions import MeasuredTraces, Scan, fit_scan, measured_traces
from lauedepth.calibration.report import CalibrationReport, scan_pixels
from lauedepth.calibration.trace_fit import Shape, TraceFit
from lauedepth.calibration.warnings_of import calibration_warnings
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
        contradict each other.
    """
    start, parameters, scans = (
        State(experiment, sample_depth_um),
        parameters_named(fit),
        tuple(scans),
    )
    for scan in scans:
        refuse_few_pixels(scan)
    first = _measure(start, scans, "search", progress)
    matching = [matching_pixels(start, *one) for one in zip(scans, first, strict=True)]
    displaced = unstated_displacements(start, scans, first, matching)
    rough = fit_pose(Problem(start, parameters_named(("pose",)), scans, first), matching)
    shapes = shapes_for(parameters)
    final = _measure(rough.state, scans, "refine", progress, shapes, first)
    used = [mask & one.found for mask, one in zip(rough.used, final, strict=True)]
    found = fit_pose(Problem(start, parameters, scans, final, shapes), used)
    pixels = tuple(
        scan_pixels(start, found, number, scan, final[number]) for number, scan in enumerate(scans)
    )
    return CalibrationReport(
        experiment=found.state.experiment,
        sample_depth_um=found.state.depth_um,
        fit=found,
        scans=pixels,
        depth_error_um=depth_error_um(found, parameters),
        warnings=(*(str(one) for one in displaced), *calibration_warnings(found, pixels)),
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
        fits: list[TraceFit | None] = []
        for fit in fit_scan(
            state.experiment, scan, depth_um=state.depth_um, shapes=shapes, near=earlier
        ):
            fits.append(fit)
            done += 1
            progress(stage, done, total)
        measured.append(measured_traces(fits, scan, shapes))
    return tuple(measured)
