"""The `cuda` backend's kernels on Numba's simulator, in a process of its own.

``python simulator_cases.py [TRACES]`` decodes every case with the kernels and with
`reference`, and writes the differences as JSON to standard output; or instead of the cases
TRACES, a pickle of (experiment, rows, columns, counts). The simulator must be chosen before Numba
is imported, so that `test_cuda_simulator.py` runs this file with ``NUMBA_ENABLE_CUDASIM=1``.
"""

from __future__ import annotations

import json
import os
import pickle
import random
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import cuda

from lauedepth.core.decoding.answers import Answers, Traces
from lauedepth.core.decoding.background import Background
from lauedepth.core.decoding.code_search import frames_per_step, search
from lauedepth.core.decoding.compiled.problem import problem_of
from lauedepth.core.decoding.cuda._batches import (
    Card,
    Streams,
    are_frames,
    decode_batches,
    problem_on_card,
    shape_of,
)
from lauedepth.core.decoding.cuda._memory import Plan
from lauedepth.core.decoding.cuda._stream import BatchStream
from lauedepth.core.decoding.cuda._types import THREADS
from lauedepth.core.decoding.limits import CANDIDATES
from lauedepth.core.decoding.pixels import DecodeOptions, EnergySearch
from lauedepth.core.decoding.reference.decoder import ReferenceDecoder
from lauedepth.core.instrument.aperture import BarTable, bar_edges, prefer_same_code
from lauedepth.core.instrument.experiment import (
    Aperture,
    Depths,
    Detector,
    Experiment,
    Frames,
    Motion,
    Pose,
)
from lauedepth.core.instrument.raymap import RayMap
from lauedepth.core.instrument.shadow import Shadow
from lauedepth.simulation import Footprints, expected_traces

BACKEND = "lauedepth.core.decoding.cuda"
DAWDLING = 0.01
"""Part of the barriers after which a thread falls behind."""

QUICK = 4
"""Threads in a block: the simulator gives each a thread of the system."""


class Current:
    """`cuda` inside a kernel, whichever module a device function comes from.

    The simulator swaps the name in a device function's module while one thread is in it; a
    second thread still inside when the first leaves would see the wrong one.
    """

    def __getattr__(self, name: str) -> Any:
        from numba.cuda.simulator.kernel import _get_kernel_context

        found = getattr(_get_kernel_context() or cuda, name)
        return delayed(found) if name == "syncthreads" else found


def delayed(wait: Callable[[], None]) -> Callable[[], None]:
    """Let some threads fall behind after a barrier, so that a missing one shows."""

    def wait_and_dawdle() -> None:
        wait()
        if random.random() < DAWDLING:
            time.sleep(1e-3)

    return wait_and_dawdle


LOCK = threading.Lock()


def shared_array(room: Any, shape: Any, dtype: Any) -> Any:
    """Return a block's array, known by the line that asks for it.

    The simulator's own looks and then makes one, and two threads that look at once get two.
    """
    caller = sys._getframe(1)
    with LOCK:
        key = caller.f_code.co_filename, caller.f_lineno
        return room._allocations.setdefault(key, np.empty(shape, dtype))


def swap_for_all_threads() -> None:
    from numba.cuda.simulator.kernelapi import FakeCUDAShared

    FakeCUDAShared.array = shared_array
    for name, module in list(sys.modules.items()):
        if name.startswith(BACKEND) and getattr(module, "cuda", None) is cuda:
            module.cuda = Current()  # type: ignore[attr-defined]
    # A thread that waits gives way at once; the default of 5 ms would pass at every barrier.
    sys.setswitchinterval(1e-5)


def twin(frames: Frames, depths: Depths) -> Experiment:
    """A geometry of 34-ID-E (the paper's), cut to a size that the simulator can do."""
    return Experiment(
        Detector(
            shape=(2048, 2048),
            size_mm=(409.6, 409.6),
            rotation_rad=(-1.20161887, -1.21404493, -1.21852276),
            translation_mm=(28.828, 2.715, 512.993),
        ),
        Aperture(prefer_same_code()),
        Pose(0.443310547, 1.60405273, 0.935546875, -0.001953125, -0.662109375, 43.3119141),
        Motion(step_um=1.0, shift_mm=0.22, rotation_rad=(0.0045, -0.00684, -3.375e-05)),
        frames,
        depths,
    )


