"""A small reconstruction: reads a point, writes a result that depends on every one of its bytes.

``standin.py POINT RESULT [--seconds S] [--fail]``; deterministic to the last bit.
"""

from __future__ import annotations

import hashlib
import sys
import time
from pathlib import Path


def main(point: Path, result: Path, seconds: float) -> int:
    """Transform a point; an HDF5 one by its numbers, any other by its bytes."""
    import h5py
    import numpy as np

    with h5py.File(point, "r", locking=False) as file:
        frames = file["entry1/data/data"][()]
    if frames.min() == frames.max():
        print("error: every pixel is the same; nothing to decode", file=sys.stderr)
        return 1
    end = time.monotonic() + seconds
    depth = np.cumsum(frames.astype(np.float64), axis=0)
    while time.monotonic() < end:
        time.sleep(0.01)
    with h5py.File(result, "w") as file:
        file["entry1/data/data"] = depth
        file.attrs["sha256"] = hashlib.sha256(frames.tobytes()).hexdigest()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])))
