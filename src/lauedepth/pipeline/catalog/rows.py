"""Rows of the catalog, as the rest of the pipeline sees them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

import sqlalchemy as sa

from lauedepth.pipeline.catalog.schema import PointState
from lauedepth.pipeline.paths import printable
from lauedepth.pipeline.protocols import Member, Sighting

TIMES: Final = ("seen", "complete", "started", "finished")


@dataclass(frozen=True)
class SourceRow:
    """A folder that points come from, as the catalog knows it."""

    id: int
    folder: str
    layout: str
    marker: str
    marker_needed: bool
    dataset: str
    frames: int
    priority: int
    expected: int
    scanned: bool


@dataclass(frozen=True)
class PointRow:
    """A point, or one version of it, as the catalog knows it. Times are Unix times."""

    id: int
    source_id: int
    key: str
    version: int
    signature: str
    members: tuple[Member, ...]
    size: int
    frames: int
    state: PointState
    priority: int
    attempt: int
    run: int
    result: str
    sha256_input: str
    sha256_result: str
    failure: str
    staged: bool
    seen: float
    complete: float | None
    started: float | None
    finished: float | None

    @property
    def label(self) -> str:
        """The point's name as shown to users."""
        return printable(self.key) + (f" (version {self.version})" if self.version > 1 else "")


def seen_values(sighting: Sighting) -> dict[str, Any]:
    """Return the columns of a point that a look at its files fills."""
    return {
        "signature": sighting.signature if not sighting.refusal else "",
        "members": [[m.name, m.size, m.mtime_ns] for m in sighting.members],
        "size": sighting.size,
    }


def point_row(row: sa.RowMapping) -> PointRow:
    """Return a point as the database holds it.

    Raises
    ------
    ValueError, TypeError
        If no lauedepth wrote it so.
    """
    content = {field.name: row[field.name] for field in fields(PointRow)}
    content["members"] = tuple(Member(*member) for member in row["members"])
    content["state"] = PointState(row["state"])
    for name in TIMES:
        if content[name] is not None:
            content[name] = float(content[name])
    return PointRow(**content)
