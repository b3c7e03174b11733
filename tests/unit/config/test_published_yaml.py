"""The published program's configurations mean here what they mean to that program.

The positions along the code are reckoned here once more in that program's own terms: a plane
through the aperture, the line from source to pixel, and where the two meet.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import yaml

from lauedepth.config import ExperimentConfig, dump_experiment, load_experiment
from lauedepth.core.decoding.decode import decode
from lauedepth.core.errors import ConfigurationError
from lauedepth.core.instrument.aperture import prefer_same_code
from lauedepth.core.instrument.raymap import RayMap
from lauedepth.core.notices import Level, Notice

Data = dict[str, Any]
Array = npt.NDArray[np.float64]
CODE_NAME = "code-debruijn-2-8-000.npy"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the code under the name that the configurations give it."""
    np.save(tmp_path / CODE_NAME, np.array(prefer_same_code(8)))
    return tmp_path


@pytest.fixture
def twin(shared: Path) -> Data:
    """A whole configuration, to be changed."""
    data: Data = yaml.safe_load((shared / "data/experiments/twin.yml").read_text())
    data["geo"]["mask"]["path"] = f"/gone/{CODE_NAME}"
    return data


def load(folder: Path, data: Data) -> ExperimentConfig:
    path = folder / "config.yml"
    path.write_text(yaml.safe_dump(data))
    return load_experiment(path)


def refusal(folder: Path, data: Data) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(folder, data)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def coded(config: ExperimentConfig, code: str) -> Notice:
    (found,) = [notice for notice in config.notices if notice.code == code]
    return found


# ---- the program's own reckoning ---------------------------------------------------------


def turn(vector: list[float]) -> Array:
    """Return the matrix that turns about a vector by its length."""
    axis = np.array(vector, float)
    angle = float(np.linalg.norm(axis))
    x, y, z = axis / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)


def position_um(data: Data, row: float, column: float, depth_um: float, used: int) -> float:
    """Return where a ray meets the code, from its first bit, at a frame counted in those used."""
    geo = data["geo"]
    detector, focus = geo["detector"], geo["mask"]["focus"]
    pixel = np.array(detector["pos"], float)
    for axis, index in ((0, column), (1, row)):
        pitch = detector["size"][axis] / detector["shape"][axis]
        pixel[axis] += (index - (detector["shape"][axis] - 1) / 2) * pitch
    lab = turn(detector["rot"]) @ pixel
    target = np.array([lab[2], lab[1], -lab[0]])
    source = 1e-3 * depth_um * np.array([1.0, 0.0068401066731 / 2, 0.0])
    y, z, x = (np.radians(focus[name]) for name in ("angley", "anglez", "anglex"))
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    along, normal, _ = (about_y @ about_z @ about_x).T
    shift_mm = geo["mask"].get("shift", 0.0) + used * geo["scanner"]["step"] * 1e-3
    direction = turn(geo["scanner"]["rot"]) @ np.array(geo["scanner"]["axis"], float)
    centre = np.array([focus[name] for name in ("cenx", "dist", "cenz")]) + shift_mm * direction
    ray = target - source
    meets = source + ray * (((centre - source) @ normal) / (ray @ normal))
    open_um, bar_um = geo["mask"]["bitsizes"]
    return float(64 * (open_um + bar_um) - 1e3 * (meets - centre) @ along)


def test_the_reckoning_is_that_of_the_stored_answers(
    twin: Data, reference_set: Callable[[str], Any]
) -> None:
    """The program's positions, 0.5 µm apart and 300 µm padded, are those of the true depths."""
    _, data = reference_set("twin")
    clean = np.flatnonzero(data.kind == "clean")
    reckoned = [
        position_um(twin, data.row[i], data.column[i], data.truth["depth"][i], 0) for i in clean
    ]
    answered = 0.5 * data.peer["position_samples"][clean] - 300.0
    assert np.median(np.abs(answered - reckoned)) < 1.0


def names(shared: Path) -> list[Path]:
    return sorted((shared / "data/published-configs").glob("*.yml"))


