"""The forward model against itself by other means, and against the reference traces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from lauedepth.core.arrays import Floats
from lauedepth.core.instrument.experiment import Experiment, Frames
from lauedepth.core.instrument.geometry import pixel_positions
from lauedepth.simulation.forward import Footprints, expected_traces, quick_traces

REFERENCE_POINTS = np.linspace(-0.5, 0.5, 31)
"""The reference's footprint: equal point sources from end to end of the width."""
SPLIT = (0.6, 0.4)
"""How the reference shares the intensity of a pixel lit from two depths."""


def plain_trace(experiment: Experiment, depth: Floats, row: float, column: float) -> Floats:
    """Thin-slice transmissions of opaque bars, by marching through the thickness of the bars.

    An independent way to the same number: the ray is followed plane by plane through the
    aperture, and each plane asks the bare bit sequence whether it stops the ray.
    """
    pose, motion, aperture = experiment.pose, experiment.motion, experiment.aperture
    axes = Rotation.from_euler("Y", pose.angley_deg, degrees=True)
    axes *= Rotation.from_euler("Z", pose.anglez_deg, degrees=True)
    axes *= Rotation.from_euler("X", pose.anglex_deg, degrees=True)
    code_axis, normal = axes.apply([1, 0, 0]), axes.apply([0, 1, 0])
    scan = Rotation.from_rotvec(motion.rotation_rad).apply(np.array([1, 1, 0]) / 2**0.5)
    pixel = pixel_positions(experiment.detector, row, column)
    widths = np.where(np.array(aperture.code) == 1, aperture.bar_width_um, aperture.open_width_um)
    edges = np.concatenate([[0.0], np.cumsum(widths)])
    planes = (np.arange(200) + 0.5) / 200 - 0.5
    trace = np.zeros(len(experiment.frames))
    for k, frame in enumerate(experiment.frames.indices):
        centre = np.array([pose.cenx_mm, pose.dist_mm, pose.cenz_mm])
        centre = centre + (motion.shift_mm + frame * motion.step_um * 1e-3) * scan
        source = depth[:, None] * 1e-3 * np.array([1.0, experiment.beam_tilt, 0.0])
        ray = pixel - source
        height = (centre - source) @ normal
        reach = (height[:, None] + planes * aperture.thickness_um * 1e-3) / (ray @ normal)[:, None]
        hit = source[:, None] + reach[..., None] * ray[:, None]
        u = edges[-1] / 2 - (hit - centre) @ code_axis * 1e3
        bit = np.searchsorted(edges, u) - 1
        on_code = (bit >= 0) & (bit < len(aperture.code))
        stopped = on_code & (np.array(aperture.code)[np.clip(bit, 0, 255)] == 1)
        trace[k] = 1 - stopped.mean()
    return trace


def test_thick_bars_by_marching_through_them(twin: Experiment) -> None:
    few = replace(twin, frames=Frames(0, 261, 9))
    depth = 30.0 + 12.0 * ((np.arange(100) + 0.5) / 100 - 0.5)
    marched = plain_trace(few, depth, 700.0, 1300.0)
    (closed,) = expected_traces(few, [700.0], [1300.0], Footprints([30.0], 12.0, 1.0))
    assert np.ptp(closed) > 0.5
    np.testing.assert_allclose(closed, marched, atol=3e-3)


@settings(max_examples=40, deadline=None)
@given(
    row=st.floats(0, 2047),
    column=st.floats(0, 2047),
    depth=st.floats(-90, 250),
    width=st.one_of(st.just(0.0), st.floats(0.5, 25.0)),
    energy=st.one_of(st.just(float("nan")), st.floats(5.0, 30.0)),
)
def test_quick_traces_are_the_expected_ones(
    twin: Experiment, *, row: float, column: float, depth: float, width: float, energy: float
) -> None:
    few = replace(twin, frames=Frames(3, 261, 7))
    light = Footprints([depth], width, 1000.0, energy)
    plain = expected_traces(few, [row], [column], light, background=7.0, step_um=0.005)
    quick = quick_traces(few, [row], [column], light, background=7.0)
    np.testing.assert_allclose(quick, plain, atol=0.05)


