"""What an earlier simulation left in a folder, told apart from anything of the user's."""

from __future__ import annotations

from collections.abc import Iterator
from glob import escape
from pathlib import Path
from typing import Final

import h5py

from lauedepth.core.errors import OutputError

CREATOR: Final = "lauedepth simulate"
"""Stands in every file that the simulator writes."""

EXPERIMENT_FILE: Final = "experiment.yml"
TRUTH_FOLDER: Final = "truth"


def refuse_foreign(folder: Path, name: str) -> None:
    """Refuse a folder where a scan could replace something that no simulation wrote.

    Parameters
    ----------
    folder : Path
    name : str
        What points are called.

    Raises
    ------
    OutputError
        Names the file or link.
    """
    for path in _in_the_way(folder, name):
        if not _is_own(path):
            raise OutputError(
                "is there already and was not simulated", str(path), "choose another folder or name"
            )


def remove_frames(folder: Path) -> None:
    """Remove the frames of an earlier simulated series: it may have had more of them."""
    for path in folder.glob(f"{escape(folder.name)}_*.h5"):
        if _is_own(path):
            path.unlink()


def _in_the_way(folder: Path, name: str) -> Iterator[Path]:
    truth = folder / TRUTH_FOLDER
    pattern = f"{escape(name)}_[0-9]*"
    for path in (folder / EXPERIMENT_FILE, truth):
        if path.exists() or path.is_symlink():
            yield path
    yield from sorted(truth.glob(f"{pattern}.h5"))
    for path in sorted(folder.glob(pattern)):
        if path.is_dir() and not path.is_symlink():
            yield from sorted(path.glob(f"{pattern}.h5"))
        elif path.suffix == ".h5" or path.is_symlink():
            yield path


def _is_own(path: Path) -> bool:
    if path.is_symlink() or not (path.is_dir() or path.is_file()):  # a pipe would be waited for
        return False
    if path.is_dir():
        return True
    if path.suffix == ".h5":
        try:
            with h5py.File(path, "r", locking=False) as file:
                return bool(file.attrs.get("creator") == CREATOR.encode())
        except OSError:
            return False
    try:
        with path.open("rb") as stream:
            return stream.readline().decode("utf-8", "replace").strip() == f"# {CREATOR}"
    except OSError:
        return False