def test_all_real_configurations_map_as_in_the_program(shared: Path, folder: Path) -> None:
    paths = names(shared)
    assert len(paths) == 35
    for path in paths:
        shutil.copy(path, folder)
        data = yaml.safe_load(path.read_text())
        if "pixmask" in data["file"]:
            np.save(folder / Path(data["file"]["pixmask"]).name, np.eye(2048, dtype=bool))
        config = load_experiment(folder / path.name)
        assert all(notice.level is Level.NOTE for notice in config.notices)
        core = config.to_core()
        first, stop, step = data["file"]["range"]
        assert len(core.frames) == len(range(first, stop, step)), path.name
        top, bottom, left, right = data["file"]["frame"]
        rows, columns = np.array([top, bottom - 1.0, 777.0]), np.array([left, right - 1.0, 1234.0])
        rays = RayMap.of(core, rows, columns)
        for depth_um in (core.depths.start_um, 0.5, core.depths.stop_um):
            for used in (0, 1, len(core.frames) - 1):
                ours = rays.position_um(depth_um, core.frames.indices[used])
                theirs = [
                    position_um(data, row, column, depth_um, used)
                    for row, column in zip(rows, columns, strict=True)
                ]
                np.testing.assert_allclose(ours, theirs, rtol=0, atol=0.01, err_msg=path.name)
        # arange may run into its end by rounding
        grid = np.arange(*data["geo"]["source"]["grid"])[: len(core.depths)]
        np.testing.assert_allclose(core.depths.values_um, 1e3 * grid, atol=1e-6)
        assert config.selection.min_mean_counts == data["file"]["threshold"]
        numbers = config.decode.published
        start = data["algo"]["sig"]["init"]
        assert numbers.signal_um == start["maxsize"]
        assert numbers.nominal_um == start["avgsize"]
        assert numbers.knot_spacing == data["algo"]["sig"]["scale"]
        assert numbers.spline_order == data["algo"]["sig"]["order"]
        assert numbers.pad_um == data["geo"]["mask"]["pad"]
        assert core.aperture.code == prefer_same_code(8)
        (folder / "again.yml").write_text(dump_experiment(config))
        assert load_experiment(folder / "again.yml") == config


# ---- frames ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "frames"),
    [("twin", [10, 271, 1]), ("norcada", [401, 942, 1]), ("twin", [0, 522, 2]), ("twin", [3, 264])],
)
def test_a_part_of_a_file_decodes_as_well_as_the_plain_scan(
    name: str, frames: list[int], folder: Path, shared: Path, reference_set: Callable[[str], Any]
) -> None:
    plain, data = reference_set(name)
    kept = np.flatnonzero(data.kind == "clean")[::4]
    told = yaml.safe_load((shared / f"data/experiments/{name}.yml").read_text())
    told["geo"]["mask"]["path"] = CODE_NAME
    told["file"]["range"] = frames
    part = load(folder, told).to_core()
    traces = data.row[kept], data.column[kept], data.counts[kept]
    error = [
        np.median(np.abs(decode(experiment, *traces).depth_um - data.truth["depth"][kept]))
        for experiment in (plain, part)
    ]
    assert error[1] == pytest.approx(error[0], abs=1e-4)
    assert error[1] < 0.1


def test_shift_and_step_belong_to_the_frames_used(folder: Path, twin: Data) -> None:
    twin["file"]["range"] = [10, 271, 3]
    motion = load(folder, twin).motion
    assert motion.step_um == pytest.approx(1 / 3)
    assert motion.shift_mm == pytest.approx(0.22 - 10 * 1e-3 / 3)


def test_a_long_axis_makes_long_steps_as_in_the_program(folder: Path, twin: Data) -> None:
    twin["geo"]["scanner"]["axis"] = [1, 1, 0]
    core = load(folder, twin).to_core()
    ours = RayMap.of(core, 700.0, 1200.0).position_um(20.0, 100)
    assert ours.item() == pytest.approx(position_um(twin, 700.0, 1200.0, 20.0, 100), abs=0.01)


def test_a_folder_of_scans_is_cut_by_scanstart(folder: Path, twin: Data) -> None:
    twin["file"] |= {"stacked": True, "range": [0, 261, 1]}
    twin["comp"] |= {"scanstart": 3, "scannumber": 50}
    config = load(folder, twin)
    frames = config.to_core().frames
    assert (frames.first, frames.stop) == (3 * 261, 4 * 261)
    ours = RayMap.of(config.to_core(), 700.0, 1200.0).position_um(20.0, frames.first)
    assert ours.item() == pytest.approx(position_um(twin, 700.0, 1200.0, 20.0, 0), abs=0.01)
    assert "files 783 to 1043" in coded(config, "scan-of-folder").what
    assert "set comp.scanstart to 4 ... 52" in coded(config, "scans-of-folder").remedy
    twin["file"]["stacked"] = False  # one file holds one point
    assert load(folder, twin).to_core().frames.first == 0


@pytest.mark.parametrize("frames", [[10, -1, 1], [5, 6, 1], [0, 10, 0], [9, 3], [0, 100, 99.5]])
def test_a_range_of_no_frames_is_refused(folder: Path, twin: Data, frames: list[float]) -> None:
    twin["file"]["range"] = frames
    assert "range" in refusal(folder, twin)


