"""Points read by configurations of the published program: regions, folders of scans, ranges."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
import yaml

from lauedepth.config import ExperimentConfig, load_experiment
from lauedepth.core.errors import InputError
from lauedepth.io import read_result
from lauedepth.tasks.reconstruct import fit_to_point, open_for, reconstruct_point

if TYPE_CHECKING:
    from .conftest import SmallPoint

FRAME = [900, 1100, 1000, 1048]


def published(
    config: ExperimentConfig, folder: Path, comp: dict[str, int] | None = None, **file: Any
) -> ExperimentConfig:
    """Return an experiment as the published layout states it, read back."""
    core = config.to_core()
    pose, motion, aperture, detector = core.pose, core.motion, core.aperture, core.detector
    data = {
        "file": {"range": [0, 261, 1], "threshold": 20, "stacked": False, "frame": FRAME} | file,
        "comp": comp or {},
        "geo": {
            "mask": {
                "path": "prefer-same-8",
                "bitsizes": [aperture.open_width_um, aperture.bar_width_um],
                "thickness": aperture.thickness_um,
                "widening": aperture.widening_um,
                "pad": 300,
                "shift": motion.shift_mm,
                "focus": {
                    "cenx": pose.cenx_mm,
                    "dist": pose.dist_mm,
                    "cenz": pose.cenz_mm,
                    "anglex": pose.anglex_deg,
                    "angley": pose.angley_deg,
                    "anglez": pose.anglez_deg,
                },
            },
            "scanner": {
                "step": motion.step_um,
                "rot": list(motion.rotation_rad),
                "axis": list(motion.axis),
            },
            "detector": {
                "shape": list(detector.shape),
                "size": list(detector.size_mm),
                "rot": list(detector.rotation_rad),
                "pos": list(detector.translation_mm),
            },
            "source": {"grid": [-0.1, 0.3, 0.001]},
        },
    }
    (folder / "config.yml").write_text(yaml.safe_dump(data))
    return load_experiment(folder / "config.yml")


def frames_of(small: SmallPoint) -> np.ndarray:
    with h5py.File(small.path) as file:
        return np.asarray(file["entry1/data/data"][:])


def depths(config: ExperimentConfig, point: Path, result: Path) -> np.ndarray:
    reconstruct_point(point, config, result, backend="cpu")
    pixels = read_result(result).pixels
    order = np.lexsort((pixels["depth"], pixels["column"], pixels["row"]))
    return np.column_stack([pixels[name][order] for name in ("row", "column", "depth")])


def test_frame_is_the_origin_of_an_image_that_says_none(
    small_point: SmallPoint, tmp_path: Path
) -> None:
    path = tmp_path / "region.h5"
    with h5py.File(path, "w") as file:
        file["entry1/data/data"] = frames_of(small_point)
    config = published(small_point.config, tmp_path)
    with open_for(config, path) as point:
        assert (point.region.start, point.region.binning) == ((1000, 900), (1, 1))
    known = published(small_point.config, tmp_path)  # the file says the same by itself
    np.testing.assert_allclose(
        depths(config, path, tmp_path / "a.h5"),
        depths(known, small_point.path, tmp_path / "b.h5"),
    )
    elsewhere = published(small_point.config, tmp_path, frame=[900, 1101, 1000, 1048])
    with pytest.raises(InputError, match=r"region"):
        open_for(elsewhere, path)


def test_frame_is_a_window_of_a_whole_image(small_point: SmallPoint, tmp_path: Path) -> None:
    path = tmp_path / "whole.h5"
    with h5py.File(path, "w") as file:
        whole = file.create_dataset(
            "entry1/data/data", (261, 2048, 2048), np.uint16, chunks=(1, 200, 256), compression=1
        )
        whole[:, 900:1100, 1000:1048] = frames_of(small_point)
    config = published(small_point.config, tmp_path)
    with open_for(config, path) as point:
        assert point.region.start == (0, 0)
        rows, columns = config.selection.window(point.region)
    assert (rows, columns) == (slice(900, 1100), slice(1000, 1048))


def test_a_scan_of_a_folder_decodes_like_its_own_file(
    small_point: SmallPoint, tmp_path: Path
) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    frames = frames_of(small_point)
    other = frames[::-1]
    for number, frame in enumerate([*other, *frames]):
        with h5py.File(folder / f"al_{number + 5}.h5", "w") as file:
            file["entry1/data/data"] = frame
    scan = {"scanstart": 1, "scannumber": 2}
    config = published(small_point.config, tmp_path, scan, stacked=True)
    found = depths(config, folder, tmp_path / "a.h5")
    plain = depths(published(small_point.config, tmp_path), small_point.path, tmp_path / "b.h5")
    np.testing.assert_allclose(found, plain, atol=1e-6)


def test_a_range_of_the_published_layout_may_reach_past_the_end(
    small_point: SmallPoint, tmp_path: Path
) -> None:
    config = published(small_point.config, tmp_path, range=[0, 300, 1])
    fitted = fit_to_point(config, small_point.path)
    assert fitted.data.stop_frame == 261
    assert [notice.code for notice in fitted.notices][-1] == "range-cut"
