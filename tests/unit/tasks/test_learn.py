"""An aperture learnt from points on disk, and used by those that follow."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from lauedepth.cli.app import run
from lauedepth.config import ExperimentConfig, load_experiment
from lauedepth.core.decoding.registry import choose_decoder
from lauedepth.core.errors import ConfigurationError, InputError
from lauedepth.core.instrument.experiment import Region
from lauedepth.io import write_point
from lauedepth.io.instrument import read_instrument
from lauedepth.io.layout import INSTRUMENT
from lauedepth.simulation import Flaws, LightSources, SimulatedPoint
from lauedepth.tasks.learn import Learnt, learn_points
from lauedepth.tasks.reconstruct.point import reconstruct_point

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "experiment.yml"
REGION = Region((200, 48), (1000, 900))
FLAWS = Flaws(edges_um=0.3, jitter_um=0.3, motor_drift_um=1.0, top_up=0.2)


def _write(path: Path, intensity: float, seed: int) -> Path:
    """Write a point of spots at three depths behind one and the same aperture."""
    rng = np.random.default_rng(seed)
    rows = np.concatenate([rng.integers(5, 15, 40), rng.integers(70, 80, 40), [130, 131, 199]])
    rows, columns = np.divmod(np.unique(rows * 48 + rng.integers(0, 48, rows.size)), 48)
    begin = np.select([rows < 64, rows < 128], [10.0, 40.0], 80.0)
    light = LightSources.of(rows, columns, begin, begin + 8.0, intensity, energy_kev=14.0)
    core = load_experiment(EXAMPLE).to_core()
    point = SimulatedPoint(core, light, REGION, 5.0, FLAWS, seed=5)
    write_point(
        path, point.frames(), point.shape[0], region=REGION, detector=core.detector,
        sample_xyz=(1.0, 2.0, 3.0),
    )  # fmt: skip
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two points, a dark one, and what the first told."""
    folder = tmp_path_factory.mktemp("scan")
    _write(folder / "one.h5", 4000.0, 3)
    _write(folder / "two.h5", 3000.0, 4)
    _write(folder / "dark.h5", 0.001, 5)
    assert (
        run(["learn", str(folder / "one.h5"), "-e", str(EXAMPLE), "-o", str(folder / "i.h5")]) == 0
    )
    return folder


def _asking(file: Path | None) -> ExperimentConfig:
    section = {"learn": "auto", "file": None if file is None else str(file)}
    document = load_experiment(EXAMPLE).model_dump(mode="json") | {"instrument": section}
    return ExperimentConfig.model_validate(document).resolved(ROOT)


def _learn(points: list[Path], output: Path) -> list[Learnt]:
    told: list[Learnt] = []
    decoder = choose_decoder("cpu").decoder
    learn_points(points, load_experiment(EXAMPLE), output, decoder, report=told.append)
    return told


def test_points_add_up_and_dark_ones_tell_nothing(folder: Path, tmp_path: Path) -> None:
    points = [folder / "dark.h5", folder / "one.h5", folder / "two.h5"]
    told = _learn(points, tmp_path / "all.h5")
    assert [one.pixels_used > 0 for one in told] == [False, True, True]
    assert told[0].notices[0].code == "instrument-not-learnt"
    both, one = read_instrument(tmp_path / "all.h5"), read_instrument(folder / "i.h5")
    assert both.points == tuple(str(path.resolve()) for path in points[1:])
    assert np.trace(both.matrix) > np.trace(one.matrix)
    with h5py.File(tmp_path / "all.h5") as file:
        assert file["edges_um"].shape == file["edge_error_um"].shape


def test_a_point_is_decoded_with_what_others_told(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "two.h5"
    reconstruct_point(folder / "two.h5", _asking(folder / "i.h5"), output, backend="cpu")
    with h5py.File(output) as file:
        kept = file[INSTRUMENT]
        assert kept["accepted"][()] == 1 and kept["contradicted"][()] == 0
        points = kept["points"][()].decode().split("\n")
    assert [Path(one).name for one in points] == ["one.h5", "two.h5"]


def test_points_are_carried_from_one_to_the_next(folder: Path, tmp_path: Path) -> None:
    carry, output = tmp_path / "carried.h5", tmp_path / "results"
    carry.write_bytes((folder / "i.h5").read_bytes())
    words = ["reconstruct", str(folder / "two.h5"), "-e", str(EXAMPLE), "-o", str(output)]
    assert run([*words, "--carry", str(carry), "--backend", "cpu"]) == 0
    assert [Path(one).name for one in read_instrument(carry).points] == ["one.h5", "two.h5"]
    with h5py.File(output) as file:
        points = file[INSTRUMENT]["points"][()].decode().split("\n")
    assert [Path(one).name for one in points] == ["one.h5", "two.h5"]


def test_another_file_of_the_same_name_is_another_run(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "i.h5"
    file.write_bytes((folder / "i.h5").read_bytes())
    output = tmp_path / "two.h5"
    few = np.zeros((2048, 2048), np.bool_)
    few[900:920, 1000:1048] = True
    once = reconstruct_point(folder / "two.h5", _asking(file), output, backend="cpu", pixels=few)
    again = reconstruct_point(
        folder / "two.h5", _asking(file), output, backend="cpu", pixels=few, resume=True
    )
    assert once.blocks and not again.seconds
    _learn([folder / "two.h5"], file)
    other = reconstruct_point(
        folder / "two.h5", _asking(file), output, backend="cpu", pixels=few, resume=True
    )
    assert other.seconds


def test_what_cannot_be_learnt_or_found_is_told_in_one_line(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no point told anything"):
        _learn([folder / "dark.h5"], tmp_path / "none.h5")
    assert not (tmp_path / "none.h5").exists()
    with pytest.raises(ConfigurationError, match="no such file"):
        _asking(tmp_path / "missing.h5")
    with pytest.raises(InputError, match="is not an instrument"):
        reconstruct_point(
            folder / "two.h5", _asking(folder / "one.h5"), tmp_path / "x.h5", backend="cpu"
        )