# ---- keys --------------------------------------------------------------------------------


def test_ignored_keys_are_named_once_in_a_note(folder: Path, twin: Data) -> None:
    twin["geo"]["scanner"]["angle"] = 45
    twin["geo"]["mask"]["calibrate"] = {"dist": [0.61, 0.63, 0.001]}
    twin["geo"]["mask"]["cal"] = {"id": 2, "path": "calibrate1"}
    twin["comp"]["nodes"] = 4
    config = load(folder, twin)
    told = coded(config, "keys-ignored")
    assert told.level is Level.NOTE
    assert told.where == str(folder / "config.yml")
    for key in ("geo.scanner.angle", "geo.mask.calibrate", "geo.mask.cal", "comp.nodes"):
        assert told.what.split(": ")[1].split(", ").count(key) == 1
    assert "geo.mask.focus" not in told.what
    assert config.calibration is not None
    assert config.calibration.dist_mm == (0.61, 0.63, 0.001)
    assert (config.calibration.name, config.calibration.number) == ("calibrate1", "2")
    assert all(notice.level is Level.NOTE for notice in config.notices)


def test_what_is_for_later_is_kept(folder: Path, twin: Data) -> None:
    twin["file"]["offset"] = [3, 4]
    twin["file"]["h5"]["incident"] = "/entry1/monitor/I0"
    data = load(folder, twin).data
    assert data.offset_px == (3, 4)
    assert data.monitor == "/entry1/monitor/I0"


@pytest.mark.parametrize(
    ("keys", "value", "said"),
    [
        (("geo", "mask", "calibrat"), {}, "did you mean 'calibrate'?"),
        (("file", "pixmaks"), "a.npy", "did you mean 'pixmask'?"),
        (("comp", "scanstrat"), 3, "did you mean 'scanstart'?"),
        (("geo", "scanner", "stpe"), 1, "did you mean 'step'?"),
        (("file", "ext"), "tiff", "leave ext out"),
        (("algo", "sig", "method"), "pinv", "algo.sig.method"),
        (("geo", "mask", "stretch"), 1.1, "geo.mask.stretch: 1.1 is not supported"),
        (("algo", "sig", "init", "maxsize"), 2, "holds no spline"),
        (("algo", "sig", "order"), 130, "algo.sig.order"),
    ],
)
def test_slips_and_what_is_not_done_are_refused(
    folder: Path, twin: Data, keys: tuple[str, ...], value: object, said: str
) -> None:
    part = twin
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = value
    assert said in refusal(folder, twin)


@pytest.mark.parametrize(
    ("keys", "value", "said"),
    [
        (("geo", "detector", "size"), [0.4096, 0.4096], "metres? give 409.6 mm"),
        (("geo", "detector", "size"), [409.6e3] * 2, "micrometres? give 409.6 mm"),
        (("geo", "detector", "pos"), [0.0288, 0.0027, 0.513], "metres? give"),
        (("geo", "detector", "rot"), [-68.8, -69.6, -69.8], "degrees? give"),
        (("geo", "mask", "focus", "dist"), -1.604, "dist is negative"),
        (("geo", "mask", "focus", "dist"), 1604, "micrometres? give 1.604 mm"),
        (("geo", "mask", "focus", "cenx"), 443.3, "micrometres? give 0.4433 mm"),
        (("geo", "mask", "shift"), 220, "micrometres? give 0.22 mm"),
        (("geo", "mask", "thickness"), 3700, "nanometres? give 3.7 µm"),
        (("geo", "mask", "thickness"), 0.0037, "millimetres? give 3.7 µm"),
        (("geo", "mask", "bitsizes"), [0.015, 0.0075], "millimetres? give 15 µm"),
        (("geo", "scanner", "step"), 0.001, "millimetres? give 1 µm"),
        (("geo", "scanner", "step"), 1000, "nanometres? give 1 µm"),
        (("geo", "source", "grid"), [-100, 300, 1], "micrometres? give -0.1 mm"),
        (("geo", "source", "grid"), [-0.1, 0.3, 1e-6], "the step of depth"),
        (("geo", "source", "grid"), [-0.1, 0.3, -0.001], "beyond the first"),
        (("geo", "source", "grid"), [-20, 20, 0.001], "40000 depths are more than"),
    ],
)
def test_numbers_of_no_instrument_are_refused_with_the_likely_unit(
    folder: Path, twin: Data, keys: tuple[str, ...], value: object, said: str
) -> None:
    part = twin
    for key in keys[:-1]:
        part = part[key]
    part[keys[-1]] = value
    told = refusal(folder, twin)
    assert said in told
    assert ".".join(keys[:2]) in told


