"""The decoder against known truth: the reference traces, and the simulator's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from lauedepth.core.decoding.cpu.decoder import CpuDecoder
from lauedepth.core.decoding.decode import decode, solve
from lauedepth.core.decoding.pixels import (
    DecodedPixels,
    DecodeOptions,
    EnergySearch,
    PixelFlag,
    PixelStatus,
)
from lauedepth.core.instrument.aperture import BarTable
from lauedepth.core.instrument.experiment import Depths, Experiment, Frames
from lauedepth.core.instrument.raymap import RayMap
from lauedepth.core.instrument.shadow import Shadow
from lauedepth.simulation import Footprints, expected_traces, quick_traces

SETS = ["norcada", "twin"]
ENERGY = DecodeOptions(energy=EnergySearch())
BACKGROUND = 5.0
Loader = Callable[[str], tuple[Experiment, "Reference"]]  # see conftest


class Reference:
    """What `reference_set` returns, as far as these tests use it."""

    row: npt.NDArray[np.float64]
    column: npt.NDArray[np.float64]
    counts: npt.NDArray[np.uint16]
    kind: npt.NDArray[np.str_]
    truth: dict[str, npt.NDArray[np.float64]]


def decoded(
    experiment: Experiment, traces: Reference, backend: str, options: DecodeOptions | None = None
) -> DecodedPixels:
    return decode(
        experiment,
        traces.row,
        traces.column,
        traces.counts,
        backend=backend,
        options=options,
        background=BACKGROUND,
    )


@pytest.fixture(scope="module", params=SETS)
def reference(
    request: pytest.FixtureRequest, reference_set: Loader
) -> tuple[Experiment, Reference, DecodedPixels]:
    experiment, traces = reference_set(request.param)
    return experiment, traces, decoded(experiment, traces, "cpu", ENERGY)


Case = tuple[Experiment, Reference, DecodedPixels]


def first_rows(result: DecodedPixels) -> npt.NDArray[np.int64]:
    return np.flatnonzero((result.flags & PixelFlag.SECOND_DEPTH) == 0)


@pytest.mark.parametrize(
    ("kind", "median", "worst"),
    [("clean", 0.05, 0.15), ("faint", 0.4, 1.0), ("absorbing", 0.15, 0.4)],
)
def test_depths_of_the_reference(reference: Case, kind: str, median: float, worst: float) -> None:
    _, traces, result = reference
    rows = first_rows(result)
    rows = rows[traces.kind[result.trace[rows]] == kind]
    assert np.mean(result.status[rows] == PixelStatus.DECODED) >= 0.99
    error = np.abs(result.depth_um[rows] - traces.truth["depth"][result.trace[rows]])
    assert np.median(error) <= median
    assert np.percentile(error, 90) <= worst


def test_error_bars_of_the_reference_are_honest(reference_set: Loader) -> None:
    within = []
    for name in SETS:
        experiment, traces = reference_set(name)
        result = decoded(experiment, traces, "cpu")
        rows = first_rows(result)
        rows = rows[np.isin(traces.kind[result.trace[rows]], ["clean", "faint", "absorbing"])]
        error = np.abs(result.depth_um[rows] - traces.truth["depth"][result.trace[rows]])
        within.append(error < result.depth_error_um[rows])
    assert 0.60 <= np.mean(np.concatenate(within)) <= 0.76


def test_both_depths_of_an_overlap(reference: Case) -> None:
    _, traces, result = reference
    first, second = traces.truth["depth"], traces.truth["second_depth"]
    apart = np.abs(second - first) > traces.truth["width"]
    pixels = np.flatnonzero((traces.kind == "overlap") & apart)
    good = 0
    for pixel in pixels:
        found = np.sort(result.depth_um[result.trace == pixel])
        wanted = np.sort([first[pixel], second[pixel]])
        good += found.size == 2 and np.abs(found - wanted).max() < 1.0
    assert good >= 0.9 * pixels.size


def test_dark_pixels_of_the_reference_stay_dark(reference: Case) -> None:
    _, traces, result = reference
    dark = traces.kind[result.trace] == "dark"
    assert np.all(result.status[dark] == PixelStatus.DARK)
    assert np.isnan(result.depth_um[dark]).all()


def test_energy_from_the_bars(reference: Case) -> None:
    _, traces, result = reference
    rows = first_rows(result)
    rows = rows[traces.kind[result.trace[rows]] == "absorbing"]
    truth = traces.truth["energy"][result.trace[rows]]
    right = np.abs(result.energy_kev[rows] / truth - 1) < 0.05
    ambiguous = (result.flags[rows] & PixelFlag.ENERGY_AMBIGUOUS) > 0
    assert right.mean() >= 0.5
    assert np.mean(right | ambiguous) >= 0.9


@pytest.mark.parametrize("name", SETS)
def test_search_returns_what_an_exhaustive_one_does(name: str, reference_set: Loader) -> None:
    """Half a micron apart in depth, a micron in width, every frame: no better place exists."""
    experiment, traces = reference_set(name)
    result = decoded(experiment, traces, "cpu")
    pixels = np.flatnonzero(np.isin(traces.kind, ["clean", "faint", "absorbing"]))
    for pixel in pixels[::6]:
        depth = exhaustive_depth(experiment, traces, pixel)
        assert abs(float(result.depth_um[result.trace == pixel][0]) - depth) < 2.0


def exhaustive_depth(experiment: Experiment, traces: Reference, pixel: int) -> float:
    rays = RayMap.of(experiment, traces.row[[pixel]], traces.column[[pixel]])
    depths = np.arange(experiment.depths.start_um, experiment.depths.stop_um, 0.5)
    begin = rays.position_um(depths, 0.0)[:, None] + np.outer(
        rays.advance_um(depths), experiment.frames.indices
    )
    table_window = float(rays.window_um(0.0)[0])
    shadow = Shadow.of(BarTable.of(experiment.aperture), table_window)
    centred = traces.counts[pixel] - traces.counts[pixel].mean()
    best, where = 0.0, 0
    for width in (1.0, 4.0, 8.0, 12.0, 16.0, 20.0, 24.0):
        template = shadow.mean(begin - width / 2, begin + width / 2)
        template -= template.mean(axis=1, keepdims=True)
        square = (template**2).sum(axis=1)
        score = np.clip(template @ centred, 0, None) ** 2 / np.maximum(square, 1e-9)
        score[square < 1e-3 * centred.size] = 0.0
        if score.max() > best:
            best, where = float(score.max()), int(score.argmax())
    return float(depths[where])


@pytest.mark.parametrize("name", SETS)
def test_cpu_agrees_with_reference(name: str, reference_set: Loader) -> None:
    experiment, traces = reference_set(name)
    cpu, plain = (decoded(experiment, traces, backend, ENERGY) for backend in ("cpu", "reference"))
    assert np.array_equal(cpu.trace, plain.trace)
    assert np.array_equal(cpu.status, plain.status)
    assert np.array_equal(cpu.flags, plain.flags)
    assert np.array_equal(cpu.footprint_offset, plain.footprint_offset)
    for field, tolerance in [("depth_um", 0.01), ("depth_error_um", 0.01), ("width_um", 0.05)]:
        wanted = getattr(plain, field)
        assert getattr(cpu, field) == pytest.approx(wanted, abs=tolerance, nan_ok=True)
    assert cpu.footprint == pytest.approx(plain.footprint, abs=0.05)
    assert cpu.energy_kev == pytest.approx(plain.energy_kev, abs=0.02, nan_ok=True)


def dark_traces(rng: np.random.Generator, count: int, frames: int) -> npt.NDArray[np.uint16]:
    level = rng.choice([0.5, 5.0, 20.0, 300.0], size=(count, 1))
    return rng.poisson(level, (count, frames)).astype(np.uint16)


def test_many_dark_pixels(twin: Experiment) -> None:
    rng = np.random.default_rng(1)
    count = 20_000
    row, column = rng.uniform(0, 2047, (2, count))
    result = decode(twin, row, column, dark_traces(rng, count, 261), backend="cpu")
    assert np.isfinite(result.depth_um).sum() <= 0.001 * count


@pytest.mark.parametrize("shape", ["even", "skewed", "gaussian"])
def test_any_shape_of_footprint_has_its_centroid(norcada: Experiment, shape: str) -> None:
    """Light that falls off on one side moves the centroid off the middle of the bounds."""
    rng = np.random.default_rng(2)
    count, parts = 60, 41
    row, column = rng.uniform(300, 1700, (2, count))
    centre = rng.uniform(-120, 120, (count, 1))
    x = np.linspace(-0.5, 0.5, parts)
    weight = {"even": np.ones(parts), "skewed": np.exp(-3 * x), "gaussian": np.exp(-18 * x**2)}
    share = weight[shape] / weight[shape].sum()
    depth = centre + 24.0 * x
    light = Footprints(depth, np.full_like(depth, 0.6), 3000 * np.broadcast_to(share, depth.shape))
    counts = rng.poisson(quick_traces(norcada, row, column, light, background=20.0))
    result = decode(norcada, row, column, counts.astype(np.uint16), backend="cpu")
    rows = first_rows(result)
    truth = (depth * share).sum(axis=1)
    assert np.all(result.status[rows] == PixelStatus.DECODED)
    assert np.median(np.abs(result.depth_um[rows] - truth)) < 0.15
    spread = result.footprint.size and np.diff(result.footprint_offset)[rows].mean()
    assert spread >= 20


def test_footprint_holds_the_light(twin: Experiment) -> None:
    light = Footprints(np.array([[120.0]]), np.array([[12.0]]), np.array([[5000.0]]))
    row, column = np.array([900.0]), np.array([1100.0])
    counts = expected_traces(twin, row, column, light, background=30.0)
    result = decode(twin, row, column, counts.astype(np.float32), backend="reference")
    assert result.intensity[0] == pytest.approx(5000, rel=0.01)
    assert result.footprint.sum() == pytest.approx(result.intensity[0], rel=1e-5)
    assert result.background[0] == pytest.approx(30, abs=5)
    assert result.width_um[0] == pytest.approx(12, abs=0.3)
    depths = twin.depths.values_um[result.footprint_start[0] :][: result.footprint.size]
    assert (result.footprint * depths).sum() / result.footprint.sum() == pytest.approx(120, abs=0.1)
    rays = RayMap.of(twin, row, column)
    assert result.mask_position_um[0] == pytest.approx(
        float(rays.position_um(result.depth_um, 0)[0])
    )


@pytest.mark.parametrize("step_um", [0.25, 0.5, 2.0, 5.0])
def test_any_grid_of_depths(twin: Experiment, step_um: float) -> None:
    rng = np.random.default_rng(3)
    row, column = rng.uniform(300, 1700, (2, 20))
    depth = rng.uniform(0, 200, (20, 1))
    light = Footprints(depth, np.full_like(depth, 9.0), np.full_like(depth, 4000.0))
    counts = rng.poisson(quick_traces(twin, row, column, light, background=10.0))
    experiment = replace(twin, depths=Depths(-50.0, 250.0, step_um))
    for backend in ("cpu", "reference"):
        result = decode(experiment, row, column, counts.astype(np.float32), backend=backend)
        assert result.depth_um == pytest.approx(depth[:, 0], abs=0.15)
        assert (result.footprint_start + np.diff(result.footprint_offset)).max() <= len(
            experiment.depths
        )


def test_lost_and_spoilt_frames_are_left_out(norcada: Experiment) -> None:
    light = Footprints(np.array([[50.0]]), np.array([[10.0]]), np.array([[2000.0]]))
    row, column = np.array([1000.0]), np.array([1000.0])
    counts = expected_traces(norcada, row, column, light, background=20.0).astype(np.float32)
    usable = np.ones(541, bool)
    usable[[0, 100, 101, 540]] = False
    counts[0, [100, 101]] = 0
    counts[0, [0, 540]] = 60000
    counts[0, 200], counts[0, 300], counts[0, 301] = np.nan, np.inf, -5
    for backend in ("cpu", "reference"):
        result = decode(norcada, row, column, counts, backend=backend, usable=usable)
        assert result.depth_um[0] == pytest.approx(50.0, abs=0.02)


def test_stride_and_first_frame(norcada: Experiment) -> None:
    light = Footprints(np.array([[50.0]]), np.array([[10.0]]), np.array([[2000.0]]))
    row, column = np.array([1000.0]), np.array([1000.0])
    counts = expected_traces(norcada, row, column, light, background=20.0).astype(np.float32)
    part = replace(norcada, frames=Frames(20, 520, 2))
    for backend in ("cpu", "reference"):
        result = decode(part, row, column, counts[:, 20:520:2], backend=backend)
        assert result.depth_um[0] == pytest.approx(50.0, abs=0.02)


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_hopeless_pixels_get_a_status_and_no_depth(twin: Experiment, backend: str) -> None:
    rng = np.random.default_rng(4)
    frames = 261
    wave = 500 + 400 * np.sin(np.arange(frames) / 40)
    traces = {
        "zero": (np.zeros(frames), PixelStatus.DARK),
        "constant": (np.full(frames, 700.0), PixelStatus.DARK),
        "hot": (rng.poisson(30000, frames).astype(float), PixelStatus.DARK),
        "nan": (np.full(frames, np.nan), PixelStatus.INVALID),
        "saturated": (np.full(frames, np.inf), PixelStatus.INVALID),
        "wave": (rng.poisson(wave).astype(float), None),
    }
    counts = np.stack([trace for trace, _ in traces.values()]).astype(np.float32)
    row = np.full(len(traces), 1000.0)
    result = decode(twin, row, row, counts, backend=backend)
    for status, (name, (_, wanted)) in zip(result.status, traces.items(), strict=True):
        assert status == wanted or (wanted is None and status != PixelStatus.DECODED), name
    assert np.isnan(result.depth_um).all()


def test_rays_beside_the_code_are_outside(norcada: Experiment) -> None:
    away = replace(norcada, depths=Depths(5000.0, 5400.0))
    counts = np.random.default_rng(5).poisson(100, (1, 541)).astype(np.uint16)
    for backend in ("cpu", "reference"):
        result = decode(away, np.array([1000.0]), np.array([1000.0]), counts, backend=backend)
        assert result.status[0] == PixelStatus.OUTSIDE


def test_no_pixels_give_no_rows(twin: Experiment) -> None:
    nothing = np.zeros(0)
    for backend in ("cpu", "reference"):
        result = decode(twin, nothing, nothing, np.zeros((0, 261), np.uint16), backend=backend)
        assert len(result) == 0 and result.footprint_offset.tolist() == [0]


def test_shapes_that_do_not_fit_are_refused(twin: Experiment) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        decode(twin, np.zeros(2), np.zeros(2), np.zeros((2, 100), np.uint16))


def test_a_decoder_of_another_method_is_refused(twin: Experiment) -> None:
    nothing, counts = np.zeros(0), np.zeros((0, 261), np.uint16)
    options = DecodeOptions(method="published")
    with pytest.raises(ValueError, match="'cpu' implements the method 'footprint'"):
        decode(twin, nothing, nothing, counts, backend=CpuDecoder(), options=options)


def test_a_table_is_collected_from_what_was_solved(twin: Experiment) -> None:
    row, column = np.array([700.0]), np.array([900.0])
    counts = np.zeros((1, 261), np.uint16)
    solved = solve(twin, row, column, counts, backend="reference")
    assert solved.answers.status.tolist() == [PixelStatus.DARK]
    assert solved.collect().status.tolist() == [PixelStatus.DARK]


LOST: dict[str, Callable[[int], slice]] = {
    "the last tenth": lambda n: slice(n - n // 10, n),
    "the last two fifths": lambda n: slice(n - 2 * n // 5, n),
    "a tenth in the middle": lambda n: slice(n // 2, n // 2 + n // 10),
    "every third": lambda n: slice(0, n, 3),
}


@pytest.mark.parametrize("lost", LOST)
def test_lost_frames_make_no_depths_out_of_noise(twin: Experiment, lost: str) -> None:
    rng = np.random.default_rng(20)
    row, column = rng.uniform(100, 1900, (2, 4000))
    frames = len(twin.frames)
    usable = np.ones(frames, bool)
    usable[LOST[lost](frames)] = False
    noise = rng.poisson(60, (row.size, frames)).astype(np.uint16)
    found = decode(twin, row, column, noise, backend="cpu", usable=usable)
    # limits.DETECTION promises fewer than one in ten thousand
    assert (found.status == PixelStatus.DECODED).sum() <= 2


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("share", [0.12, 0.4])
def test_lost_last_frames_decode_as_a_shorter_scan(
    reference_set: Loader, backend: str, share: float
) -> None:
    experiment, traces = reference_set("twin")
    some = np.flatnonzero(np.isin(traces.kind, ["clean", "faint"]))[
        :: 4 if backend == "cpu" else 16
    ]
    frames = len(experiment.frames)
    kept = frames - int(share * frames)
    usable = np.arange(frames) < kept
    row, column = traces.row[some], traces.column[some]
    lost = decode(experiment, row, column, traces.counts[some], backend=backend, usable=usable)
    shorter = replace(experiment, frames=Frames(0, kept))
    cut = decode(shorter, row, column, traces.counts[some][:, :kept], backend=backend)
    np.testing.assert_array_equal(lost.status, cut.status)
    np.testing.assert_allclose(lost.depth_um, cut.depth_um, atol=0.01)
