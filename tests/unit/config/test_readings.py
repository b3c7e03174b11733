"""What the experiment says of readings and frames reaches the point."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import yaml

from lauedepth.config import ExperimentConfig, dump_experiment, load_experiment
from lauedepth.core.errors import ConfigurationError
from lauedepth.tasks.reconstruct import open_for

EXAMPLE = Path(__file__).parents[3] / "examples" / "experiment.yml"
PHOTONS = np.random.default_rng(1).poisson(60, (20, 10, 12))


def load(folder: Path, **sections: dict[str, Any]) -> ExperimentConfig:
    data = yaml.safe_load(EXAMPLE.read_text("utf-8"))
    data["data"] = {"stop_frame": 20}
    for name, values in sections.items():
        data[name] = data.get(name, {}) | values
    path = folder / "experiment.yml"
    path.write_text(yaml.safe_dump(data))
    return load_experiment(path)


def write(path: Path, images: np.ndarray[Any, Any]) -> Path:
    with h5py.File(path, "w") as file:
        file["entry1/data/data"] = images
    return path


REGION = {"start_px": [8, 4], "size_px": [12, 10]}


def test_the_experiment_reaches_the_counts(tmp_path: Path) -> None:
    shape = load(tmp_path).to_core().detector.shape[::-1]
    images = {"dark": np.full(shape, 7.0), "flat": np.ones(shape), "mask": np.zeros(shape)}
    images["flat"][:, :10] = 2.0
    images["mask"][6, 9] = 1
    for name, image in images.items():
        np.save(tmp_path / f"{name}.npy", image)
    config = load(
        tmp_path,
        detector={"counts_per_photon": 4.0, "offset": 100.0, "saturation_counts": 9000.0}
        | {name: f"{name}.npy" for name in images},
        data={"region": REGION, "leading_images": 1, "lost_frames": [3, [5, 7]]},
    )
    kept = np.setdiff1d(np.arange(20), [3, 5, 6])
    flat = images["flat"][4:14, 8:20] / np.median(images["flat"])
    stack = np.round(PHOTONS[kept] * 4 * flat + 107)
    stack[0, 0, 0] = 9000
    stack = np.concatenate([np.full((1, 10, 12), 5), stack]).astype(np.uint16)
    with open_for(config, write(tmp_path / "p.h5", stack)) as point:
        assert np.flatnonzero(~point.usable).tolist() == [3, 5, 6]
        band = point.read_rows(0, 10)
        assert point.bad is not None
        assert np.argwhere(point.bad).tolist() == [[2, 1]]
    assert np.argwhere(np.isnan(band[kept])).tolist() == [[0, 0, 0]]
    band[0, 0, 0] = PHOTONS[0, 0, 0]
    np.testing.assert_allclose(band[kept], PHOTONS[kept], atol=0.13)


def test_what_is_stated_survives_the_file(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        detector={"counts_per_photon": 4.0},
        data={"region": REGION, "lost_frames": [3, [5, 7]], "ignored_frames": [[0, 2]]},
    )
    path = tmp_path / "again.yml"
    path.write_text(dump_experiment(config), encoding="utf-8")
    assert load_experiment(path) == config
    assert config.data.spans("lost_frames") == ((3, 4), (5, 7))


def test_a_detector_from_a_geometry_file_has_readings_too(shared: Path, tmp_path: Path) -> None:
    geometry = shared / "data" / "geometry" / "geoN_2023-04-06_03-07-11.xml"
    data = yaml.safe_load(EXAMPLE.read_text("utf-8"))
    data["detector"] = {"geometry_file": str(geometry), "counts_per_photon": 4.0}
    path = tmp_path / "experiment.yml"
    path.write_text(yaml.safe_dump(data))
    assert load_experiment(path).detector.counts_per_photon == 4.0


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"detector": {"mask": "none.npy"}}, r"detector\.mask: there is no such file"),
        ({"detector": {"counts_per_photon": 0}}, "counts_per_photon"),
        ({"data": {"lost_frames": [[7, 5]]}}, r"lost_frames: \[7, 5\] is not"),
        ({"data": {"lost_frames": [-1]}}, "lost_frames"),
    ],
)
def test_what_cannot_be_is_refused(
    tmp_path: Path, sections: dict[str, dict[str, Any]], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        load(tmp_path, **sections)
