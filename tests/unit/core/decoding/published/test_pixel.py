"""The published method on one pixel, against the original program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from lauedepth.core.decoding.decode import decode as decode_traces
from lauedepth.core.decoding.pixels import DecodeOptions, PublishedNumbers
from lauedepth.core.decoding.published.pixel import (
    PublishedMethod,
    stretch_factor,
)
from lauedepth.core.decoding.published.steps import normalise, recover_signal, sampled_code, stretch
from lauedepth.core.instrument.experiment import (
    Experiment,
)
from lauedepth.core.instrument.raymap import RayMap
from lauedepth.core.instrument.shadow import Shadow

Array = npt.NDArray[Any]


OPTIONS = DecodeOptions(method="published")
NUMBERS = PublishedNumbers()
RESOLUTION_UM = 0.5


@pytest.mark.parametrize("step_um", [1.0, -1.0])
def test_stretch_is_exact_for_steps_of_one_micron(experiment: Experiment, step_um: float) -> None:
    moved = replace(experiment, motion=replace(experiment.motion, step_um=step_um))
    rays = RayMap.of(moved, [700.0], [1200.0]).pick(0)
    exact = float(rays.advance_um(0.0)) / RESOLUTION_UM
    assert stretch_factor(moved, rays, RESOLUTION_UM) == pytest.approx(exact)


@dataclass(frozen=True)
class Comparison:
    """Depths and positions of one reference set, and the original program's."""

    kind: Array
    depth_um: Array
    position: Array
    peer_depth_um: Array
    peer_position: Array
    true_depth_um: Array


@pytest.fixture(scope="module", params=["norcada", "twin"])
def comparison(request: pytest.FixtureRequest, reference_set: Callable[[str], Any]) -> Comparison:
    experiment, data = reference_set(request.param)
    kept = np.flatnonzero(np.isin(data.kind, ["clean", "faint", "absorbing", "dark"]))[::2]
    decoder = PublishedMethod.of(experiment, OPTIONS)
    rays = RayMap.of(experiment, data.row[kept], data.column[kept])
    counts = data.counts[kept].astype(np.float64)
    everywhere = np.ones(counts.shape[1], bool)
    answers = [decoder.decode_pixel(rays.pick(i), counts[i], everywhere) for i in range(kept.size)]
    empty = np.zeros(decoder.bins.count)
    profiles = np.array([empty if a.profile is None else a.profile for a in answers])
    return Comparison(
        kind=data.kind[kept],
        depth_um=centroid(profiles, experiment.depths.values_um),
        position=np.array([answer.position for answer in answers]),
        peer_depth_um=centroid(
            data.peer["depth_profile"][kept].astype(np.float64),
            1e3 * data.peer["depth_grid_mm"],
        ),
        peer_position=data.peer["position_samples"][kept],
        true_depth_um=data.truth["depth"][kept],
    )


def centroid(profile: Array, depth_um: Array) -> Array:
    total = profile.sum(axis=1)
    return np.where(total > 0, profile @ depth_um / np.where(total > 0, total, 1.0), np.nan)


def test_depths_are_those_of_the_original(comparison: Comparison) -> None:
    lit = comparison.kind != "dark"
    apart = np.abs(comparison.depth_um - comparison.peer_depth_um)[lit]
    assert np.isfinite(comparison.depth_um[lit]).mean() >= 0.9
    assert np.nanmedian(apart) < 0.1  # the issue asks for 0.5
    assert np.nanpercentile(apart, 90) < 1.0


def test_errors_are_those_of_the_original(comparison: Comparison) -> None:
    for kind in ("clean", "faint", "absorbing"):
        of_kind = comparison.kind == kind
        ours = np.abs(comparison.depth_um - comparison.true_depth_um)[of_kind]
        peer = np.abs(comparison.peer_depth_um - comparison.true_depth_um)[of_kind]
        assert np.nanmedian(ours) == pytest.approx(np.nanmedian(peer), abs=0.2)


def test_positions_are_those_of_the_original(comparison: Comparison) -> None:
    tried = (comparison.kind != "dark") & (comparison.position >= 0)
    apart = np.abs(comparison.position - comparison.peer_position)[tried]
    assert (apart == 0).mean() > 0.6
    assert (apart <= 1).mean() >= 0.95


def test_dark_pixels_get_no_depth(comparison: Comparison) -> None:
    assert np.isnan(comparison.depth_um[comparison.kind == "dark"]).all()


@pytest.mark.parametrize("name", ["norcada", "twin"])
def test_signals_are_those_of_the_original(name: str, reference_set: Callable[[str], Any]) -> None:
    experiment, data = reference_set(name)
    kept = np.flatnonzero((data.kind == "clean") & (data.peer["signal"].sum(axis=1) > 0))[::4]
    method = PublishedMethod.of(experiment, OPTIONS)
    rays = RayMap.of(experiment, data.row[kept], data.column[kept])
    apart = []
    for index, pixel in enumerate(kept):
        one = rays.pick(index)
        trace = normalise(data.counts[pixel].astype(np.float64))
        assert trace is not None
        size = round(trace.values.size * stretch_factor(experiment, one, RESOLUTION_UM))
        shadow = Shadow.of(method.table, float(one.window_um(0.0)))
        found = recover_signal(
            sampled_code(shadow, experiment.aperture.length_um, NUMBERS),
            stretch(trace.values, size),
            int(data.peer["position_samples"][pixel]),
            method.basis,
        )
        assert found is not None
        apart.append(np.abs(found.values / found.values.sum() - data.peer["signal"][pixel]).max())
    assert np.median(apart) < 0.02  # of peaks around 0.1: windows are rounded to 0.05 µm there


@pytest.mark.parametrize("change", [{}, {"pad_um": 150.0}, {"regularisation": 1e-9}])
@pytest.mark.parametrize("name", ["norcada", "twin"])
def test_the_median_depth_is_the_originals_within_50_nm(
    name: str, change: dict[str, float], reference_set: Callable[[str], Any]
) -> None:
    """Padding and a faint pull move no depth, so the stored answers hold for them too."""
    experiment, data = reference_set(name)
    kept = np.flatnonzero(np.isin(data.kind, ["clean", "faint", "absorbing"]))[1::8]
    options = replace(OPTIONS, published=PublishedNumbers(**change))  # type: ignore[arg-type]
    ours = decode_traces(
        experiment, data.row[kept], data.column[kept], data.counts[kept], options=options
    ).depth_um
    peer = centroid(
        data.peer["depth_profile"][kept].astype(np.float64), 1e3 * data.peer["depth_grid_mm"]
    )
    assert np.nanmedian(np.abs(ours - peer)) < 0.05
