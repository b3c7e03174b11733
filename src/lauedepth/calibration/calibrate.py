"""Find the aperture's pose from scans of a thin sample at a known depth.

The published way (Gürsoy et al., Rev. Sci. Instrum. 94, 013702, 2023) decodes depths for
trial poses until the rays meet. Here each trace is measured once: its place on the code and
its advance a frame do not depend on the pose. The pose is then an ordinary least-squares
problem with errors known on both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from lauedepth.calibration.consistency import LEAST_PIXELS, consistent
from lauedepth.calibration.depth_error import depth_error_um
from lauedepth.calibration.parameters import Parameter, State, parameters_named
from lauedepth.calibration.pose_fit import PoseFit, Problem, fit_pose, predicted
from lauedepth.calibration.positions import Measured, Scan, advances_to_try, measure, middle_frame
from lauedepth.calibration.result import Calibration, ScanPixels
from lauedepth.calibration.trace_fit import SHAPES, Shape
from lauedepth.calibration.warnings_of import remarks
from lauedepth.core.errors import InputError
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.raymap import RayMap

Mask = npt.NDArray[np.bool_]
Progress = Callable[[str, int, int], None]

CONTRADICTION_MM: Final = 0.005
"""Scans whose shifts disagree by more cannot be fitted together."""


def calibrate(
    experiment: Experiment,
    scans: Sequence[Scan],
    *,
    fit: Sequence[str] = ("pose",),
    sample_depth_um: float = 0.0,
    progress: Progress | None = None,
) -> Calibration:
    """Find where the aperture stands.

    Parameters
    ----------
    experiment : Experiment
        The start: up to about 1° and 0.2 mm off.
    scans : sequence of Scan
        Of a thin sample; several, with the aperture displaced, constrain more.
    fit : sequence of str
        Names of parameters or groups, see `parameters.KNOWN`.
    sample_depth_um : float
        Where the sample's middle is along the beam.
    progress : callable, optional
        Called with (stage, traces done, traces in all).

    Returns
    -------
    Calibration

    Raises
    ------
    ConfigurationError
        A parameter that is not known.
    InputError
        Too few pixels, traces that match nothing, light from many depths, scans that
        contradict each other.
    """
    start = State(experiment, sample_depth_um)
    parameters = parameters_named(fit)
    scans = tuple(scans)
    for scan in scans:
        _check_pixels(scan)
    first = _measure_all(start, scans, (), None, "search", progress)
    used = [_matched(start, scan, one) for scan, one in zip(scans, first, strict=True)]
    shift_remarks = _check_shifts(start, scans, first, used)
    rough = fit_pose(Problem(start, parameters_named(("pose",)), scans, first), used)
    shapes = shapes_for(parameters)
    final = _measure_all(rough.state, scans, shapes, first, "refine", progress)
    again = [mask & one.found for mask, one in zip(rough.used, final, strict=True)]
    found = fit_pose(Problem(start, parameters, scans, final, shapes), again)
    pixels = tuple(
        _pixels(start, found, number, scan, final[number]) for number, scan in enumerate(scans)
    )
    return Calibration(
        experiment=found.state.experiment,
        sample_depth_um=found.state.depth_um,
        fit=found,
        scans=pixels,
        depth_error_um=depth_error_um(found, parameters),
        warnings=(*shift_remarks, *remarks(found, pixels)),
    )


def shapes_for(parameters: Sequence[Parameter]) -> tuple[Shape, ...]:
    """Return what has to be measured besides positions and advances."""
    names = {parameter.name for parameter in parameters}
    wanted: dict[Shape, str] = {"window": "thickness_um", "widening": "widening_um"}
    return tuple(shape for shape in SHAPES if wanted[shape] in names)


def _measure_all(
    state: State,
    scans: tuple[Scan, ...],
    shapes: tuple[Shape, ...],
    near: tuple[Measured, ...] | None,
    stage: str,
    progress: Progress | None,
) -> tuple[Measured, ...]:
    total = sum(len(scan) for scan in scans)
    results: list[Measured] = []
    for number, scan in enumerate(scans):
        before = sum(len(one) for one in scans[:number])

        def tell(done: int, _: int, before: int = before) -> None:
            if progress:
                progress(stage, before + done, total)

        results.append(
            measure(
                state.experiment,
                scan,
                depth_um=state.depth_um,
                shapes=shapes,
                near=None if near is None else near[number],
                progress=tell,
            )
        )
    return tuple(results)


def _check_pixels(scan: Scan) -> None:
    if len(scan) < LEAST_PIXELS:
        raise InputError(
            f"{len(scan)} pixels are too few to calibrate with",
            scan.name,
            f"give at least {LEAST_PIXELS}, better 50, spread over the detector",
        )


def _matched(start: State, scan: Scan, measured: Measured) -> Mask:
    """Return the pixels of a scan that go together; refuse a scan of which too few do."""
    used = consistent(scan.row, scan.column, measured.values[:, 0], measured.found)
    if used.any():
        return used
    found = int(measured.found.sum())
    if found < LEAST_PIXELS:
        raise InputError(
            f"{found} of {len(scan)} traces match the code; looked {_looked(start, scan)}",
            scan.name,
            "check code, step, frames and that the sample is thin, or start from a pose nearer",
        )
    raise InputError(
        f"{found} of {len(scan)} traces match the code, but no {LEAST_PIXELS} of them as one "
        "aperture and one depth would have it",
        scan.name,
        "calibrate with a thin sample, all light from one depth",
    )


def _looked(start: State, scan: Scan) -> str:
    experiment = scan.experiment(start.experiment)
    rays = RayMap.of(experiment, scan.row, scan.column)
    frames = experiment.frames.indices
    tried = [
        advances_to_try(advance, abs(slope), experiment.motion.step_um, frames[-1] - frames[0])
        for advance, slope in zip(
            rays.advance_um(start.depth_um), rays.slope(start.depth_um), strict=True
        )
    ]
    low, high = min(one.min() for one in tried), max(one.max() for one in tried)
    return (
        f"on the whole code (0 to {experiment.aperture.length_um:.0f} µm) for advances of "
        f"{low:.3f} to {high:.3f} µm a frame (turns up to 2°)"
    )


def _check_shifts(
    start: State,
    scans: tuple[Scan, ...],
    measured: tuple[Measured, ...],
    used: Sequence[Mask],
) -> list[str]:
    """Compare the scans' displacements with those told; refuse them where they differ much."""
    best = int(np.argmax([mask.sum() for mask in used]))
    alone = Problem(start, parameters_named(("pose",)), (scans[best],), (measured[best],))
    state = fit_pose(alone, [used[best]]).state
    told = []
    for number, scan in enumerate(scans):
        off_mm, error_mm = _shift_off(state, scan, measured[number], used[number])
        if number == best or abs(off_mm) < 5 * error_mm:
            continue
        text = (
            f"{scan.name} stands {off_mm:+.5f} ± {error_mm:.5f} mm from where its shift of "
            f"{scan.shift_mm:g} mm puts it, judged by {scans[best].name}"
        )
        if abs(off_mm) > CONTRADICTION_MM:
            raise InputError(
                f"contradicts another scan: {text}",
                scan.name,
                f"give --shift-mm {scan.shift_mm + off_mm:.4f} if that can be, or leave it out",
            )
        told.append(text)
    return told