SMALL = twin(Frames(0, 260, 4), Depths(0.0, 100.0))
NO_ENERGY = DecodeOptions()
ENERGY = DecodeOptions(energy=EnergySearch())
KNOWN = 5.0


def light(*depths: float, intensity: float | list[float], width: float = 6.0) -> Footprints:
    depth = np.array([depths])
    return Footprints(depth, np.full_like(depth, width), np.zeros_like(depth) + intensity)


def traces_of(
    experiment: Experiment, rows: Any, columns: Any, *footprints: Footprints
) -> npt.NDArray[np.uint16]:
    rng = np.random.default_rng(5)
    expected = [
        expected_traces(experiment, np.array([row]), np.array([column]), one, background=10.0)[0]
        for row, column, one in zip(rows, columns, footprints, strict=True)
    ]
    return rng.poisson(expected).astype(np.uint16)


def compare(
    experiment: Experiment,
    rows: Any,
    columns: Any,
    counts: Any,
    plan: Plan,
    options: DecodeOptions = NO_ENERGY,
    usable: Any = None,
) -> dict[str, Any]:
    rays = RayMap.of(experiment, np.asarray(rows, float), np.asarray(columns, float))
    usable = np.ones(counts.shape[1], bool) if usable is None else usable
    known = Background.of(KNOWN, len(counts)) if options.energy else None
    traces = Traces(counts, usable, known)
    problem = problem_of(experiment, rays, options)
    shape = shape_of(experiment, traces, problem)
    streams = Streams.open(shape, plan, counts.dtype, len(traces))
    ours = decode_batches(rays, traces, problem, streams)
    return agreement(ours, experiment, rays, traces, options)


def agreement(
    ours: Answers, experiment: Experiment, rays: RayMap, traces: Traces, options: DecodeOptions
) -> dict[str, Any]:
    wanted = ReferenceDecoder().solve(experiment, rays, traces, options)
    return {
        "status": ours.status.tolist(),
        "reference_status": wanted.status.tolist(),
        "depths": np.isfinite(wanted.depth_um).sum(axis=1).tolist(),
        "same_known": same_known(ours, wanted),
        "bins_apart": int(np.abs(ours.bins - wanted.bins).max(initial=0)),
        **{
            name: difference(getattr(ours, name), getattr(wanted, name))
            for name in ("depth_um", "depth_error_um", "width_um", "absorption", "background")
        },
        "footprint": difference(ours.footprint, wanted.footprint),
    }


def on_host(array: Any) -> npt.NDArray[Any]:
    return np.asarray(array.copy_to_host())


def difference(ours: npt.NDArray[Any], wanted: npt.NDArray[Any]) -> float:
    return float(np.abs(np.nan_to_num(ours - wanted)).max(initial=0.0))


def same_known(ours: Answers, wanted: Answers) -> bool:
    names = ("depth_um", "width_um", "residual", "absorption", "background")
    return all(
        np.array_equal(np.isnan(getattr(ours, name)), np.isnan(getattr(wanted, name)))
        for name in names
    )


def plan(pixels: int, **changes: int) -> Plan:
    basic = Plan(pixels, streams=1, blocks=2, wide_blocks=1, columns=40, threads=QUICK)
    return replace(basic, **changes)


def partial_batch_of_frames() -> dict[str, Any]:
    """Three pixels in batches of two, as frames, the middle one dark."""
    rows, columns = [900.0, 500.0, 1500.0], [1100.0, 700.0, 900.0]
    counts = traces_of(
        SMALL, rows, columns,
        light(40.0, intensity=600.0), light(40.0, intensity=0.0), light(70.0, intensity=300.0),
    )  # fmt: skip
    frames = np.ascontiguousarray(counts.T)
    assert are_frames(frames.T)
    return compare(SMALL, rows, columns, frames.T, plan(2, streams=2))


def one_pixel_with_energy() -> dict[str, Any]:
    counts = traces_of(SMALL, [1000.0], [1000.0], light(55.0, intensity=900.0))
    return compare(SMALL, [1000.0], [1000.0], counts, plan(1, blocks=1), ENERGY)


