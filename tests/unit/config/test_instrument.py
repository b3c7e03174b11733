"""What an experiment may state of its instrument as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lauedepth.config import ExperimentConfig, load_experiment
from lauedepth.core.instrument.aperture import bar_edges

EXAMPLE = Path(__file__).parents[3] / "examples" / "experiment.yml"


def stated(section: str, **values: Any) -> ExperimentConfig:
    document = load_experiment(EXAMPLE).model_dump(mode="json")
    if section:
        document[section] |= values
    else:
        document |= values
    return ExperimentConfig.model_validate(document)


def test_edges_positions_and_beam_reach_the_core_and_come_back() -> None:
    edges, frames = (10.0, 17.0, 30.5, 38.0), 261
    positions, beam = tuple(range(frames)), (0.5,) * frames
    config = stated("aperture", edges_um=edges)
    assert bar_edges(config.to_core().aperture)[1].tolist() == [17.0, 38.0]
    config = stated("motion", positions_um=positions)
    assert config.to_core().motion.positions_um == positions
    config = stated("", beam_intensity=beam)
    assert config.to_core().beam_intensity == beam
    assert ExperimentConfig.from_core(config.to_core()).to_core() == config.to_core()


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        ("aperture", {"edges_um": (1.0, 2.0, 3.0)}, "begin and an end for each bar"),
        ("aperture", {"edges_um": (1.0, 3.0, 2.0, 5.0)}, "each beyond the last"),
        ("motion", {"positions_um": (0.0, 1.0)}, "motion.positions_um has 2 values for 261"),
        ("motion", {"positions_um": tuple(range(0, -261, -1))}, "the same sign"),
        ("motion", {"positions_um": (0.0,) * 261}, "advance by 0 µm"),
        ("motion", {"positions_um": tuple(i / 1000 for i in range(261))}, "in micrometres"),
        ("motion", {"positions_um": (*range(260), 1e4)}, "depart from even steps"),
        ("", {"beam_intensity": (1.0,)}, "beam_intensity has 1 values for 261"),
        ("", {"beam_intensity": (0.0,) * 261}, "greater than 0"),
        ("", {"instrument": {"learn": "always"}}, "'auto' or 'off'"),
    ],
)
def test_what_cannot_be_is_refused(section: str, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stated(section, **values)


def test_off_is_a_word_in_a_file(tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert "instrument:" not in text
    for word in ("off", "auto"):
        path = tmp_path / f"{word}.yml"
        path.write_text(f"{text}\ninstrument: {{learn: {word}}}\n", encoding="utf-8")
        assert load_experiment(path).instrument.learn == word


def test_a_file_rewritten_by_a_program_that_reads_off_as_false_still_loads() -> None:
    assert stated("", instrument={"learn": False}).instrument.learn == "off"
    with pytest.raises(ValueError, match="true or false"):
        stated("", instrument={"learn": True})
