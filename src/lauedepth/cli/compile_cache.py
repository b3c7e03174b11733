"""Where compiled code is kept if neither the program's own folder nor the user's home takes it.

Numba refuses to compile then: in a container, or for a service account without a home.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import Final

VARIABLE: Final = "NUMBA_CACHE_DIR"
PROGRAM: Final = Path(__file__).parents[1]


def provide_compile_cache(program: Path = PROGRAM) -> None:
    """Name a private folder in the temporary one where Numba would find none, before it starts."""
    if os.environ.get(VARIABLE) or _takes_files(program) or _takes_files(_home_cache()):
        return
    folder = _private_folder()
    if folder is not None:
        os.environ[VARIABLE] = str(folder)


def _home_cache() -> Path:
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:  # a user without a home
        return Path(os.devnull)


def _takes_files(folder: Path) -> bool:
    """Return whether a folder can be written to, or be made."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def _private_folder() -> Path | None:
    """Return a folder that nobody else can write to: what is in it is run."""
    try:
        folder = Path(tempfile.gettempdir()) / f"lauedepth-compiled-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError:
        return None
    others = stat.S_IWGRP | stat.S_IWOTH
    mine = status.st_uid == os.getuid() and stat.S_ISDIR(status.st_mode)
    return folder if mine and not status.st_mode & others else None
