"""Which run a result or a checkpoint belongs to."""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np

from lauedepth.config import ExperimentConfig
from lauedepth.core.errors import InputError
from lauedepth.core.version import __version__
from lauedepth.io import Point, read_result
from lauedepth.tasks.reconstruct.checkpoint import RunIdentity
from lauedepth.tasks.reconstruct.selection import Mask

RUN_ATTRIBUTE: Final = "entry1@lauedepth_run"
"""Where a result keeps the digest of the run that made it."""

POINT_ATTRIBUTE: Final = "entry1@lauedepth_point"
"""Where a result names the point it was made from, by its whole path."""


def run_identity(
    point: Point,
    config: ExperimentConfig,
    backend: str,
    mask: Mask | None = None,
    *,
    carried: bool = False,
) -> RunIdentity:
    """Return what must not change for a run to be resumed.

    Parameters
    ----------
    point : Point
        Its path, the size and time of its files, its shape.
    config : ExperimentConfig
    backend : str
    mask : array, optional
    carried : bool
        Whether what other points tell of the aperture is carried to this one.
    """
    files = [(path.name, path.stat()) for path in input_files(point.path)]
    return RunIdentity.of(
        input=[
            str(point.path.resolve()),
            list(point.shape),
            [(name, stat.st_size, stat.st_mtime_ns) for name, stat in files],
        ],
        configuration=config.model_dump(mode="json") | ({"carried": True} if carried else {}),
        corrections=_digests(config),
        mask=None if mask is None else sha256(np.packbits(mask).tobytes()).hexdigest(),
        backend=backend,
        version=__version__,
    )


def _digests(config: ExperimentConfig) -> list[str]:
    """Digest the files that an experiment names: another one of the same name is another run."""
    detector = config.detector
    names = (detector.mask, detector.dark, detector.flat, config.instrument.file)
    return ["" if name is None else sha256(Path(name).read_bytes()).hexdigest() for name in names]


def input_files(path: Path) -> list[Path]:
    """Return the files of a point, in order."""
    if path.is_file():
        return [path]
    folder, start = (path, "") if path.is_dir() else (path.parent, f"{path.name}_")
    return sorted(file for file in folder.glob("*.*") if file.name.startswith(start))


def is_finished(output: Path, identity: RunIdentity) -> bool:
    """Return whether a result is there, whole, and made by the very same run."""
    if not output.is_file():
        return False
    with suppress(InputError):
        made_by = read_result(output).metadata.get(RUN_ATTRIBUTE)
        return made_by is not None and made_by.item().decode() == identity.digest
    return False
