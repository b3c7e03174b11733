"""Decode noise by random experiments, most of them absurd: ``bounds_cases.py NUMBER``."""

from __future__ import annotations

import sys
from collections import Counter

import numpy as np

from lauedepth.core.arrays import Floats
from lauedepth.core.decoding.decode import decode
from lauedepth.core.decoding.pixels import DecodeOptions, EnergySearch, PixelStatus
from lauedepth.core.decoding.registry import choose_decoder
from lauedepth.core.instrument.aperture import BarTable, prefer_same_code
from lauedepth.core.instrument.experiment import (
    Aperture,
    Depths,
    Detector,
    Experiment,
    Frames,
    Motion,
    Pose,
    Vector,
)
from lauedepth.core.instrument.pixel_view import PixelView
from lauedepth.core.instrument.raymap import RayMap

PIXELS = 6


def spread(rng: np.random.Generator, value: float, odd: float = 0.15) -> float:
    """Return a number; an odd one is up to a thousand times as large, negative or zero."""
    if rng.random() > odd:
        return float(value * rng.uniform(0.9, 1.1))
    factor = 10.0 ** rng.choice([0.0, 0.0, 0.0, *rng.uniform(-3, 3, 2)])
    return float(
        value * factor * rng.choice([1.0, 1.0, 1.0, -1.0, 0.0], p=[0.4, 0.3, 0.1, 0.15, 0.05])
    )


def vector(rng: np.random.Generator, *values: float) -> Vector:
    x, y, z = (spread(rng, value) for value in values)
    return x, y, z


def random_experiment(rng: np.random.Generator) -> Experiment:
    length = int(rng.choice([1, 3, 40, 256]))
    code = prefer_same_code()[-length:] if rng.random() < 0.7 else (1,) * length
    start, span = spread(rng, 100.0), abs(spread(rng, 300.0)) + 2.0
    axis = vector(rng, 0.7, 0.7, 0.1)
    return Experiment(
        Detector(
            (2048, 2048),
            (abs(spread(rng, 409.6)) + 1e-3, abs(spread(rng, 409.6)) + 1e-3),
            vector(rng, -1.2, -1.21, -1.22),
            vector(rng, 28.8, 2.7, 513.0),
        ),
        Aperture(
            code if any(code) else (1,),
            abs(spread(rng, 15.0)) + 0.05,
            abs(spread(rng, 7.5)) + 0.05,
            abs(spread(rng, 3.7)),
            spread(rng, 0.5),
        ),
        Pose(*(spread(rng, value) for value in (0.44, 1.6, 0.75, 0.1, -0.5, 43.8))),
        Motion(
            spread(rng, 0.5),
            spread(rng, 0.2),
            axis if any(axis) else (1.0, 0.0, 0.0),
            vector(rng, 0.004, -0.007, 0.001),
        ),
        Frames(0, int(rng.choice([2, 40, 120, 261])), int(rng.choice([1, 1, 1, 3]))),
        Depths(start, start + span, float(np.clip(abs(spread(rng, 1.0)), span / 3000, span / 2))),
    )


def light(experiment: Experiment, rng: np.random.Generator, row: float, column: float) -> Floats:
    """Return the expected trace of one or two depths, as far as there is a finite one."""
    rays = RayMap.of(experiment, [row], [column]).pick(0)
    table, frames = BarTable.of(experiment.aperture), experiment.frames.indices.astype(float)
    depths = rng.uniform(experiment.depths.start_um, experiment.depths.stop_um, 2)
    total = np.full(frames.size, 5.0)
    with np.errstate(all="ignore"):
        for depth in depths[: rng.integers(1, 3)]:
            view = PixelView.of(table, rays, frames, np.ones(frames.size), depth).through(
                rng.uniform(0.5, 9.0)
            )
            total += rng.uniform(50, 3000) * np.nan_to_num(view.open_fraction(depth))
    return np.asarray(np.clip(total, 0.0, 1e5), np.float64)


def main(number: int) -> None:
    cpu, statuses = choose_decoder("cpu").decoder, Counter[str]()
    for seed in range(number):
        rng = np.random.default_rng(seed)
        experiment = random_experiment(rng)
        row, column = rng.uniform(0, 2047, (2, PIXELS))
        size = (PIXELS, len(experiment.frames))
        counts = rng.poisson(rng.uniform(0, 2000, size)).astype(np.float32)
        counts[0] = rng.poisson(5.0, size[1])
        for pixel in range(1, PIXELS // 2 + 1):
            counts[pixel] = rng.poisson(light(experiment, rng, row[pixel], column[pixel]))
        counts[rng.random(size) < rng.choice([0.0, 0.0, 0.3])] = np.nan
        options = DecodeOptions(energy=EnergySearch() if rng.random() < 0.3 else None)
        with np.errstate(all="ignore"):
            background = rng.uniform(0, 10) if rng.random() < 0.7 else None
            found = decode(
                experiment,
                row,
                column,
                counts,
                backend=cpu,
                options=options,
                background=background,
            )
        statuses.update(PixelStatus(code).name for code in found.status)
    print(f"{number} experiments", dict(statuses))


if __name__ == "__main__":
    main(int(sys.argv[1]))
