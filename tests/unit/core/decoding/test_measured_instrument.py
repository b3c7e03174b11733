"""Decoders with edges, positions and beam of the instrument's own, against the forward model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from lauedepth.core.decoding.decode import decode
from lauedepth.core.decoding.pixels import DecodedPixels, DecodeOptions, PixelStatus
from lauedepth.core.instrument.aperture import bar_edges
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.simulation import Footprints, expected_traces, quick_traces

ROW = np.array([600.0, 900.0, 1200.0, 1500.0])
COLUMN = np.array([1500.0, 1100.0, 800.0, 500.0])
DEPTH_UM = np.array([10.0, 60.0, 110.0, 160.0])


def measured_instrument(experiment: Experiment) -> Experiment:
    """Return an experiment whose instrument is anything but as designed."""
    rng = np.random.default_rng(6)
    edges = np.stack(bar_edges(experiment.aperture), axis=1).ravel()
    frames = np.arange(experiment.frames.stop)
    moved = 1.005 * experiment.motion.step_um * frames + rng.normal(0, 0.8, frames.size)
    return replace(
        experiment,
        aperture=replace(
            experiment.aperture, edges_um=tuple((edges + rng.normal(0, 0.6, edges.size)).tolist())
        ),
        motion=replace(experiment.motion, positions_um=tuple(moved.tolist())),
        beam_intensity=tuple(rng.uniform(0.6, 1.4, frames.size).tolist()),
    )


def traces_of(experiment: Experiment, energy_kev: float) -> npt.NDArray[np.uint16]:
    light = Footprints(DEPTH_UM, np.full(4, 6.0), np.full(4, 2000.0), np.full(4, energy_kev))
    expected = expected_traces(experiment, ROW, COLUMN, light, background=20.0, step_um=0.1)
    return np.random.default_rng(2).poisson(expected).astype(np.uint16)


@pytest.fixture(params=[np.nan, 14.0], ids=["opaque", "absorbing"])
def told(
    request: pytest.FixtureRequest, twin: Experiment
) -> tuple[Experiment, npt.NDArray[np.uint16]]:
    experiment = measured_instrument(twin)
    return experiment, traces_of(experiment, request.param)


def answers(experiment: Experiment, counts: npt.NDArray[np.uint16], backend: str) -> DecodedPixels:
    return decode(experiment, ROW, COLUMN, counts, backend=backend)


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_depths_are_those_of_the_light(
    told: tuple[Experiment, npt.NDArray[np.uint16]], backend: str
) -> None:
    found = answers(*told, backend)
    assert np.all(found.status == PixelStatus.DECODED)
    assert found.trace.tolist() == [0, 1, 2, 3]
    assert found.depth_um == pytest.approx(DEPTH_UM, abs=0.15)
    assert found.residual == pytest.approx(1.0, abs=0.35)


def test_without_them_nothing_fits(
    told: tuple[Experiment, npt.NDArray[np.uint16]], twin: Experiment
) -> None:
    found = answers(twin, told[1], "cpu")
    explained = found.status == PixelStatus.DECODED
    assert not explained.all() or np.nanmin(found.residual) > 5


def test_cpu_agrees_with_reference(told: tuple[Experiment, npt.NDArray[np.uint16]]) -> None:
    cpu, plain = (answers(*told, backend) for backend in ("cpu", "reference"))
    assert cpu.depth_um == pytest.approx(plain.depth_um, abs=0.002)
    assert cpu.depth_error_um == pytest.approx(plain.depth_error_um, abs=0.002)
    assert cpu.width_um == pytest.approx(plain.width_um, abs=0.02)
    assert cpu.background == pytest.approx(plain.background, rel=0.01)
    assert cpu.residual == pytest.approx(plain.residual, rel=0.01)
    assert cpu.footprint == pytest.approx(plain.footprint, abs=0.2)


def test_positions_and_beam_as_designed_change_nothing(twin: Experiment) -> None:
    """The path that looks every frame up gives what the fast one does."""
    frames = np.arange(twin.frames.stop)
    stated = replace(
        twin,
        motion=replace(twin.motion, positions_um=tuple((twin.motion.step_um * frames).tolist())),
        beam_intensity=(1.0,) * frames.size,
    )
    counts = traces_of(twin, 14.0)
    one, other = answers(twin, counts, "cpu"), answers(stated, counts, "cpu")
    assert other.depth_um == pytest.approx(one.depth_um, abs=1e-4)
    assert other.residual == pytest.approx(one.residual, rel=1e-6)


def test_frames_are_chosen_from_those_of_the_point(twin: Experiment) -> None:
    experiment = measured_instrument(replace(twin, frames=replace(twin.frames, first=20, stride=2)))
    numbers = experiment.frames.indices
    positions = np.asarray(experiment.motion.positions_um)[numbers] / twin.motion.step_um
    assert experiment.frame_positions == pytest.approx(positions)
    first, advance = experiment.even_steps
    assert first == pytest.approx(20.1, abs=0.5) and advance == pytest.approx(2.01, abs=0.02)
    light = Footprints(DEPTH_UM, np.full(4, 6.0), np.full(4, 2000.0))
    counts = np.random.default_rng(3).poisson(quick_traces(experiment, ROW, COLUMN, light))
    found = answers(experiment, counts.astype(np.uint16), "cpu")
    assert found.depth_um == pytest.approx(DEPTH_UM, abs=0.2)


def test_the_published_method_takes_positions_and_beam(twin: Experiment) -> None:
    """With them its error is what it is on an instrument as designed; without, larger."""
    frames = np.arange(twin.frames.stop)
    rng = np.random.default_rng(1)
    moved = twin.motion.step_um * frames + 6.0 * np.sin(frames / 40)
    experiment = replace(
        twin,
        motion=replace(twin.motion, positions_um=tuple(moved.tolist())),
        beam_intensity=tuple(rng.uniform(0.8, 1.2, frames.size).tolist()),
    )
    counts = traces_of(experiment, np.nan)
    published = DecodeOptions(method="published")
    found = decode(experiment, ROW, COLUMN, counts, options=published)
    blind = decode(twin, ROW, COLUMN, counts, options=published)
    assert np.nanmax(np.abs(found.depth_um - DEPTH_UM)) < 1.5
    worst = np.nanmax(np.abs(blind.depth_um - DEPTH_UM)) if np.isfinite(blind.depth_um).any() else 9
    assert worst > 1.5
