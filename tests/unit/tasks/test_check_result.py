"""A result is recognised, its experiment and point found, and its pixels compared with its pose."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from lauedepth.calibration import DecodedTable, check_residuals
from lauedepth.config import ExperimentConfig
from lauedepth.core.decoding.pixels import DecodedPixels, PixelFlag, PixelStatus
from lauedepth.core.errors import InputError
from lauedepth.core.instrument.experiment import Experiment, Region
from lauedepth.io import ResultFile, read_result, write_result
from lauedepth.io.region import region_metadata
from lauedepth.tasks.check_result import check_result, config_of, is_result, point_of
from lauedepth.tasks.reconstruct.identity import POINT_ATTRIBUTE

SHAPE = (128, 128)
"""Of images that are 16 x 16 binned."""
PIXELS = 60


def decoded(lost: int) -> DecodedPixels:
    """Pixels at 50 µm, some without a match; the first has a second depth far outside."""
    status = np.where(np.arange(PIXELS) < PIXELS - lost, PixelStatus.DECODED, PixelStatus.NO_MATCH)
    trace = np.concatenate([[0, 0], np.arange(1, PIXELS)])
    values = np.full(PIXELS + 1, 1.0)
    flags = np.zeros(PIXELS + 1, np.uint8)
    flags[1] = PixelFlag.SECOND_DEPTH
    return DecodedPixels(
        trace=trace,
        status=status[trace].astype(np.uint8),
        flags=flags,
        depth_um=50 * values,
        depth_error_um=values,
        width_um=5 * values,
        intensity=500 * values,
        background=20 * values,
        background_error=0.1 * values,
        mask_position_um=values,
        energy_kev=np.nan * values,
        residual=values,
        footprint_offset=np.zeros(PIXELS + 2, np.int64),
        footprint_start=np.zeros(PIXELS + 1, np.int32),
        footprint=np.zeros(0, np.float32),
    )


def result(
    path: Path, twin: Experiment, *, lost: int = 0, configuration: str = "", point: str = ""
) -> ResultFile:
    """Write a result of made-up pixels, spread over the detector."""
    rows, columns = np.random.default_rng(0).integers(0, 128, (2, PIXELS))
    order = np.argsort(rows)
    text = configuration or ExperimentConfig.from_core(twin).model_dump_json()
    region = region_metadata(Region(SHAPE, (0, 0), (16, 16)), twin.detector)
    metadata = {key: np.array(value) for key, value in region.items()}
    metadata |= {POINT_ATTRIBUTE: np.array(point.encode())} if point else {}
    with write_result(
        path, depths=twin.depths, shape=SHAPE, configuration=text, backend="cpu", metadata=metadata
    ) as writer:
        writer.add(0, 128, rows[order], columns[order], decoded(lost))
        writer.finish()
    return read_result(path)


def test_results_are_recognised(twin: Experiment, tmp_path: Path) -> None:
    path = tmp_path / "result.h5"
    result(path, twin)
    assert is_result(path)
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["entry1/data/data"] = np.zeros((2, 3, 4))
    assert not is_result(other)
    text = tmp_path / "text.h5"
    text.write_text("no HDF5")
    assert not is_result(text)
    assert not is_result(tmp_path)
    assert not is_result(tmp_path / "nowhere.h5")


def test_the_experiment_is_that_of_the_result(twin: Experiment, tmp_path: Path) -> None:
    assert config_of(result(tmp_path / "result.h5", twin)) == ExperimentConfig.from_core(twin)


@pytest.mark.parametrize("configuration", ["[1]", '{"colour": 1}'])
def test_an_experiment_that_cannot_be_read_is_refused(
    twin: Experiment, tmp_path: Path, configuration: str
) -> None:
    bad = result(tmp_path / "result.h5", twin, configuration=configuration)
    with pytest.raises(InputError, match=r"holds no experiment that this version reads"):
        config_of(bad)


def test_its_point_is_found_where_it_is_still_there(twin: Experiment, tmp_path: Path) -> None:
    stack, series = tmp_path / "point.h5", tmp_path / "frames[1]"
    for name, made in ((stack, stack), (series, tmp_path / "frames[1]_1.h5")):
        found = result(tmp_path / "result.h5", twin, point=str(name))
        assert point_of(found) is None
        made.touch()
        assert point_of(found) == name
        (tmp_path / "result.h5").unlink()
    assert point_of(result(tmp_path / "result.h5", twin)) is None


def test_second_depths_are_left_out_and_lost_pixels_counted(
    twin: Experiment, tmp_path: Path
) -> None:
    found = check_result(
        result(tmp_path / "result.h5", twin, lost=24), ExperimentConfig.from_core(twin)
    )
    assert found.pixels == PIXELS - 24
    assert found.lost == pytest.approx(24 / PIXELS)
    assert found.warnings[0].startswith("40% of the pixels with coded light")


def test_binned_pixels_are_compared_at_their_place(twin: Experiment, tmp_path: Path) -> None:
    whole = result(tmp_path / "result.h5", twin)
    pixels = whole.pixels.copy()
    pixels["residual"] = 1.0 + pixels["column"] / 128
    found = check_result(replace(whole, pixels=pixels), ExperimentConfig.from_core(twin))
    first = pixels[pixels["flags"] == 0]
    row, column = 16 * first["row"].astype(float) + 7.5, 16 * first["column"].astype(float) + 7.5
    names = ("depth", "width", "intensity", "background", "residual")
    values = [first[name].astype(float) for name in names]
    table = DecodedTable(row, column, first["status"], first["flags"], *values)
    assert found == check_residuals(twin, table)
    assert abs(found.residual_steep - found.residual_flat) > 0.3