def two_depths() -> dict[str, Any]:
    counts = traces_of(SMALL, [800.0], [1300.0], light(20.0, 75.0, intensity=2500.0, width=3.0))
    return compare(SMALL, [800.0], [1300.0], counts, plan(1))


def close_depths_in_either_order() -> dict[str, Any]:
    """The stronger depth is fitted first: once the lower one, once the higher one."""
    rows, columns = [800.0, 800.0], [1300.0, 1300.0]
    counts = traces_of(
        SMALL, rows, columns,
        light(40.0, 49.0, intensity=[9000.0, 5000.0], width=3.0),
        light(40.0, 49.0, intensity=[5000.0, 9000.0], width=3.0),
    )  # fmt: skip
    return compare(SMALL, rows, columns, counts, plan(2))


def places_that_the_search_finds() -> dict[str, Any]:
    """Where the search kernel looks, against `core.search`, with frames lost."""
    rows, columns = np.array([900.0]), np.array([1100.0])
    counts = traces_of(SMALL, rows, columns, light(40.0, 90.0, intensity=300.0)).astype(np.float32)
    usable = np.ones(counts.shape[1], bool)
    usable[[0, 20, 21, 22, 40]] = False
    rays, traces = RayMap.of(SMALL, rows, columns), Traces(counts, usable)
    problem = problem_of(SMALL, rays, NO_ENERGY)
    stream = BatchStream(shape_of(SMALL, traces, problem), plan(1), np.dtype(np.float32))
    stream.prepare(problem_on_card(problem), cuda.to_device(usable), as_frames=False)
    batch = stream.upload(counts, rays.pixel_mm, traces.background_level)
    dict(stream.stages(batch))["search"]()
    one, table = rays.pick(0), BarTable.of(SMALL.aperture)
    middle = (SMALL.depths.start_um + SMALL.depths.stop_um) / 2
    advance = float(one.advance_um(middle)) * SMALL.frames.stride
    places = search(
        Shadow.of(table, float(one.window_um(middle))),
        counts[0].astype(np.float64),
        usable,
        float(one.position_um(SMALL.depths.start_um, 0)),
        float(one.position_um(SMALL.depths.stop_um, 0)),
        advance,
        CANDIDATES,
    )
    step = abs(advance) * frames_per_step(advance)
    wanted = np.array([[place.extent_um / step, place.score] for place in places])
    found = on_host(batch.found)[0]
    ends = one.position_um(np.array([SMALL.depths.start_um, SMALL.depths.stop_um]), 0)
    begin = float(ends.min() if advance > 0 else ends.max())
    position = begin + np.sign(advance) * step * found[:, 0]
    return {
        "hits": int(on_host(batch.hits)[0, 0]),
        "places": len(places),
        "position_um": difference(position, np.array([one.position_um for one in places])),
        "extent": difference(found[:, 1], wanted[:, 0]),
        "score": difference(found[:, 2] / wanted[:, 1], np.ones(len(places))),
    }


def no_room_for_the_columns() -> dict[str, Any]:
    """The first launch has room for four columns only: the second one solves it."""
    counts = traces_of(SMALL, [900.0], [1100.0], light(40.0, intensity=600.0))
    return compare(SMALL, [900.0], [1100.0], counts, plan(1, columns=4))


def lost_frames_and_no_light() -> dict[str, Any]:
    """Gaps at both ends and within; saturated, dark, empty and mostly lost pixels."""
    rows, columns = [900.0, 900.0, 900.0, 900.0], [1100.0, 1100.0, 1100.0, 1100.0]
    bright = traces_of(SMALL, rows[:1], columns[:1], light(40.0, intensity=600.0))[0]
    counts = np.stack([bright, bright, bright, bright]).astype(np.float32)
    counts[0, 20:22] = np.nan
    counts[1] = 0.0
    counts[2, :40] = np.inf
    counts[3] = np.random.default_rng(2).poisson(12.0, counts.shape[1])
    usable = np.ones(counts.shape[1], bool)
    usable[[0, 1, 30, -1]] = False
    return compare(SMALL, rows, columns, counts, plan(4), usable=usable)


