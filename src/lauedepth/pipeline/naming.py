"""Under which name a result is delivered: the plain one belongs to a point's newest version.

A file that was taken for complete too early, and changed later, leaves junk behind; whoever opens
the plain name wants what was made of the whole file.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lauedepth.pipeline.catalog import FINAL, POINTS, Catalog, PointRow, PointState
from lauedepth.pipeline.paths import archive_name, export_name, result_name

Digest = Callable[[Path], str]


def delivered_name(
    catalog: Catalog, results: Path, point: PointRow, sha256_result: str, digest: Digest
) -> str:
    """Return the name for a point's result, below the results folder, after making room for it.

    An earlier version's result is renamed. May be called again after any interruption.

    Parameters
    ----------
    sha256_result : str
        Checksum of the new result.
    digest : callable
        Returns a file's checksum.

    Returns
    -------
    str
        The plain name, or the point's own name with its version where another point has the plain
        one, or a file stands there that the catalog does not know.
    """
    plain = result_name(point.key, 1)
    if point.result == plain:
        return archive_name(point.key, point.version) if _is_outrun(catalog, point) else plain
    earlier = _holder(catalog, point, plain)
    if earlier is None or earlier.state not in FINAL:
        return point.result
    if (results / plain).is_file() and digest(results / plain) != sha256_result:
        if not _is_of(earlier, results / plain, digest):
            return point.result
        archive = archive_name(point.key, earlier.version)
        for old, new in ((export_name(plain), export_name(archive)), (plain, archive)):
            if (results / old).exists():
                (results / old).rename(results / new)
    return plain


def _is_outrun(catalog: Catalog, point: PointRow) -> bool:
    """Return whether a newer version of a point was done first."""
    same = (POINTS.c.source_id == point.source_id, POINTS.c.key == point.key)
    newer = (POINTS.c.version > point.version, POINTS.c.state == PointState.DONE)
    return bool(catalog.points(*same, *newer, limit=1))


def _holder(catalog: Catalog, point: PointRow, plain: str) -> PointRow | None:
    """Return the version of a point that has the plain name, if it can give it away."""
    found = catalog.points(POINTS.c.result == plain)
    if not found or (found[0].source_id, found[0].key) != (point.source_id, point.key):
        return None
    archive = archive_name(point.key, found[0].version)
    return None if catalog.points(POINTS.c.result == archive) else found[0]


def _is_of(earlier: PointRow, path: Path, digest: Digest) -> bool:
    archive = path.parent / Path(archive_name(earlier.key, earlier.version)).name
    if archive.exists():
        return False
    return earlier.state is PointState.DONE and digest(path) == earlier.sha256_result
