"""Results of made-up pixels, of which everything is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from lauedepth.core.decoding.pixels import DecodedPixels
from lauedepth.core.instrument.experiment import Depths
from lauedepth.core.notices import note, warning
from lauedepth.io import write_result

WHOLE = [(0, 150)]
SHAPE = (150, 130)
DEPTHS = Depths(-20.0, 30.0, 2.0)
FLOATS = (
    "depth_um",
    "depth_error_um",
    "width_um",
    "intensity",
    "background",
    "background_error",
    "mask_position_um",
    "energy_kev",
    "residual",
)
METADATA = {
    "@file_time": np.array(b"2023-04-06T03:07:11"),
    "entry1/sample/sampleX": np.array(7411.5),
    "entry1/scanNum": np.array(276990, np.int64),
    "entry1/user/name": np.array(b"somebody"),
    "entry1/wire/wireX": np.array(1.5),
    "entry1/data@signal": np.array(b"other"),
}


def some_pixels(rng: np.random.Generator, n_traces: int) -> DecodedPixels:
    """Make up what a decoder might say: dark traces, one depth, two depths."""
    trace = np.repeat(np.arange(n_traces), rng.integers(1, 3, n_traces))
    length = rng.integers(0, 6, trace.size)
    offset = np.concatenate([[0], np.cumsum(length)]).astype(np.int64)
    values = {name: rng.normal(0, 100, trace.size) for name in FLOATS}
    values["energy_kev"][::2] = np.nan
    return DecodedPixels(
        trace=trace,
        status=rng.integers(0, 6, trace.size).astype(np.uint8),
        flags=rng.integers(0, 8, trace.size).astype(np.uint8),
        footprint_offset=offset,
        footprint_start=rng.integers(0, len(DEPTHS) - 5, trace.size).astype(np.int32),
        footprint=rng.uniform(0.5, 9, offset[-1]).astype(np.float32),
        **values,
    )


def dense(
    rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64], decoded: DecodedPixels
) -> npt.NDArray[np.float32]:
    """Build the images the slow way."""
    images = np.zeros((len(DEPTHS), *SHAPE), np.float32)
    for index, trace in enumerate(decoded.trace):
        low, high = decoded.footprint_offset[index : index + 2]
        start = decoded.footprint_start[index]
        images[start : start + high - low, rows[trace], columns[trace]] += decoded.footprint[
            low:high
        ]
    return images


NOTICES = (
    note("keys-ignored", "one key is ignored: comp.µ", "a.yml", "take it out"),
    warning("frames-lost", "3 of 261 frames are lost"),
)


def write_some(
    path: Path,
    bands: list[tuple[int, int]],
    density: float = 0.05,
    seed: int = 0,
    compress: bool = True,
) -> tuple[npt.NDArray[np.float32], list[DecodedPixels]]:
    rng = np.random.default_rng(seed)
    expected = np.zeros((len(DEPTHS), *SHAPE), np.float32)
    given_pixels = []
    with write_result(
        path,
        depths=DEPTHS,
        shape=SHAPE,
        configuration='{"a": 1}',
        backend="cpu",
        metadata=METADATA,
        compress=compress,
    ) as writer:
        for low, high in bands:
            rows, columns = np.nonzero(rng.random((high - low, SHAPE[1])) < density)
            decoded = some_pixels(rng, rows.size)
            writer.add(low, high, rows + low, columns, decoded)
            expected += dense(rows + low, columns, decoded)
            given_pixels.append(decoded)
        writer.finish({"read": 1.5}, NOTICES)
    return expected, given_pixels
