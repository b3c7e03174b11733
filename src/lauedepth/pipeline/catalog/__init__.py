"""The catalog: a database of every point seen and its processing."""

from lauedepth.core.locks import Holder
from lauedepth.pipeline.catalog.database import catalog_url, plain_cause
from lauedepth.pipeline.catalog.lock import hold, holder
from lauedepth.pipeline.catalog.rows import PointRow, SourceRow
from lauedepth.pipeline.catalog.schema import (
    ACTIVE,
    FINAL,
    JOBS,
    POINTS,
    STEPS,
    UNFINISHED,
    PointState,
    Priority,
)
from lauedepth.pipeline.catalog.store import Catalog, point_named

__all__ = [
    "ACTIVE",
    "FINAL",
    "JOBS",
    "POINTS",
    "STEPS",
    "UNFINISHED",
    "Catalog",
    "Holder",
    "PointRow",
    "PointState",
    "Priority",
    "SourceRow",
    "catalog_url",
    "hold",
    "holder",
    "plain_cause",
    "point_named",
]
