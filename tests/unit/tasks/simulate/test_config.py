"""The simulation file: what it means, and what in it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from lauedepth.core.errors import ConfigurationError
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.simulation import Column, Exposure, Flaws, Polycrystal
from lauedepth.tasks.simulate.config import SimulationConfig, load_simulation

EXAMPLE = Path(__file__).parents[4] / "examples" / "sample.yml"


def loaded(tmp_path: Path, text: str) -> SimulationConfig:
    (tmp_path / "s.yml").write_text(text, "utf-8")
    return load_simulation(tmp_path / "s.yml")


def test_an_empty_file_has_the_simulators_own_defaults() -> None:
    config = SimulationConfig()
    assert config.to_exposure() == Exposure()
    assert config.to_flaws() == Flaws(dropped=0)
    assert isinstance(config.to_sample(Path()), Polycrystal)
    assert config.to_surface() is None


def test_the_example_is_valid() -> None:
    assert load_simulation(EXAMPLE).scan.n_x >= 1


def test_a_column_has_the_sizes_given(tmp_path: Path) -> None:
    config = loaded(tmp_path, "{sample: {kind: column, sizes_um: [5, 7], start_um: 2}}")
    sample = config.to_sample(tmp_path)
    assert isinstance(sample, Column)
    assert [(one.begin_um, one.end_um) for one in sample.grains] == [(2.0, 7.0), (7.0, 14.0)]
    assert config.sample_start_um() == 2.0


def test_a_membrane_absorbs_from_its_front(tmp_path: Path) -> None:
    text = "{sample: {kind: membrane, depth_um: 3, thickness_um: 2}, absorb_in_sample: true}"
    surface = loaded(tmp_path, text).to_surface()
    assert surface is not None
    assert surface.depth_um == 2.0


def test_a_region_is_columns_then_rows(tmp_path: Path, twin: Experiment) -> None:
    text = "{region: {start_px: [100, 200], shape_px: [30, 20], binning: [2, 4]}}"
    region = loaded(tmp_path, text).to_region(twin.detector)
    assert (region.shape, region.start, region.binning) == ((20, 30), (100, 200), (2, 4))
    assert SimulationConfig().to_region(twin.detector).shape == (2048, 2048)


def test_a_region_beyond_the_detector_is_refused(tmp_path: Path, twin: Experiment) -> None:
    config = loaded(tmp_path, "{region: {start_px: [2040, 0], shape_px: [16, 8]}}")
    with pytest.raises(ConfigurationError, match="extends to column 2055, but the detector has"):
        config.to_region(twin.detector)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{sample: {kind: column, sizes_um: []}}", "sizes_um"),
        ("{sample: {kind: powder}}", "sample"),
        ("{flaws: {jiter_um: 0.1}}", "did you mean 'jitter_um'"),
        ("{exposure: {peak_counts: 0}}", "peak_counts"),
    ],
)
def test_nonsense_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as raised:
        loaded(tmp_path, text)
    assert "s.yml" in str(raised.value)
