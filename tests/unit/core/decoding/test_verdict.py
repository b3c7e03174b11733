"""The verdict on a point, from pixels decoded rightly and wrongly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lauedepth.core.decoding.decode import decode
from lauedepth.core.decoding.pixels import DecodedPixels, PixelFlag, PixelStatus
from lauedepth.core.decoding.verdict import ResultRows, Tally, judge
from lauedepth.core.instrument.experiment import Depths, Experiment
from lauedepth.simulation import Footprints, quick_traces

PIXELS = 150


def decoded(right: Experiment, described: Experiment, seed: int = 0) -> DecodedPixels:
    """Return a tenth dark, a tenth overlapping and a tenth faint pixels, decoded as described."""
    rng = np.random.default_rng(seed)
    row, column = rng.uniform(100, 1900, (2, PIXELS))
    depth = rng.uniform(0, 80, (PIXELS, 2))
    depth[:, 1] = depth[:, 0] + 40.0
    intensity = np.stack([rng.uniform(100, 900, PIXELS), np.zeros(PIXELS)], axis=1)
    intensity[: PIXELS // 10] = 0.0
    intensity[PIXELS // 10 : PIXELS // 5, 1] = 300.0
    intensity[PIXELS // 5 : 3 * PIXELS // 10, 0] = 30.0
    light = Footprints(depth, rng.uniform(4, 15, (PIXELS, 2)), intensity)
    counts = rng.poisson(quick_traces(right, row, column, light, background=20.0))
    return decode(described, row, column, counts.astype(np.uint16), backend="cpu")


def test_good_points_are_not_warned_of(norcada: Experiment, twin: Experiment) -> None:
    for right in (replace(norcada, depths=Depths(-50.0, 150.0)), twin):
        for seed in range(5):
            verdict = judge(Tally.of(decoded(right, right, seed)))
            assert verdict.warnings == ()
            assert verdict.decoded > 0.95
            assert 0.8 < verdict.residual < 1.25
            assert verdict.lit == pytest.approx(0.9 * PIXELS, abs=3)


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("few-pixels-decoded", lambda e: replace(e, depths=Depths(200.0, 400.0))),
        (
            "large-residuals",
            lambda e: replace(e, motion=replace(e.motion, step_um=1.02 * e.motion.step_um)),
        ),
        (
            "rays-miss-aperture",
            lambda e: replace(e, motion=replace(e.motion, shift_mm=9.0)),
        ),
    ],
)
def test_what_is_wrong_is_warned_of(twin: Experiment, code: str, change: object) -> None:
    assert callable(change)
    verdict = judge(Tally.of(decoded(twin, change(twin))))
    assert code in [notice.code for notice in verdict.warnings]


def test_a_range_that_cuts_footprints_is_warned_of(twin: Experiment) -> None:
    tally = Tally.of(decoded(twin, twin))
    codes = [notice.code for notice in judge(replace(tally, at_end=tally.depths // 3)).warnings]
    assert codes == ["light-at-range-end"]


def test_tallies_of_parts_add_up(twin: Experiment) -> None:
    parts = [Tally.of(decoded(twin, twin, seed)) for seed in range(2)]
    whole = parts[0] + parts[1] + Tally.nothing()
    assert judge(whole).chosen == judge(parts[0]).chosen + judge(parts[1]).chosen


def test_no_pixels_no_verdict() -> None:
    verdict = judge(Tally.nothing())
    assert verdict.warnings == ()
    assert np.isnan(verdict.residual)


def test_a_pixel_with_two_depths_counts_once_and_its_depths_twice() -> None:
    dark, found = PixelStatus.DARK, PixelStatus.DECODED
    status = np.array([dark, found, found, found, dark], np.uint8)
    flags = np.array([0, 0, PixelFlag.SECOND_DEPTH, 0, 0], np.uint8)
    tally = Tally.of(ResultRows(status, flags, np.array([np.nan, 1.0, 1.0, 2.0, np.nan])))
    assert tally.named() == {"decoded": 2, "dark": 2}
    assert (tally.depths, tally.second, tally.pixels) == (3, 1, 4)


def test_pixels_that_are_all_dark_are_warned_of() -> None:
    status = np.full(1000, PixelStatus.DARK, np.uint8)
    tally = Tally.of(ResultRows(status, np.zeros(1000, np.uint8), np.full(1000, np.nan)))
    assert [notice.code for notice in judge(tally).warnings] == ["no-coded-light"]


def test_readings_on_a_pedestal_are_warned_of(twin: Experiment) -> None:
    rng = np.random.default_rng(5)
    row, column = rng.uniform(100, 1900, (2, PIXELS))
    light = Footprints(rng.uniform(0, 80, PIXELS), 8.0, rng.uniform(100, 300, PIXELS))
    counts = rng.poisson(quick_traces(twin, row, column, light, background=20.0)) + 200
    found = decode(twin, row, column, counts.astype(np.uint16), backend="cpu")
    assert [notice.code for notice in judge(Tally.of(found)).warnings] == ["small-residuals"]


def tally_of(decoded: int, second: int, lost: int, dark: int = 0) -> Tally:
    """Return the tally of pixels that decode, some of them twice, and of others."""
    kinds = {PixelStatus.DECODED: decoded + second, PixelStatus.NO_MATCH: lost}
    kinds[PixelStatus.DARK] = dark
    status = np.repeat(list(kinds), list(kinds.values())).astype(np.uint8)
    flags = np.zeros(status.size, np.uint8)
    flags[:second] = PixelFlag.SECOND_DEPTH
    return Tally.of(ResultRows(status, flags, np.ones(status.size)))


def test_second_depths_beside_lost_pixels_are_no_overlaps() -> None:
    codes = [notice.code for notice in judge(tally_of(80, 16, 20)).warnings]
    assert codes == ["many-second-depths"]
    assert judge(tally_of(90, 30, 10)).warnings == ()
    assert judge(tally_of(80, 4, 20)).warnings == ()


def test_a_few_pixels_without_any_coded_light_are_warned_of() -> None:
    assert [notice.code for notice in judge(tally_of(0, 0, 0, 4)).warnings] == ["no-coded-light"]
    assert judge(tally_of(1, 0, 0, 3)).warnings == ()
