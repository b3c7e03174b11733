"""Every kernel of `cuda` by itself on Numba's simulator, against known truth.

``python kernel_cases.py`` writes what each kernel made of a small batch as JSON; `test_kernels.py`
and `test_solve.py` judge it. Traces are free of noise, so that what was simulated is what must
come out.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import cuda

from lauedepth.core.decoding.answers import Traces
from lauedepth.core.decoding.compiled.problem import problem_of
from lauedepth.core.decoding.compiled.types import (
    BOX,
    BOXES,
    CENTRE,
    CHI_SQUARE,
    DARK,
    INTENSITY,
    LOG_ABSORPTION,
    WIDTH,
)
from lauedepth.core.decoding.cuda._batches import are_frames, problem_on_card, shape_of
from lauedepth.core.decoding.cuda._stream import BatchStream
from lauedepth.core.decoding.cuda._types import (
    BEST,
    LEVEL,
    MEASURED,
    RIVALLED,
    SINGLE,
    SPREAD,
    STATE_AT,
    STATUS_AT,
    STORED,
    THETA_AT,
    TRANSPARENT,
    Batch,
)
from lauedepth.core.instrument.energy import attenuation_per_um
from lauedepth.core.instrument.raymap import RayMap
from lauedepth.simulation import Footprints, expected_traces

simulator: Any = import_module("simulator_cases")  # beside this script
NO_ENERGY, SMALL, light, on_host = (
    simulator.NO_ENERGY,
    simulator.SMALL,
    simulator.light,
    simulator.on_host,
)
ROW, COLUMN, BACKGROUND = np.array([900.0]), np.array([1100.0]), 10.0
ENERGY_KEV = 12.0


class Opened(NamedTuple):
    """A batch on the device, and what is launched on it."""

    stream: BatchStream
    batch: Batch

    def run(self, *stages: str) -> None:
        for name in stages:
            dict(self.stream.stages(self.batch))[name]()


def opened(counts: npt.NDArray[Any], usable: npt.NDArray[np.bool_] | None = None) -> Opened:
    usable = np.ones(counts.shape[1], bool) if usable is None else usable
    rays = RayMap.of(SMALL, np.full(len(counts), ROW[0]), np.full(len(counts), COLUMN[0]))
    traces = Traces(counts, usable)
    problem = problem_of(SMALL, rays, NO_ENERGY)
    stream = BatchStream(
        shape_of(SMALL, traces, problem), simulator.plan(len(counts)), counts.dtype
    )
    as_frames = are_frames(counts)
    stream.prepare(problem_on_card(problem), cuda.to_device(usable), as_frames=as_frames)
    return Opened(stream, stream.upload(counts, rays.pixel_mm, traces.background_level))


def noiseless(source: Footprints) -> npt.NDArray[np.float32]:
    counts = expected_traces(SMALL, ROW, COLUMN, source, background=BACKGROUND)
    return np.asarray(counts, np.float32)


def readings() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_], npt.NDArray[np.float32]]:
    """Return traces with all that is no measurement, usable frames, and what is to be made."""
    rng = np.random.default_rng(1)
    counts = rng.integers(0, 60_000, (35, len(SMALL.frames))).astype(np.float32)
    for spoilt in (np.nan, -3.0, 65535.0, np.inf):
        counts[rng.random(counts.shape) < 0.05] = spoilt
    usable = np.asarray(rng.random(counts.shape[1]) < 0.8)
    with np.errstate(invalid="ignore"):
        good = usable & (counts >= 0) & (counts < np.inf)
    return counts, usable, np.where(good, counts, -1.0).astype(np.float32)


def transpose() -> dict[str, Any]:
    counts, usable, wanted = readings()
    made = on_host(opened(np.ascontiguousarray(counts.T).T, usable).batch.counts)
    return {"wrong": int((made != wanted).sum())}


def clean() -> dict[str, Any]:
    counts, usable, wanted = readings()
    made = on_host(opened(counts, usable).batch.counts)
    return {"wrong": int((made != wanted).sum())}


def search() -> dict[str, Any]:
    found: dict[str, Any] = simulator.places_that_the_search_finds()
    return found


def fit_candidates() -> dict[str, Any]:
    one = opened(noiseless(light(40.0, intensity=600.0)))
    one.run("search", "fit candidates")
    theta = on_host(one.batch.fits)[0, BEST, THETA_AT:]
    return {
        "centre_um": float(theta[CENTRE]),
        "width_um": float(theta[WIDTH]),
        "intensity": float(theta[INTENSITY]),
        "rivalled": int(on_host(one.batch.hits)[0, RIVALLED]),
    }


def add_second_box() -> dict[str, Any]:
    one = opened(noiseless(light(20.0, 75.0, intensity=[2500.0, 900.0], width=3.0)))
    one.run("search", "fit candidates", "second box")
    best, single = on_host(one.batch.fits)[0, [BEST, SINGLE]]
    theta = best[THETA_AT:]
    return {
        "boxes": [int(best[STATE_AT + BOXES]), int(single[STATE_AT + BOXES])],
        "centres_um": sorted([float(theta[CENTRE]), float(theta[BOX + CENTRE])]),
        "gain": float(single[STATE_AT + CHI_SQUARE] - best[STATE_AT + CHI_SQUARE]),
    }


def refit_transparent() -> dict[str, Any]:
    depth, width, intensity, energy = np.array([40.0, 6.0, 2e4, ENERGY_KEV]).reshape(4, 1, 1)
    source = Footprints(depth, width, intensity, energy)
    one = opened(noiseless(source))
    one.run("search", "fit candidates", "second box", "transparent")
    secant = float(RayMap.of(SMALL, ROW, COLUMN).secant(40.0)[0])
    path_um = SMALL.aperture.thickness_um * secant
    refit = on_host(one.batch.fits)[0, TRANSPARENT, THETA_AT:]
    return {
        "absorption": float(np.exp(refit[BOX + LOG_ABSORPTION])),
        "wanted": float(attenuation_per_um(SMALL.aperture, np.array([ENERGY_KEV]))[0] * path_um),
        "centre_um": float(refit[CENTRE]),
    }


def judge_fits() -> dict[str, Any]:
    """Pixels explained, not explained, with a rival, with two boxes beside one, and a dark one."""
    one = opened(np.zeros((5, len(SMALL.frames)), np.float32))
    fits, stats = np.zeros((5, 3, STORED)), np.zeros((5, 3))
    fits[:, :2, STATE_AT + CHI_SQUARE] = [[60, 60], [900, 900], [60, 60], [60, 80], [60, 60]]
    fits[:, :2, STATE_AT + BOXES] = 1
    fits[3, BEST, STATE_AT + BOXES] = 2
    stats[:, LEVEL], stats[:, SPREAD], stats[:, MEASURED] = 10.0, 10_000.0, 65
    hits, codes = on_host(one.batch.hits), on_host(one.batch.codes)
    hits[:, RIVALLED] = [0, 0, 1, 1, 1]
    codes[:, STATUS_AT] = [0, 0, 0, 0, DARK]
    held = ("fits", fits), ("stats", stats), ("hits", hits), ("codes", codes)
    for name, values in held:
        getattr(one.batch, name).copy_to_device(values)
    one.run("judge")
    return {"statuses": on_host(one.batch.codes)[:, STATUS_AT].tolist()}


def solve() -> dict[str, Any]:
    one = opened(noiseless(light(40.0, intensity=600.0)))
    one.run("search", "fit candidates", "second box", "judge", "solve")
    used = int(on_host(one.batch.used)[0])
    numbers, codes = on_host(one.batch.numbers)[0], on_host(one.batch.codes)[0]
    return {
        "codes": codes.tolist(),
        "numbers": np.nan_to_num(numbers, nan=-1.0).tolist(),
        "intensity": float(on_host(one.batch.pool)[:used].sum()),
    }


KERNELS = (
    transpose,
    clean,
    search,
    fit_candidates,
    add_second_box,
    refit_transparent,
    judge_fits,
    solve,
)


def main() -> None:
    simulator.swap_for_all_threads()
    json.dump({one.__name__: one() for one in KERNELS}, sys.stdout)


if __name__ == "__main__":
    main()
