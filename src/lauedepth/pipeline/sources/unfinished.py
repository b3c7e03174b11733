"""Whether a file that no longer changes is still being written: a writer may pause.

Nothing here takes a lock that a writer could meet.
"""

from __future__ import annotations

import fcntl
import math
import os
import signal
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

FLOCK: Final = "hhqqi4x"
"""The C structure of a record lock: type, whence, start, length (0: all), process."""

SAMPLE: Final = 256
"""Values of a frame, about, that are compared with the fill value."""


def is_open_for_writing(descriptor: int) -> bool:
    """Return whether a writer has a file open, as far as this machine knows.

    HDF5 locks what it writes; the list of locks tells, and on NFS a question. A file of this user
    on a local disk is known to be open without a lock, too: no lease is given then. The lease is
    let go at once; a writer that opens the file meanwhile waits for that.
    """
    return _is_locked(descriptor) or _is_leased(descriptor)


def _is_locked(descriptor: int) -> bool:
    status = os.fstat(descriptor)
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    with suppress(OSError):
        for line in Path("/proc/locks").read_text().splitlines():
            words = line.split()
            if device in words and "WRITE" in words:
                return True
    asked = struct.pack(FLOCK, fcntl.F_RDLCK, 0, 0, 0, 0)
    with suppress(OSError):
        answer = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, asked)
        return bool(struct.unpack(FLOCK, answer)[0] == fcntl.F_WRLCK)
    return False


def _is_leased(descriptor: int) -> bool:
    with suppress(ValueError):  # only a main thread may; the reader's process asks from its own
        signal.signal(signal.SIGIO, signal.SIG_IGN)  # what a writer that meets the lease sends
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except BlockingIOError:
        return True
    except OSError:  # another user's file, or a file system without leases
        return False
    fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False


def unwritten(data: Any) -> str:
    """Return what is missing in a dataset of frames that was made at once, empty if nothing is.

    Parameters
    ----------
    data : h5py.Dataset
        (frames, rows, columns), or (rows, columns) for a single frame.
    """
    if data.chunks is not None:
        parts = [-(-size // part) for size, part in zip(data.shape, data.chunks, strict=True)]
        total, stored = math.prod(parts), data.id.get_num_chunks()
        if stored < total:
            return f"{total - stored} of {total} parts were never written"
    elif data.external is None and not data.id.get_offset() and data.id.get_storage_size() == 0:
        return "its frames were never written"
    if data.ndim == 3 and _is_fill(data, -1) and not _is_fill(data, 0):
        return "its last frame was never written"
    return ""


def _is_fill(data: Any, number: int) -> bool:
    """Return whether every value looked at of a frame is the fill value."""
    steps = [max(1, size // int(SAMPLE**0.5)) for size in data.shape[1:]]
    frame = data[number][:: steps[0], :: steps[1]]
    return bool((frame == data.fillvalue).all())
