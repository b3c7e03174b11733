"""Whether points and results agree with the aperture's pose, as ``check`` reports it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape

from lauedepth.cli import options
from lauedepth.cli.reporting import Reporter, facts
from lauedepth.core.errors import InputError

if TYPE_CHECKING:
    from lauedepth.calibration import PoseCheck, ResultCheck
    from lauedepth.config import ExperimentConfig
    from lauedepth.io import Point


def report_pose(
    reporter: Reporter, point: Point, config: ExperimentConfig, memory_bytes: int
) -> None:
    """Report whether the traces of a point agree with the pose."""
    found = _traces_against_pose(reporter, point, config, memory_bytes)
    for warning in found.warnings:
        reporter.warn(warning, str(point.path))
    title = f"{escape(str(point.path))}: the pose {'does not hold' if found.warnings else 'holds'}"
    reporter.show("pose", vars(found) | {"point": point.path}, facts(_pose_rows(found), title))


def _traces_against_pose(
    reporter: Reporter, point: Point, config: ExperimentConfig, memory_bytes: int
) -> PoseCheck:
    """Compare how fast bright traces advance along the code with what the pose predicts."""
    from lauedepth.calibration import check_pose  # noqa: PLC0415
    from lauedepth.tasks.calibration_scans import read_scan  # noqa: PLC0415

    with reporter.progress(point.path.name) as progress:
        scan = read_scan(point, config, memory_bytes=memory_bytes, progress=progress)
    return check_pose(config.to_core(), scan)


def _pose_rows(found: PoseCheck) -> dict[str, str]:
    change, error = found.stretch_percent, found.stretch_error_percent
    return {
        "traces on the code": f"{found.pixels} bright ones",
        "turn about the bars": f"{found.turn_deg:+.3f} ± {found.turn_error_deg:.3f}°",
        "change of the step": f"{change:+.3f} ± {error:.3f} %",
    }


def report_agreement(reporter: Reporter, path: Path, moved: Path | None, memory_bytes: int) -> None:
    """Report whether a result agrees with its pose; the traces of its point decide, if found."""
    from lauedepth.io import read_result  # noqa: PLC0415
    from lauedepth.tasks.check_result import check_result, config_of, point_of, verdict_of  # noqa: PLC0415
    from lauedepth.tasks.reconstruct import open_for  # noqa: PLC0415

    result = read_result(path)
    options.report_notices(reporter, result.notices)
    config = config_of(result)
    left_over = check_result(result, config)
    source = moved or point_of(result)
    where, traces = "not found; give its place with --point", None
    if source is not None:
        where = escape(str(source))
        with open_for(config, source) as point:
            try:
                traces = _traces_against_pose(reporter, point, config, memory_bytes)
            except InputError as error:  # then the result alone decides
                where = f"{where} {escape(error.what)}"
    warnings = left_over.warnings if traces is None else traces.warnings
    for warning in warnings:
        reporter.warn(warning, str(path))
    values = {
        "result": path,
        "point": source,
        "warnings": warnings,
        "notices": result.notices,
        "verdict": verdict_of(result).as_dict(),
        "residuals": left_over,
        "traces": traces,
    }
    rows = {"verdict": str(verdict_of(result))} | _residual_rows(left_over) | {"its point": where}
    rows |= {} if traces is None else _pose_rows(traces)
    verdict = "does not hold" if warnings else "holds, as far as can be seen"
    text = facts(rows, f"{escape(str(path))}: the pose {verdict}")
    reporter.show("agreement", values, text)


def _residual_rows(found: ResultCheck) -> dict[str, str]:
    return {
        "pixels examined": f"{found.pixels} decoded ones",
        "residual": f"{found.residual_flat:.2f}; {found.residual_steep:.2f} where rays cross the "
        "aperture most obliquely",
        "turn that explains it": f"{found.turn_deg:.2f} ± {found.turn_error_deg:.2f}°, either way",
        "without a whole footprint": f"{found.lost:.0%}",
    }