def beside_the_code() -> dict[str, Any]:
    away = replace(SMALL, motion=replace(SMALL.motion, shift_mm=40.0))
    counts = np.random.default_rng(3).poisson(20.0, (1, 65)).astype(np.uint16)
    return compare(away, [1000.0], [1000.0], counts, plan(1))


def whole_warp_of_a_short_trace() -> dict[str, Any]:
    """A block as wide as on a card, with fewer frames than threads would share evenly."""
    short = twin(Frames(0, 259, 7), Depths(20.0, 70.0))
    counts = traces_of(short, [1000.0], [900.0], light(45.0, intensity=5000.0))
    return compare(short, [1000.0], [900.0], counts, plan(1, blocks=1, threads=THREADS))


class SmallCard(Card):
    """A card of one multiprocessor with little memory."""

    def resources(self) -> tuple[int, int]:
        return 4_000_000, 1


def streams_stay_from_call_to_call() -> dict[str, Any]:
    """Another place on the detector, fewer pixels, other frames lost, frames after traces."""
    card, results = SmallCard(), []
    held: list[Any] = []
    usable = np.ones(len(SMALL.frames), bool)
    wide = np.zeros((len(SMALL.frames), 6), np.uint16)
    for call, (row, column) in enumerate([(900.0, 1100.0), (500.0, 700.0), (900.0, 1100.0)]):
        rows, columns = np.array([row, row + 5.0][: 2 - call % 2]), np.full(2 - call % 2, column)
        light_there = [light(40.0, intensity=600.0)] * len(rows)
        counts = traces_of(SMALL, rows, columns, *light_there)
        if call == 2:
            wide[:, 2:4] = counts.T
            counts = wide[:, 2:4].T
            assert are_frames(counts)
            usable[7] = False
        rays, traces = RayMap.of(SMALL, rows, columns), Traces(counts, usable)
        ours = card.decode(SMALL, rays, traces, NO_ENERGY)
        held.append(card._held)
        results.append(agreement(ours, SMALL, rays, traces, NO_ENERGY))
    return {
        "same_streams": [one is held[0] for one in held],
        "block": held[0].plan.blocks,
        "results": results,
    }


def instrument_as_it_was() -> dict[str, Any]:
    """Edges, positions and beam of their own; traces as frames and as they are."""
    rng = np.random.default_rng(8)
    edges = np.stack(bar_edges(SMALL.aperture), axis=1).ravel()
    frames = np.arange(SMALL.frames.stop)
    told = replace(
        SMALL,
        aperture=replace(
            SMALL.aperture, edges_um=tuple((edges + rng.normal(0, 0.5, edges.size)).tolist())
        ),
        motion=replace(
            SMALL.motion,
            positions_um=tuple((1.01 * frames + rng.normal(0, 0.5, frames.size)).tolist()),
        ),
        beam_intensity=tuple(rng.uniform(0.7, 1.3, frames.size).tolist()),
    )
    rows, columns = [900.0, 800.0], [1100.0, 1300.0]
    counts = traces_of(
        told, rows, columns,
        light(40.0, intensity=600.0), light(20.0, 75.0, intensity=[3000.0, 1200.0], width=3.0),
    )  # fmt: skip
    as_frames = np.ascontiguousarray(counts.T).T
    assert are_frames(as_frames)
    turned = compare(told, rows, columns, as_frames, plan(2))
    plain = compare(told, rows, columns, counts, plan(2))
    assert turned == plain
    return plain


CASES = (
    instrument_as_it_was,
    partial_batch_of_frames,
    one_pixel_with_energy,
    two_depths,
    close_depths_in_either_order,
    places_that_the_search_finds,
    no_room_for_the_columns,
    lost_frames_and_no_light,
    beside_the_code,
    whole_warp_of_a_short_trace,
    streams_stay_from_call_to_call,
)


def main() -> None:
    assert os.environ.get("NUMBA_ENABLE_CUDASIM") == "1"
    swap_for_all_threads()
    if len(sys.argv) == 1:
        json.dump({one.__name__: one() for one in CASES}, sys.stdout)
        return
    experiment, rows, columns, counts = pickle.loads(Path(sys.argv[1]).read_bytes())
    batches = plan(len(rows) - 1, streams=2)
    json.dump(compare(experiment, rows, columns, counts, batches, ENERGY), sys.stdout)


if __name__ == "__main__":
    main()
