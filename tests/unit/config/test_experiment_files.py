"""Experiment files: native and published, checked, explained and written back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lauedepth.config import ExperimentConfig, dump_experiment, load_experiment
from lauedepth.config.schema import experiment_schema, schema_path
from lauedepth.config.selection import Selection
from lauedepth.core.errors import ConfigurationError
from lauedepth.core.instrument.aperture import prefer_same_code
from lauedepth.core.instrument.experiment import Depths, Frames, Pose, Region

ROOT = Path(__file__).resolve().parents[3]
Data = dict[str, Any]


def native() -> Data:
    return {
        "data": {"stop_frame": 261},
        "detector": {
            "shape_px": [2048, 2048],
            "size_mm": [409.6, 409.6],
            "rotation_rad": [-1.2, -1.21, -1.22],
            "translation_mm": [28.8, 2.7, 513.0],
        },
        "pose": {
            "cenx_mm": 0.44,
            "dist_mm": 1.6,
            "cenz_mm": 0.9,
            "anglex_deg": 0.0,
            "angley_deg": -0.6,
            "anglez_deg": 43.3,
        },
        "motion": {"step_um": 1.0, "shift_mm": 0.22},
        "depths": {"start_um": -100, "stop_um": 300},
    }


def published(folder: Path) -> Data:
    np.save(folder / "code.npy", np.array(prefer_same_code(8)))
    return {
        "ver": 1.0,
        "file": {"range": [1, 261, 2], "threshold": 12, "frame": [0, 2048, 100, 200]},
        "comp": {"server": "local", "workers": 3},
        "geo": {
            "mask": {
                "path": "code.npy",
                "reversed": True,
                "bitsizes": [15, 7.5],
                "thickness": 3.7,
                "shift": 0.22,
                "focus": {
                    "cenx": 0.44,
                    "dist": 1.6,
                    "anglez": 43.3,
                    "angley": -0.6,
                    "anglex": 0.1,
                    "cenz": 0.9,
                },
            },
            "scanner": {"step": 1, "rot": [0.1, 0.2, 0.3], "axis": [0.8, 0.6, 0]},
            "detector": {
                "shape": [2048, 2048],
                "size": [409.6, 409.6],
                "rot": [-1.2, -1.21, -1.22],
                "pos": [28.8, 2.7, 513],
            },
            "source": {"offset": 0, "grid": [-0.1, 0.3, 0.001]},
        },
        "algo": {"ene": {"recon": True, "range": [10, 40, 1]}},
    }


def write(folder: Path, data: object) -> Path:
    path = folder / "experiment.yml"
    path.write_text(yaml.safe_dump(data))
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_experiment(path)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_native_values_reach_the_core(tmp_path: Path) -> None:
    core = load_experiment(write(tmp_path, native())).to_core()
    assert core.frames == Frames(0, 261, 1)
    assert core.depths == Depths(-100.0, 300.0, 1.0)
    assert core.pose == Pose(0.44, 1.6, 0.9, 0.0, -0.6, 43.3)
    assert core.aperture.code == prefer_same_code(8)
    assert core.aperture.length_um == 128 * 15 + 128 * 7.5
    assert core.motion.shift_mm == 0.22
    assert core.detector.translation_mm == (28.8, 2.7, 513.0)


def test_published_layout_and_its_traps(tmp_path: Path) -> None:
    config = load_experiment(write(tmp_path, published(tmp_path)))
    core, options = config.to_core(), config.decode_options()
    assert core.frames == Frames(1, 261, 2)
    assert core.motion.step_um == 0.5  # frames are used one in two, 1 µm apart
    assert core.motion.shift_mm == 0.2195  # where frame 0 would be: frame 1 is at 0.22
    assert core.motion.rotation_rad == (0.1, 0.2, 0.3)
    assert core.depths == Depths(-100.0, 300.0, 1.0)
    assert len(core.depths) == 400
    assert core.pose == Pose(0.44, 1.6, 0.9, 0.1, -0.6, 43.3)
    assert core.aperture.code == prefer_same_code(8)[::-1]
    assert config.selection.min_mean_counts == 12
    assert config.selection.columns_px == (100, 200)
    assert options.energy is not None
    assert (options.energy.start_kev, options.energy.stop_kev) == (10, 40)
    assert options.method == "footprint"


def test_real_published_files_agree_with_the_reference_data(shared: Path) -> None:
    h5py = pytest.importorskip("h5py")
    for name in ("norcada", "twin"):
        core = load_experiment(shared / f"data/experiments/{name}.yml").to_core()
        with h5py.File(shared / f"reference/{name}.h5") as file:
            truth = json.loads(file.attrs["instrument"])
            frames = file["counts"].shape[1]
        assert len(core.frames) == frames
        assert list(core.aperture.code) == truth["code"]
        assert core.motion.shift_mm == truth["mask"]["shift"]
        assert core.pose.cenz_mm == truth["mask"]["focus"]["cenz"]
        assert list(core.detector.rotation_rad) == truth["detector"]["rot"]
        assert core.depths.start_um == pytest.approx(truth["source"]["grid"][0] * 1e3)


def test_geometry_file_is_relative_and_read_once(tmp_path: Path, shared: Path) -> None:
    source = shared / "data/geometry/geoN_2023-04-06_03-07-11.xml"
    (tmp_path / "geo").mkdir()
    copy = tmp_path / "geo/geoN.xml"
    copy.write_bytes(source.read_bytes())
    data = native() | {"detector": {"geometry_file": "geo/geoN.xml", "index": 1}}
    config = load_experiment(write(tmp_path, data))
    copy.unlink()
    assert config.to_core().detector.translation_mm == (-144.183, 26.808, 402.341)
    assert "cannot be read" in refusal(write(tmp_path, data))
    data["detector"]["index"] = 7
    copy.write_bytes(source.read_bytes())
    assert "has no detector 7; detector.index can be 0, 1, 2" in refusal(write(tmp_path, data))


@pytest.mark.parametrize("layout", ["native", "published"])
def test_dump_is_read_back_unchanged(tmp_path: Path, layout: str) -> None:
    data = native() if layout == "native" else published(tmp_path)
    config = load_experiment(write(tmp_path, data))
    text = dump_experiment(config, "made by a test\nof two lines")
    assert text.startswith("# made by a test\n# of two lines\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "copy.yml").write_text(text)
    assert load_experiment(elsewhere / "copy.yml") == config
    assert ExperimentConfig.model_validate_json(config.model_dump_json()) == config


def test_core_experiment_can_be_written_down(tmp_path: Path) -> None:
    core = load_experiment(write(tmp_path, published(tmp_path))).to_core()
    assert ExperimentConfig.from_core(core).to_core() == core


def _set(*keys: str, value: object) -> Callable[[Data], None]:
    def change(data: Data) -> None:
        for key in keys[:-1]:
            data = data.setdefault(key, {})
        data[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_set("pose", "dist_m", value=1), "unknown key 'pose.dist_m', did you mean 'dist_mm'?"),
        (_set("motoin", value={}), "unknown key 'motoin', did you mean 'motion'?"),
        (_set("detector", "size", value=1), "unknown key 'detector.size', did you mean 'size_mm'?"),
        (_set("decode", "energy", value={"strat_kev": 5}), "did you mean 'start_kev'?"),
        (_set("aperture", "zzz", value=1), "(valid here: code, reversed"),
        (_set("pose", "dist_mm", value="near"), "pose.dist_mm: Input should be a valid number"),
        (_set("pose", "dist_mm", value=float("nan")), "pose.dist_mm"),
        (_set("pose", value={}), "key 'pose.cenx_mm' is missing"),
        (_set("aperture", "code", value=[0, 1, 2]), "aperture.code"),
        (_set("aperture", "code", value=[1, 1, 1]), "needs both bars (1) and openings (0)"),
        (_set("aperture", "code", value="prefer-other"), "aperture.code"),
        (_set("aperture", "bar_width_um", value=0), "aperture.bar_width_um"),
        (_set("aperture", "open_width_um", value=-15), "aperture.open_width_um"),
        (_set("aperture", "widening_um", value=15), "leaves no bar"),
        (_set("aperture", "widening_um", value=-7.5), "leaves no bar"),
        (_set("data", "stop_frame", value=1), "data.stop_frame"),
        (_set("data", "stride", value=400), "fewer than two frames"),
        (_set("depths", "stop_um", value=-100), "at least one step"),
        (_set("motion", "step_um", value=0), "has to move"),
        (_set("selection", "rows_px", value=[5, 5]), "rows_px is empty"),
        (_set("decode", "method", value="magic"), "decode.method"),
    ],
)
def test_native_mistakes_are_named(
    tmp_path: Path, change: Callable[[Data], None], said: str
) -> None:
    data = native()
    change(data)
    path = write(tmp_path, data)
    text = refusal(path)
    assert said in text
    assert text.startswith(str(path))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_set("geo", "mask", "bitsize", value=1), "'geo.mask.bitsize', did you mean 'bitsizes'?"),
        (_set("file", "rnge", value=1), "'file.rnge', did you mean 'range'?"),
        (_set("geo", "mask", "bitsizes", value=[15, 0]), "geo.mask.bitsizes.1"),
        (_set("geo", "mask", "bitsizes", value=[15]), "geo.mask.bitsizes"),
        (_set("geo", "mask", "stretch", value=1.1), "geo.mask.stretch: 1.1 is not supported"),
        (_set("geo", "source", "offset", value=0.1), "geo.source.offset"),
        (_set("geo", "mask", "path", value="none.npy"), "none.npy"),
        (_set("algo", "pos", value={"method": "gpu"}), "algo.pos.method"),
    ],
)
def test_published_mistakes_are_named(
    tmp_path: Path, change: Callable[[Data], None], said: str
) -> None:
    data = published(tmp_path)
    change(data)
    assert said in refusal(write(tmp_path, data))


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (np.array([0, 1, 2]), "does not fit its two bit widths"),
        (np.array([0.5, 1.0]), "does not fit its two bit widths"),
        (np.array([[0, 1], [1, 0]]), "does not fit its two bit widths"),
        (np.array(["0", "1"]), "does not fit its two bit widths"),
        (np.zeros(256, int), "needs both bars"),
    ],
)
def test_code_files_that_do_not_fit_are_refused(
    tmp_path: Path, code: np.ndarray[Any, Any], said: str
) -> None:
    data = published(tmp_path)
    np.save(tmp_path / "code.npy", code)
    assert said in refusal(write(tmp_path, data))


def test_pickled_code_is_never_loaded(tmp_path: Path) -> None:
    data = published(tmp_path)
    np.save(tmp_path / "code.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert "not a .npy file of numbers" in refusal(write(tmp_path, data))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"pose: {", "not valid YAML"),
        (b"- a\n- b\n", "no mapping"),
        (b"", "no mapping"),
        (b"\xff\xfe\x00", "not a UTF-8 text file"),
        (b"pose: 1\npose: 2\n", "key 'pose' is written twice (line 2)"),
        (b"a: !!python/object/apply:os.getcwd []\n", "not valid YAML"),
    ],
)
def test_what_is_no_yaml_is_told(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "experiment.yml"
    path.write_bytes(content)
    assert said in refusal(path)


def test_missing_file_and_folder_are_told(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "none.yml")
    assert "cannot be read" in refusal(tmp_path)


def test_schema_is_the_committed_one() -> None:
    assert schema_path().read_text(encoding="utf-8") == experiment_schema(), (
        "run: python -m lauedepth.config.schema"
    )


def test_example_of_the_docs_loads(tmp_path: Path) -> None:
    page = (ROOT / "docs/file-formats.md").read_text(encoding="utf-8")
    match = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert match
    path = tmp_path / "experiment.yml"
    path.write_text(match[1])
    assert len(load_experiment(path).to_core().frames) == 541


@settings(max_examples=100, deadline=None)
@given(
    window=st.tuples(st.integers(0, 300), st.integers(1, 300)),
    start=st.integers(0, 200),
    binning=st.integers(1, 4),
    size=st.integers(1, 60),
)
def test_window_holds_exactly_the_pixels_that_lie_within(
    window: tuple[int, int], start: int, binning: int, size: int
) -> None:
    low, high = window[0], window[0] + window[1]
    region = Region((size, 1), (0, start), (1, binning))
    rows, columns = Selection(rows_px=(low, high)).window(region)
    inside = [
        row
        for row in range(size)
        if start + row * binning >= low and start + (row + 1) * binning <= high
    ]
    assert list(range(size))[rows] == inside
    assert columns == slice(0, 1)
