"""What is asked of scans, which of their pixels are chosen, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shutil import copyfile

import h5py
import numpy as np
import pytest

from lauedepth.core.errors import ConfigurationError, InputError
from lauedepth.core.instrument.experiment import Experiment, Region
from lauedepth.io import open_point
from lauedepth.tasks.calibrate import CalibrationRequest
from lauedepth.tasks.calibration_scans import (
    MAXIMUM_MASK_PIXELS,
    ScanRequest,
    read_scan,
    read_scans,
    scan_requests,
    with_measured_frames,
)

SpotWriter = Callable[[Path, Experiment], None]
REGION = Region((64, 64), (0, 0), (32, 32))
SPOTS = np.stack(np.meshgrid(np.arange(6, 64, 16), np.arange(4, 64, 16))).reshape(2, -1)


def test_bright_coded_pixels_are_chosen_and_unbinned(
    twin: Experiment, point_file: Path, request_for: CalibrationRequest
) -> None:
    seen: set[str] = set()
    with open_point(point_file, frames=twin.frames, detector=twin.detector) as point:
        scan = read_scan(
            point,
            request_for.config,
            pixels=100.0,
            progress=lambda stage, done, total: seen.add(stage),
        )
    bright = np.arange(16) != 3
    row, column = REGION.unbinned(*SPOTS[:, bright])
    assert sorted(zip(scan.row, scan.column, strict=True)) == sorted(zip(row, column, strict=True))
    assert scan.counts.shape == (15, 261)
    assert scan.name == "spots.h5"
    assert seen == {"select", "read"}
    assert scan.origin.endswith("sampleX 1.5, sampleY 0, sampleZ -2")


def test_all_pixels_of_a_mask_are_read(
    twin: Experiment, point_file: Path, request_for: CalibrationRequest
) -> None:
    mask = np.zeros((2048, 2048), bool)
    mask[0:64, 0:96] = True
    with open_point(point_file, frames=twin.frames, detector=twin.detector) as point:
        scan = read_scan(point, request_for.config, pixels=mask)
        assert len(scan) == 6
        with pytest.raises(InputError, match=f"4096 pixels.*give {MAXIMUM_MASK_PIXELS} at most"):
            read_scan(point, request_for.config, pixels=~(mask & False))


def test_a_point_without_bright_pixels_is_refused(request_for: CalibrationRequest) -> None:
    with pytest.raises(InputError, match=r"no pixel to calibrate with.*lower --pixels"):
        read_scans([replace(request_for.scans[0], pixels=1e6)])


def test_a_point_without_code_in_it_is_refused(
    twin: Experiment,
    write_spots: SpotWriter,
    request_for: CalibrationRequest,
    tmp_path: Path,
) -> None:
    away = replace(twin, motion=replace(twin.motion, shift_mm=9.0))
    write_spots(tmp_path / "away.h5", away)
    with pytest.raises(InputError, match="only 0 of 15 bright pixels vary as behind a code"):
        read_scans([replace(request_for.scans[0], point=tmp_path / "away.h5")])


def test_what_is_given_once_counts_for_all_points(request_for: CalibrationRequest) -> None:
    config, points = request_for.config, [Path("a.h5"), Path("b.h5")]
    other = config.model_copy()
    assert scan_requests(points, [config], [0.0, -0.1], [100.0]) == (
        ScanRequest(points[0], config, 0.0, 100.0),
        ScanRequest(points[1], config, -0.1, 100.0),
    )
    second = scan_requests(points, [config, other], (), [None, 50.0])[1]
    assert second == ScanRequest(points[1], other, 0.0, 50.0)
    assert second.config is other


@pytest.mark.parametrize(
    ("configs", "shifts", "pixels", "why"),
    [
        (1, (), (), "2 POINT and no --shift-mm"),
        (1, (0.0,), (), "2 POINT and 1 times --shift-mm"),
        (3, (), (), "2 POINT and 3 times --experiment"),
        (1, (0.0, 0.1), (1.0, 2.0, 3.0), "2 POINT and 3 times --pixels"),
    ],
)
def test_what_is_given_neither_once_nor_for_each_point_is_refused(
    request_for: CalibrationRequest,
    configs: int,
    shifts: tuple[float, ...],
    pixels: tuple[float, ...],
    why: str,
) -> None:
    points = [Path("a.h5"), Path("b.h5")]
    with pytest.raises(ConfigurationError, match=why):
        scan_requests(points, [request_for.config] * configs, shifts, pixels)


def test_experiments_of_each_point_say_where_the_aperture_stood(
    request_for: CalibrationRequest,
) -> None:
    """One stack cut in two; the second experiment is stated further along and away."""
    config = request_for.config
    data = config.data.model_copy(update={"first_frame": 61})
    pose = config.pose.model_copy(update={"dist_mm": config.pose.dist_mm + 0.5})
    motion = config.motion.model_copy(update={"shift_mm": config.motion.shift_mm - 0.2})
    second = config.model_copy(update={"data": data, "pose": pose, "motion": motion})
    (scan,) = request_for.scans
    both = (scan, replace(scan, config=second, shift_mm=0.05))
    first, later = read_scans(both)
    assert first.stands_mm == (0.0, 0.0, 0.0)
    assert first.shift_mm == 0.0
    assert later.shift_mm == pytest.approx(-0.15)
    np.testing.assert_allclose(later.stands_mm, [0.0, 0.5, 0.0], atol=1e-12)
    assert later.counts.shape == (15, 200)
    start = config.to_core()
    there, stated = later.experiment(start), second.to_core()
    assert there.frames == stated.frames
    assert there.pose.dist_mm == pytest.approx(stated.pose.dist_mm)
    assert there.motion.shift_mm == pytest.approx(stated.motion.shift_mm + 0.05)


def test_the_beam_and_positions_in_a_scans_own_file_are_taken(
    request_for: CalibrationRequest, tmp_path: Path
) -> None:
    (scan,) = request_for.scans
    measured = tmp_path / "measured.h5"
    copyfile(scan.point, measured)
    beam = np.where(np.arange(261) < 100, 2.0, 1.0)
    encoder = 5.0 + 1e-3 * (np.arange(261.0) + np.sin(np.arange(261) / 20.0))
    with h5py.File(measured, "r+") as file:
        file["entry1/monitor/I0"] = beam
        file["entry1/encoder"] = encoder
    data = scan.config.data.model_copy(
        update={"positions": "entry1/encoder", "position_scale_um": 1000.0}
    )
    config = scan.config.model_copy(update={"data": data})
    requests, notices = with_measured_frames([scan, replace(scan, point=measured, config=config)])
    assert {one.code for one in notices} == {"monitor-used", "positions-used"}
    plain, known = read_scans(requests)
    assert plain.beam is None and plain.positions_um is None
    assert known.beam is not None and known.positions_um is not None
    assert known.beam[0] / known.beam[-1] == pytest.approx(2.0)
    np.testing.assert_allclose(
        np.diff(known.positions_um), 1e3 * np.diff(encoder), rtol=0, atol=1e-9
    )
