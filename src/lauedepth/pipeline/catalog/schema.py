"""The catalog's tables: everything recorded about a point."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Final

import sqlalchemy as sa

VERSION: Final = 2
"""Version of these tables; a catalog with a higher version is not touched.

Version 2 adds the driver's epoch to `META`: whoever drives a catalog of version 1 upgrades it.
"""


class PointState(StrEnum):
    """The state of a point."""

    ARRIVING = "arriving"
    WAITING = "waiting"
    STAGING = "staging"
    RECONSTRUCTING = "reconstructing"
    PACKAGING = "packaging"
    DELIVERING = "delivering"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    SUPERSEDED = "superseded"
    IGNORED = "ignored"


ACTIVE: Final = (
    PointState.STAGING,
    PointState.RECONSTRUCTING,
    PointState.PACKAGING,
    PointState.DELIVERING,
)
"""States of a point that is being processed."""

FINAL: Final = (
    PointState.DONE,
    PointState.FAILED,
    PointState.SKIPPED,
    PointState.SUPERSEDED,
    PointState.IGNORED,
)
"""States that only a user or a changed file ends."""

UNFINISHED: Final = tuple(state for state in PointState if state not in FINAL)
"""All other states."""


class Priority(IntEnum):
    """Priorities of points; lower values go first."""

    LIVE = 0
    BACKLOG = 1


METADATA: Final = sa.MetaData()

META: Final = sa.Table(
    "lauedepth_meta",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

SOURCES: Final = sa.Table(
    "lauedepth_sources",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("folder", sa.Text, nullable=False, unique=True),
    sa.Column("layout", sa.Text, nullable=False),
    sa.Column("marker", sa.Text, nullable=False),
    sa.Column("marker_needed", sa.Boolean, nullable=False),
    sa.Column("dataset", sa.Text, nullable=False),
    sa.Column("frames", sa.Integer, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("expected", sa.Integer, nullable=False),
    sa.Column("scanned", sa.Boolean, nullable=False, default=False),
)

POINTS: Final = sa.Table(
    "lauedepth_points",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("source_id", sa.ForeignKey(SOURCES.c.id), nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("signature", sa.Text, nullable=False),
    sa.Column("members", sa.JSON, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("frames", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("run", sa.Integer, nullable=False),
    sa.Column("result", sa.Text, nullable=False, unique=True),
    sa.Column("sha256_input", sa.Text, nullable=False),
    sa.Column("sha256_result", sa.Text, nullable=False),
    sa.Column("failure", sa.Text, nullable=False),
    sa.Column("staged", sa.Boolean, nullable=False, index=True),
    sa.Column("seen", sa.Float, nullable=False),
    sa.Column("complete", sa.Float),
    sa.Column("started", sa.Float),
    sa.Column("finished", sa.Float),
    sa.UniqueConstraint("source_id", "key", "version"),
    # In processing order: the next point is found without sorting them all.
    sa.Index("ix_lauedepth_points_next", "state", "priority", "complete", "id"),
)

STEPS: Final = sa.Table(
    "lauedepth_steps",
    METADATA,
    sa.Column("point_id", sa.ForeignKey(POINTS.c.id), primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("started", sa.Float, nullable=False),
    sa.Column("finished", sa.Float),
)

JOBS: Final = sa.Table(
    "lauedepth_jobs",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("point_id", sa.ForeignKey(POINTS.c.id), nullable=False, index=True),
    sa.Column("submitted", sa.Float, nullable=False),
    sa.Column("started", sa.Float),
    sa.Column("finished", sa.Float),
    sa.Column("seconds", sa.Float),
    sa.Column("cpu_seconds", sa.Float),
    sa.Column("max_rss_bytes", sa.BigInteger),
    sa.Column("exit_code", sa.Integer),
    sa.Column("reason", sa.Text, nullable=False),
)

DRIVER: Final = sa.Table(
    "lauedepth_driver",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("since", sa.Float, nullable=False),
    sa.Column("beat", sa.Float, nullable=False),
    sa.Column("slots", sa.Integer, nullable=False),
    sa.Column("notice", sa.Text, nullable=False),
)