def _shift_off(state: State, scan: Scan, measured: Measured, used: Mask) -> tuple[float, float]:
    """Return how far a scan's aperture stands from where it should, and a robust error."""
    here = predicted(state, scan)[:, 0]
    moved = predicted(state, replace(scan, shift_mm=scan.shift_mm + 1e-3))[:, 0]
    off = (measured.values[used, 0] - here[used]) / (moved - here)[used] * 1e-3
    middle = float(np.median(off))
    spread = 1.4826 * float(np.median(np.abs(off - middle)))
    return middle, max(spread, 1e-6) * 1.25 / np.sqrt(used.sum()) + 1e-5


def _pixels(start: State, fit: PoseFit, number: int, scan: Scan, measured: Measured) -> ScanPixels:
    """Trace the measured positions back to depths with the pose before and after."""
    frame = middle_frame(start.experiment.frames)
    position = measured.values[:, 0]
    before = RayMap.of(scan.experiment(start.experiment), scan.row, scan.column)
    after = RayMap.of(scan.experiment(fit.state.experiment), scan.row, scan.column)
    depth = fit.state.depth_um
    per_depth = np.abs(
        after.position_um(depth + 0.5, frame) - after.position_um(depth - 0.5, frame)
    )
    error = np.sqrt(measured.covariance[:, 0, 0])
    return ScanPixels(
        name=scan.name,
        shift_mm=scan.shift_mm,
        row=scan.row,
        column=scan.column,
        used=fit.used[number],
        found=measured.found,
        position_um=position,
        position_error_um=error,
        advance_um=measured.values[:, 1],
        advance_error_um=np.sqrt(measured.covariance[:, 1, 1]),
        depth_before_um=before.depth_um(position, frame),
        depth_after_um=after.depth_um(position, frame),
        depth_error_um=error / per_depth,
        width_um=measured.extent_um / per_depth,
        residual=measured.residual,
        pulls=fit.pulls[number],
    )
