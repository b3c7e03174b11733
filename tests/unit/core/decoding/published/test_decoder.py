"""The published method on simulated traces."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from lauedepth.core.decoding.decode import decode as decode_traces
from lauedepth.core.decoding.pixels import (
    DecodedPixels,
    DecodeOptions,
    EnergySearch,
    PixelStatus,
    PublishedNumbers,
)
from lauedepth.core.instrument.aperture import BarTable
from lauedepth.core.instrument.experiment import (
    Depths,
    Experiment,
    Frames,
)
from lauedepth.core.instrument.geometry import code_coordinate, pixel_positions
from lauedepth.core.instrument.raymap import RayMap

Array = npt.NDArray[Any]


OPTIONS = DecodeOptions(method="published")


ROW, COLUMN = np.array([700.0]), np.array([1200.0])


DEPTH_UM, WIDTH_UM = 60.0, 8.0


def trace_of(experiment: Experiment) -> Array:
    """Return the noiseless trace of a source spread over `WIDTH_UM`, ray by ray."""
    frames = experiment.frames.indices
    pixel = pixel_positions(experiment.detector, ROW, COLUMN)[0]
    table, rays = BarTable.of(experiment.aperture), RayMap.of(experiment, ROW, COLUMN)
    source = DEPTH_UM + WIDTH_UM * (np.arange(40) + 0.5 - 20) / 40
    u_um = code_coordinate(experiment, pixel, source[:, None], frames[None, :])
    window = rays.window_um(source)[:, None]
    seen = 1.0 - table.bar_fraction(u_um, window).mean(axis=0)
    return np.asarray(50.0 + 4000.0 * seen)


def decode(
    experiment: Experiment,
    *traces: Array,
    usable: Array | None = None,
    options: DecodeOptions = OPTIONS,
) -> DecodedPixels:
    counts = np.stack(traces)
    usable = np.ones(counts.shape[1], bool) if usable is None else usable
    row, column = np.repeat(ROW, len(traces)), np.repeat(COLUMN, len(traces))
    return decode_traces(experiment, row, column, counts, options=options, usable=usable)


@pytest.mark.parametrize("difference", ["squared", "absolute"])
def test_depth_width_and_intensity_of_a_noiseless_source(
    experiment: Experiment, difference: Any
) -> None:
    found = decode(
        experiment,
        trace_of(experiment),
        options=DecodeOptions(method="published", difference=difference),
    )
    assert found.status.tolist() == [PixelStatus.DECODED]
    assert found.depth_um[0] == pytest.approx(DEPTH_UM, abs=0.7)
    assert found.width_um[0] == pytest.approx(WIDTH_UM, abs=2.0)
    assert found.intensity[0] == pytest.approx(4000.0, rel=0.05)
    u_um = RayMap.of(experiment, ROW, COLUMN).position_um(found.depth_um, 0)
    assert found.mask_position_um[0] == pytest.approx(u_um[0])
    footprint = found.footprint
    assert footprint.sum() == pytest.approx(found.intensity[0], rel=1e-5)


def test_what_the_method_does_not_know_is_nan(experiment: Experiment) -> None:
    options = replace(OPTIONS, energy=EnergySearch())
    found = decode(experiment, trace_of(experiment), options=options)
    assert np.isnan(found.depth_error_um[0])
    assert np.isnan(found.energy_kev[0])


def test_lost_frames_carry_no_weight(experiment: Experiment) -> None:
    trace = trace_of(experiment)
    usable = np.ones(trace.size, bool)
    usable[[0, 50, 51, 200]] = False
    holed, saturated = trace.copy(), trace.copy()
    holed[~usable] = np.nan
    saturated[~usable] = np.inf
    whole = decode(experiment, trace).depth_um[0]
    spoiled = trace.copy()
    spoiled[~usable] = 0.0
    for found in (
        decode(experiment, spoiled, usable=usable),
        decode(experiment, holed),
        decode(experiment, saturated),
    ):
        assert found.depth_um[0] == pytest.approx(whole, abs=0.3)


def test_scanning_backwards_gives_the_same_depth(experiment: Experiment) -> None:
    last = experiment.frames.indices[-1]
    motion = experiment.motion
    shift_mm = motion.shift_mm + 1e-3 * last * motion.step_um
    backwards = replace(
        experiment, motion=replace(motion, step_um=-motion.step_um, shift_mm=shift_mm)
    )
    trace = trace_of(backwards)
    np.testing.assert_allclose(trace, trace_of(experiment)[::-1])
    found = decode(backwards, trace)
    assert found.depth_um[0] == pytest.approx(DEPTH_UM, abs=0.7)
    assert found.residual[0] == pytest.approx(decode(experiment, trace[::-1]).residual[0], rel=0.1)


def test_frames_need_not_begin_at_the_first_nor_be_all(experiment: Experiment) -> None:
    half_steps = replace(experiment.motion, step_um=0.5)
    few = replace(experiment, frames=Frames(40, 560, 2), motion=half_steps)
    found = decode(few, trace_of(few))
    assert found.depth_um[0] == pytest.approx(DEPTH_UM, abs=0.7)


def test_pixels_that_say_nothing_get_no_depth(experiment: Experiment) -> None:
    n_frames = len(experiment.frames)
    rng = np.random.default_rng(3)
    nothing = {
        "zero": (np.zeros(n_frames), PixelStatus.DARK),
        "level": (np.full(n_frames, 250.0), PixelStatus.DARK),
        "noise": (rng.poisson(30.0, n_frames).astype(float), PixelStatus.DARK),
        "nan": (np.full(n_frames, np.nan), PixelStatus.INVALID),
        "saturated": (np.full(n_frames, np.inf), PixelStatus.INVALID),
    }
    found = decode(experiment, *(trace for trace, _ in nothing.values()))
    assert found.status.tolist() == [status for _, status in nothing.values()]
    assert np.isnan(found.depth_um).all()
    assert np.isnan(found.intensity).all()
    assert found.footprint.size == 0


def test_depths_whose_rays_miss_the_code_are_outside(experiment: Experiment) -> None:
    far = replace(experiment, depths=Depths(20_000.0, 20_100.0))
    found = decode(far, trace_of(experiment))
    assert found.status.tolist() == [PixelStatus.OUTSIDE]


def test_a_source_outside_of_the_depths_matches_nothing(experiment: Experiment) -> None:
    found = decode(replace(experiment, depths=Depths(100.0, 300.0)), trace_of(experiment))
    assert found.status.tolist() == [PixelStatus.NO_MATCH]
    assert np.isnan(found.depth_um[0])


OTHERS = (
    PublishedNumbers(pad_um=150.0, signal_um=128.0, nominal_um=16.0),
    PublishedNumbers(signal_um=180.0, nominal_um=30.0, knot_spacing=3),
    PublishedNumbers(spline_order=1),
    PublishedNumbers(resolution_um=1.0),
)


@pytest.mark.parametrize("numbers", OTHERS)
def test_numbers_of_a_configuration_keep_depth_and_intensity(
    experiment: Experiment, numbers: PublishedNumbers
) -> None:
    options = replace(OPTIONS, published=numbers)
    found = decode(experiment, trace_of(experiment), options=options)
    assert found.status.tolist() == [PixelStatus.DECODED]
    assert found.depth_um[0] == pytest.approx(DEPTH_UM, abs=1.0)
    assert found.intensity[0] == pytest.approx(4000.0, rel=0.08)