def test_several_sources_add_up_and_absent_ones_do_not(norcada: Experiment) -> None:
    row, column = np.array([500.0, 900.0]), np.array([1200.0, 1500.0])
    depth = np.array([[10.0, 60.0], [-20.0, 0.0]])
    both = Footprints(depth, [[5.0, 8.0], [6.0, 1.0]], [[100.0, 50.0], [70.0, 0.0]])
    apart = [
        Footprints(depth[:, 0], [5.0, 6.0], [100.0, 70.0]),
        Footprints(depth[:, 1], [8.0, 1.0], [50.0, 0.0]),
    ]
    for make in (expected_traces, quick_traces):
        whole = make(norcada, row, column, both, background=[3.0, 4.0])
        parts = sum(make(norcada, row, column, part) for part in apart)
        np.testing.assert_allclose(whole, parts + np.array([[3.0], [4.0]]), atol=1e-9)


def test_light_beside_the_code_passes_whole(twin: Experiment) -> None:
    far = replace(twin, motion=replace(twin.motion, shift_mm=30.0))
    light = Footprints([10.0], 5.0, 100.0)
    for make in (expected_traces, quick_traces):
        np.testing.assert_allclose(make(far, [1000.0], [1000.0], light, background=1.0), 101.0)


def test_bars_absorb_less_at_higher_energy(twin: Experiment) -> None:
    energy = [8.0, 18.0, 29.0, np.nan]
    light = Footprints(np.full(4, 30.0), 5.0, 1.0, energy)
    darkest = expected_traces(twin, np.full(4, 900.0), np.full(4, 900.0), light).min(axis=1)
    assert darkest[3] < darkest[0] < darkest[2]
    assert darkest[1] < darkest[2]


def reference_chi_square(
    experiment: Experiment, file: Mapping[str, h5py.Dataset], kind: str
) -> npt.NDArray[np.float64]:
    """Return (counts - expected)²/expected of all traces of a kind."""
    rows = file["kind"][()].astype(str) == kind
    row, column = file["row"][()][rows], file["column"][()][rows]
    truth = {
        name: file[f"truth/{name}"][()][rows]
        for name in ("depth", "second_depth", "width", "intensity", "background", "energy")
    }
    spread = truth["width"][:, None] * REFERENCE_POINTS
    share = truth["intensity"][:, None] / REFERENCE_POINTS.size
    depth, intensity = truth["depth"][:, None] + spread, np.broadcast_to(share, spread.shape)
    if kind == "overlap":
        depth = np.hstack([depth, truth["second_depth"][:, None] + spread])
        intensity = np.hstack([part * intensity for part in SPLIT])
    energy = truth["energy"][:, None] if kind == "absorbing" else np.nan
    light = Footprints(np.nan_to_num(depth), 0.0, intensity, energy)
    expected = quick_traces(experiment, row, column, light, background=truth["background"])
    return np.asarray((file["counts"][()][rows] - expected) ** 2 / expected)


@pytest.mark.parametrize("kind", ["clean", "faint", "absorbing", "overlap", "dark"])
def test_reference_traces_are_explained_to_the_noise(
    shared: Path, norcada: Experiment, twin: Experiment, kind: str
) -> None:
    pooled = []
    for name, experiment in (("norcada", norcada), ("twin", twin)):
        with h5py.File(shared / f"reference/{name}.h5") as file:
            chi_square = reference_chi_square(experiment, file, kind)
        scatter = np.sqrt(2 / chi_square.size)
        assert chi_square.mean() == pytest.approx(1.0, abs=3 * scatter), name
        pooled.append(chi_square.ravel())
    assert np.concatenate(pooled).mean() == pytest.approx(1.0, abs=0.02)
