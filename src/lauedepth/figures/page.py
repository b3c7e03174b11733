"""A page on results that needs nothing beside it: verdicts, figures, settings, provenance."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from lauedepth.core.decoding.pixels import PixelStatus
from lauedepth.core.errors import InputError
from lauedepth.figures.instrument import plot_instrument
from lauedepth.figures.maps import first_of_each
from lauedepth.figures.points import plot_points
from lauedepth.figures.results import Kind, plot_result
from lauedepth.io import ResultFile, publish

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SMALL: Final[tuple[Kind, ...]] = ("error", "width", "residual", "energy", "histogram", "status")
"""Kinds of figure that stand side by side below the overview."""
DPI: Final = 100
VERDICT: Final = {
    "chosen": "pixels looked at",
    "lit": "lit pixels",
    "decoded": "decoded, of lit pixels",
    "ambiguous": "ambiguous, of lit pixels",
    "second": "second depths, of decoded pixels",
    "at_end": "depths at an end of the range, of all depths",
    "residual": "median chi-square per degree of freedom",
}
"""What the numbers of a verdict are."""

_STYLE: Final = """
body { font: 16px/1.45 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem;
       color: #222; background: #fff; }
h2 { border-top: 1px solid #ccc; padding-top: 1rem; overflow-wrap: anywhere; }
table { border-collapse: collapse; margin: 0.8rem 0; }
td, th { padding: 0.15rem 1.2rem 0.15rem 0; text-align: left; vertical-align: top; }
th { font-weight: 600; }
img { width: 100%; height: auto; }
.small { display: grid; grid-template-columns: repeat(auto-fit, minmax(26rem, 1fr)); gap: 0.5rem; }
.warning { color: #a33c00; }
pre { background: #f5f5f5; padding: 0.8rem; overflow-x: auto; }
"""


def write_page(results: Sequence[ResultFile], path: Path | str) -> None:
    """Write an HTML page with everything inside, its pictures too.

    Parameters
    ----------
    results : sequence of ResultFile
    path : Path or str

    Raises
    ------
    InputError
        A result is damaged.
    OutputError
        The page cannot be written; what was there before is still there.
    """
    with (
        publish(path) as partial,
        partial.open("w", encoding="utf-8", errors="backslashreplace") as page,
    ):
        page.writelines(_page(results))


def _page(results: Sequence[ResultFile]) -> Iterator[str]:
    """Return the page part by part: one result's pictures are in memory at a time."""
    title = results[0].path.name if len(results) == 1 else f"{len(results)} results"
    yield '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
    yield f"<h1>Depths of {escape(title)}</h1>\n"
    if len(results) > 1:
        yield _contents(results)
        yield _picture("points", plot_points(results))
    for number, result in enumerate(results, 1):
        yield from _section(result, number)
    yield "</body>\n</html>\n"


def _contents(results: Sequence[ResultFile]) -> str:
    rows = ["<tr><th>result</th><th>decoded pixels</th><th>median depth</th><th>warnings</th></tr>"]
    for number, result in enumerate(results, 1):
        depth = result.pixels["depth"][np.isfinite(result.pixels["depth"])]
        middle = f"{np.median(depth):.2f} µm" if depth.size else "none"
        decoded = _outcomes(result).get("decoded", 0)
        warnings = sum(str(notice.level) == "warning" for notice in result.notices)
        rows.append(
            f'<tr><td><a href="#result{number}">{escape(result.path.name)}</a></td>'
            f"<td>{decoded:,}</td><td>{middle}</td><td>{warnings}</td></tr>"
        )
    return "<table>\n" + "\n".join(rows) + "\n</table>\n"


def _section(result: ResultFile, number: int) -> Iterator[str]:
    yield f'<section id="result{number}">\n<h2>{escape(result.path.name)}</h2>\n'
    yield _notices(result)
    yield _table("Pixels", {name: f"{count:,}" for name, count in _outcomes(result).items()})
    yield _table("Verdict on the depths", _verdict(result))
    yield _picture("overview", plot_result(result, "overview"))
    yield '<div class="small">\n'
    for kind in SMALL:
        figure = _drawn(result, kind)
        if figure is not None:
            yield _picture(kind, figure)
    yield "</div>\n"
    if result.instrument() is not None:
        yield "<h3>The instrument as learnt</h3>\n"
        yield _picture("instrument", plot_instrument(result))
    yield from _provenance(result)
    yield "</section>\n"


def _notices(result: ResultFile) -> str:
    if not result.notices:
        return "<p>No notes and no warnings.</p>\n"
    lines = [
        f'<li class="{notice.level}">{escape(f"{notice.level}: {notice}")}</li>'
        for notice in result.notices
    ]
    return "<ul>\n" + "\n".join(lines) + "\n</ul>\n"


def _outcomes(result: ResultFile) -> dict[str, int]:
    """Return how many pixels had each outcome."""
    status = first_of_each(result.pixels)["status"]
    counts = {one.name.lower().replace("_", " "): int((status == one).sum()) for one in PixelStatus}
    return {name: count for name, count in counts.items() if count}


def _provenance(result: ResultFile) -> Iterator[str]:
    made = result.provenance
    rows, columns = result.shape[1:]
    depth = result.depth_um
    yield _table(
        "Provenance",
        {
            "file": str(result.path),
            "program": f"{made.program} {made.version}",
            "decoder": made.backend,
            "images": f"{depth.size} depths, {depth[0]:g} to {depth[-1]:g} µm; "
            f"{rows} × {columns} pixels",
            **{f"time to {step}": f"{seconds:.1f} s" for step, seconds in made.timings_s.items()},
        },
    )
    try:
        settings = json.dumps(json.loads(made.configuration), indent=2, ensure_ascii=False)
    except ValueError:
        settings = made.configuration
    yield f"<details>\n<summary>Settings</summary>\n<pre>{escape(settings)}</pre>\n</details>\n"


def _table(title: str, rows: Mapping[str, str]) -> str:
    if not rows:
        return ""
    lines = [
        f"<tr><th>{escape(name.replace('_', ' '))}</th><td>{escape(value)}</td></tr>"
        for name, value in rows.items()
    ]
    return f"<h3>{title}</h3>\n<table>\n" + "\n".join(lines) + "\n</table>\n"


def _verdict(result: ResultFile) -> dict[str, str]:
    return {VERDICT.get(name, name): _told(name, value) for name, value in result.verdict.items()}


def _told(name: str, value: float | None) -> str:
    if value is None:
        return "not known"
    if name in {"chosen", "lit"}:
        return f"{value:,.0f}"
    return f"{value:.2f}" if name == "residual" else f"{value:.1%}"


def _drawn(result: ResultFile, kind: Kind) -> Figure | None:
    """Return a figure, or None where the result has no such values."""
    if kind == "energy" and not np.isfinite(result.pixels["energy"]).any():
        return None
    try:
        return plot_result(result, kind)
    except InputError:
        return None


def _picture(name: str, figure: Figure) -> str:
    content = BytesIO()
    figure.savefig(content, format="png", dpi=DPI)
    encoded = base64.b64encode(content.getvalue()).decode("ascii")
    return f'<img alt="{name}" src="data:image/png;base64,{encoded}">\n'