# ---- files that are named ----------------------------------------------------------------


def test_the_code_is_looked_for_in_three_places(
    folder: Path, twin: Data, tmp_path_factory: pytest.TempPathFactory
) -> None:
    told = coded(load(folder, twin), "code-file")
    assert told.what == (
        f"the code was read from {folder / CODE_NAME}, it is the built-in prefer-same-8"
    )
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "other.npy"
    np.save(elsewhere, np.array([0, 1, 1, 0, 1]))
    twin["geo"]["mask"]["path"] = str(elsewhere)
    config = load(folder, twin)
    assert config.to_core().aperture.code == (0, 1, 1, 0, 1)
    assert coded(config, "code-file").what == f"the code was read from {elsewhere}"
    (folder / "masks").mkdir()
    shutil.copy(elsewhere, folder / "masks/beside.npy")
    twin["geo"]["mask"]["path"] = "masks/beside.npy"
    assert str(folder / "masks/beside.npy") in coded(load(folder, twin), "code-file").what


def test_a_code_that_is_nowhere_names_all_places_and_the_built_in_one(
    tmp_path: Path, twin: Data
) -> None:
    twin["geo"]["mask"]["path"] = f"../far/{CODE_NAME}"
    told = refusal(tmp_path, twin)
    for place in (f"../far/{CODE_NAME}", tmp_path / f"../far/{CODE_NAME}", tmp_path / CODE_NAME):
        assert str(place) in told
    assert "prefer-same-8" in told
    twin["geo"]["mask"]["path"] = "own.npy"
    assert "prefer-same-8" not in refusal(tmp_path, twin)
    twin["geo"]["mask"]["path"] = "prefer-same-8"
    assert load(tmp_path, twin).to_core().aperture.code == prefer_same_code(8)


def test_the_mask_of_pixels_to_decode_is_honoured(folder: Path, twin: Data) -> None:
    mask = np.zeros((2048, 2048))
    mask[7, 9] = mask[2000, 3] = 2
    mask[5, 5] = 0.5  # that program cuts numbers to integers
    np.save(folder / "pixels.npy", mask)
    twin["file"]["pixmask"] = "/gone/pixels.npy"
    config = load(folder, twin)
    pixels = config.selection.mask_pixels()
    assert pixels is not None
    assert np.argwhere(pixels).tolist() == [[7, 9], [2000, 3]]
    assert "2 pixels to decode were read from" in coded(config, "pixel-mask-file").what
    assert coded(config, "pixel-mask-file").where == str(folder / "config.yml")


def test_a_mask_of_the_frame_lies_in_the_frame(folder: Path, twin: Data) -> None:
    mask = np.zeros((100, 50), bool)
    mask[1, 2] = True
    np.save(folder / "pixels.npy", mask)
    twin["file"] |= {"pixmask": "pixels.npy", "frame": [1000, 1100, 200, 250]}
    pixels = load(folder, twin).selection.mask_pixels()
    assert pixels is not None
    assert np.argwhere(pixels).tolist() == [[1001, 202]]
    twin["file"]["frame"] = [1000, 1100, 200, 251]
    assert "mask is 100 × 50" in refusal(folder, twin)


def test_a_missing_mask_is_a_warning_and_chooses_nothing(folder: Path, twin: Data) -> None:
    twin["file"]["pixmask"] = "/gone/pixels.npy"
    config = load(folder, twin)
    told = coded(config, "pixel-mask-missing")
    assert told.level is Level.WARNING
    assert str(folder / "pixels.npy") in told.what
    with pytest.raises(ConfigurationError, match="was not found"):
        config.selection.mask_pixels()


def test_a_frame_is_the_region_of_an_image_that_says_none(folder: Path, twin: Data) -> None:
    twin["file"]["frame"] = [1000, 1256, 300, 812]
    config = load(folder, twin)
    assert config.data.region is not None
    region = config.data.region.to_core()
    assert (region.start, region.shape, region.binning) == ((300, 1000), (256, 512), (1, 1))
    assert config.selection.rows_px == (1000, 1256)
    assert config.selection.columns_px == (300, 812)


def test_notices_belong_to_no_experiment(folder: Path, twin: Data) -> None:
    config = load(folder, twin)
    assert config.notices
    assert config == config.model_copy().with_notices(())
    assert "notices" not in config.model_dump()
    assert "notices" not in ExperimentConfig.model_json_schema()["properties"]
    assert ExperimentConfig.model_validate(config.model_dump()) == config
