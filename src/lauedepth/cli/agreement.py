"""Whether points and results agree with the aperture's pose, as ``check`` tells it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape

from lauedepth.cli.reporting import Reporter, facts
from lauedepth.core.errors import InputError

if TYPE_CHECKING:
    from lauedepth.calibration import PoseCheck, ResultCheck
    from lauedepth.config import ExperimentConfig
    from lauedepth.io import Point


def tell_pose(
    reporter: Reporter, point: Point, config: ExperimentConfig, memory_bytes: int
) -> None:
    """Tell whether a point's traces agree with the pose."""
    told = _traces_against_pose(reporter, point, config, memory_bytes)
    for warning in told.warnings:
        reporter.warn(warning, str(point.path))
    title = f"{escape(str(point.path))}: the pose {'does not hold' if told.warnings else 'holds'}"
    reporter.show("pose", vars(told) | {"point": point.path}, facts(_pose_rows(told), title))


def _traces_against_pose(
    reporter: Reporter, point: Point, config: ExperimentConfig, memory_bytes: int
) -> PoseCheck:
    """Compare how fast bright traces advance along the code with what the pose foretells."""
    from lauedepth.calibration import check_pose  # noqa: PLC0415
    from lauedepth.tasks.calibrate import read_scan  # noqa: PLC0415

    with reporter.progress(point.path.name) as tell:
        scan = read_scan(point, config, memory_bytes=memory_bytes, progress=tell)
    return check_pose(config.to_core(), scan)


def _pose_rows(told: PoseCheck) -> dict[str, str]:
    return {
        "traces on the code": f"{told.pixels} bright ones",
        "turn about the bars": f"{told.turn_deg:+.3f} ± {told.turn_error_deg:.3f}°",
        "change of the step": f"{told.stretch_percent:+.3f} ± {told.stretch_error_percent:.3f} %",
    }


def tell_agreement(reporter: Reporter, path: Path, moved: Path | None, memory_bytes: int) -> None:
    """Tell whether a result agrees with its pose; the traces of its point decide, if there."""
    from lauedepth.io import read_result  # noqa: PLC0415
    from lauedepth.tasks.check_result import check_result, config_of, point_of  # noqa: PLC0415
    from lauedepth.tasks.reconstruct import open_for  # noqa: PLC0415

    result = read_result(path)
    config = config_of(result)
    left_over = check_result(result, config)
    source = moved or point_of(result)
    where, traces = "not there; --point tells where it is", None
    if source is not None:
        where = escape(str(source))
        with open_for(config, source) as point:
            try:
                traces = _traces_against_pose(reporter, point, config, memory_bytes)
            except InputError as error:  # then the result alone tells
                where = f"{where} {escape(error.what)}"
    warnings = left_over.warnings if traces is None else traces.warnings
    for warning in warnings:
        reporter.warn(warning, str(path))
    values = {
        "result": path,
        "point": source,
        "warnings": warnings,
        "residuals": left_over,
        "traces": traces,
    }
    rows = _residual_rows(left_over) | {"its point": where}
    rows |= {} if traces is None else _pose_rows(traces)
    verdict = "does not hold" if warnings else "holds, as far as can be seen"
    text = facts(rows, f"{escape(str(path))}: the pose {verdict}")
    reporter.show("agreement", values, text)


def _residual_rows(told: ResultCheck) -> dict[str, str]:
    return {
        "pixels looked at": f"{told.pixels} decoded ones",
        "residual": f"{told.residual_flat:.2f}; {told.residual_steep:.2f} where rays cross the "
        "aperture most obliquely",
        "turn that explains it": f"{told.turn_deg:.2f} ± {told.turn_error_deg:.2f}°, either way",
        "without a whole footprint": f"{told.lost:.0%}",
    }
