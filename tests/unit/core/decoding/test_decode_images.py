"""Images in memory are decoded with what an experiment's file says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from lauedepth.config import ExperimentConfig, load_experiment
from lauedepth.core.decoding.decode import decode
from lauedepth.core.decoding.decode_images import decode_images
from lauedepth.core.decoding.pixels import DecodeOptions
from lauedepth.core.instrument.experiment import Region
from lauedepth.simulation import Footprints, expected_traces

EXPERIMENT = Path(__file__).resolve().parents[4] / "examples" / "experiment.yml"
REGION = Region(shape=(2, 3), start=(1000, 900), binning=(2, 2))
DEPTHS = np.array([[10.0, 40.0, 70.0], [20.0, 50.0, 0.0]])


@pytest.fixture(scope="module")
def config() -> ExperimentConfig:
    return load_experiment(EXPERIMENT)


@pytest.fixture(scope="module")
def images(config: ExperimentConfig) -> npt.NDArray[np.int64]:
    """Images of pixels lit from one depth each, but for a dark one at the end."""
    row, column = (place.ravel() for place in REGION.unbinned(*np.indices(REGION.shape)))
    light = Footprints(depth_um=DEPTHS.ravel(), width_um=4.0, intensity=[*[800.0] * 5, 0.0])
    traces = expected_traces(config.to_core(), row, column, light, background=5.0)
    counts = np.random.default_rng(2).poisson(traces)
    return np.asarray(counts.T.reshape(-1, *REGION.shape))


@pytest.mark.parametrize("kind", ["uint16", "int64", "float64"])
def test_each_pixel_has_its_depth(
    config: ExperimentConfig, images: npt.NDArray[np.int64], kind: str
) -> None:
    found = decode_images(config, images.astype(kind), region=REGION, backend="reference")
    depth, error = found.image("depth_um"), found.image("depth_error_um")
    assert np.isnan(depth[1, 2])
    lit = np.arange(6).reshape(2, 3) < 5
    assert np.all(np.abs(depth - DEPTHS)[lit] < 5 * error[lit])
    assert np.all(np.abs(depth - DEPTHS)[lit] < 1.0)


def test_pixels_may_be_chosen(config: ExperimentConfig, images: npt.NDArray[np.int64]) -> None:
    chosen = np.zeros(REGION.shape, bool)
    chosen[1, 0] = True
    found = decode_images(config, images, region=REGION, pixels=chosen, backend="reference")
    assert (found.row.tolist(), found.column.tolist()) == ([1], [0])
    assert found.pixels.depth_um[0] == pytest.approx(20.0, abs=0.5)


def test_frames_that_were_lost_choose_no_pixel(
    config: ExperimentConfig, images: npt.NDArray[np.int64]
) -> None:
    spoilt = images.copy()
    spoilt[3] = 60_000
    usable = np.arange(len(images)) != 3
    found = decode_images(config, spoilt, region=REGION, usable=usable, backend="reference")
    assert found.row.size == 5


def test_what_does_not_fit_is_refused(
    config: ExperimentConfig, images: npt.NDArray[np.int64]
) -> None:
    with pytest.raises(ValueError, match="not numbers"):
        decode_images(config, images[0])
    with pytest.raises(ValueError, match="do not fit the region"):
        decode_images(config, images, region=Region(shape=(3, 2)))
    with pytest.raises(ValueError, match="is int64, not bool"):
        decode_images(config, images, pixels=np.ones(REGION.shape, np.int64))


def test_a_configuration_decides_how_traces_are_decoded(
    config: ExperimentConfig, images: npt.NDArray[np.int64]
) -> None:
    row, column = REGION.unbinned([0], [1])
    counts = images[:, 0, 1][None].astype(np.uint16)
    changed = config.model_copy(
        update={"decode": config.decode.model_copy(update={"method": "published"})}
    )
    by_file = decode(changed, row, column, counts)
    options = DecodeOptions(method="published")
    asked = decode(config.to_core(), row, column, counts, options=options)
    footprint = decode(config, row, column, counts, backend="reference")
    assert by_file.depth_um == asked.depth_um
    assert by_file.depth_um != footprint.depth_um
    known = config.model_copy(
        update={"decode": config.decode.model_copy(update={"background_counts": 7.0})}
    )
    told = decode(known, row, column, counts, backend="reference")
    given = decode(config, row, column, counts, backend="reference", background=7.0)
    assert told.intensity == given.intensity
    assert told.intensity != footprint.intensity
