"""The pose is found from traces alone, and what cannot work is refused in plain words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from lauedepth.calibration import Scan, calibrate
from lauedepth.calibration.pose_fit import SLIDING
from lauedepth.core.decoding.decode import decode
from lauedepth.core.errors import ConfigurationError, InputError
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.geometry import scan_direction
from lauedepth.simulation import Flaws, Footprints, quick_traces

ScanMaker = Callable[..., Scan]
Shifted = Callable[..., Experiment]
FLAWS = Flaws(jitter_um=0.1, drift=-0.05, flicker=0.005)
OFF = np.array([0.2, 0.2, 0.2, 1.0, 1.0, 1.0])


def depth_errors(truth: Experiment, calibrated: Experiment) -> npt.NDArray[np.float64]:
    """Decode an independent sample, depths known, with the calibrated pose."""
    rng = np.random.default_rng(0)
    row, column = rng.uniform(100, 1900, (2, 30))
    depth = (truth.depths.start_um + truth.depths.stop_um) / 2 + rng.uniform(-60, 60, 30)
    light = Footprints(depth, 3.0, 20000.0)
    counts = rng.poisson(quick_traces(truth, row, column, light)).astype(np.uint16)
    found = decode(calibrated, row, column, counts, backend="reference")
    first = np.unique(found.trace, return_index=True)[1]
    error = found.depth_um[first] - depth
    assert np.isfinite(error).sum() >= 20
    return np.asarray(error[np.isfinite(error)])


@pytest.mark.parametrize(
    ("geometry", "off", "flaws", "rms_um"),
    [
        ("norcada", [1, 1, -1, -1, 1, 1], None, 0.1),
        ("twin", [-0.5, 0.8, 1, 1, -1, -0.9], None, 0.1),
        ("twin", [0.3, -0.4, -1, 0.6, 1, -1], FLAWS, 0.5),
    ],
)
def test_the_pose_is_found(
    request: pytest.FixtureRequest,
    moved_pose: Shifted,
    membrane_scan: ScanMaker,
    geometry: str,
    off: list[float],
    flaws: Flaws | None,
    rms_um: float,
) -> None:
    start: Experiment = request.getfixturevalue(geometry)
    truth = moved_pose(start, OFF * off)
    wrong = 2 if flaws else 0
    scans = [
        membrane_scan(truth, 5, shift_mm=shift, energy_kev=15.0, flaws=flaws, wrong=wrong)
        for shift in (0.0, -0.15)
    ]
    found = calibrate(start, scans)
    assert [held.name for held in found.fit.held] == [SLIDING]
    assert found.warnings == ()
    errors = depth_errors(truth, found.experiment)
    assert np.sqrt(np.mean(errors**2)) < rms_um
    assert found.depth_error_um < 0.05
    for scan in found.scans:
        assert not scan.used[:wrong].any()
        assert scan.used.sum() >= 15
        # Light from depth 0 is traced back to depth 0, which with the start it was not.
        assert np.abs(scan.depth_after_um[scan.used]).max() < 0.5
        assert np.abs(scan.depth_before_um[scan.used]).max() > 20
        assert np.median(scan.width_um[scan.used]) == pytest.approx(2.0, abs=0.5)


def test_further_parameters_are_found(twin: Experiment, membrane_scan: ScanMaker) -> None:
    aperture = replace(twin.aperture, thickness_um=4.2, widening_um=0.5)
    truth = replace(twin, aperture=aperture)
    scan = membrane_scan(truth, 6, energy_kev=18.0, peak=3000.0)
    found = calibrate(twin, [scan], fit=["pose", "thickness", "widening"])
    assert found.experiment.aperture.thickness_um == pytest.approx(4.2, abs=0.15)
    assert found.experiment.aperture.widening_um == pytest.approx(0.5, abs=0.25)


def test_progress_counts_the_traces(twin: Experiment, membrane_scan: ScanMaker) -> None:
    seen: list[tuple[str, int, int]] = []
    scan = membrane_scan(twin, 7, pixels=10)
    calibrate(twin, [scan], progress=lambda *parts: seen.append(parts))
    assert seen == [(stage, done, 10) for stage in ("search", "refine") for done in range(1, 11)]


def test_a_sample_depth_that_is_asked_for_is_held_and_named(
    twin: Experiment, membrane_scan: ScanMaker
) -> None:
    scan = membrane_scan(twin, 8, pixels=12)
    found = calibrate(twin, [scan], fit=["pose", "sample-depth"])
    assert found.sample_depth_um == pytest.approx(0.0, abs=0.01)
    assert any("sample_depth_um; it is held" in text for text in found.warnings)


def test_code_and_scan_reversed_together_are_refused_with_what_fits(
    twin: Experiment, membrane_scan: ScanMaker
) -> None:
    aperture = replace(twin.aperture, code=twin.aperture.code[::-1])
    motion = replace(twin.motion, step_um=-twin.motion.step_um)
    truth = replace(twin, aperture=aperture, motion=motion)
    with pytest.raises(InputError, match=r"mirrored through the sample.*; code and scan fit when"):
        calibrate(twin, [membrane_scan(truth, 17, pixels=12, peak=2000.0)])


def test_too_few_pixels(twin: Experiment, membrane_scan: ScanMaker) -> None:
    with pytest.raises(InputError, match=r"5 pixels are too few.*at least 8"):
        calibrate(twin, [membrane_scan(twin, 9, pixels=5)])


def test_clustered_pixels(twin: Experiment, membrane_scan: ScanMaker) -> None:
    found = calibrate(twin, [membrane_scan(twin, 10, pixels=12, span=(1000.0, 1060.0))])
    assert any("clustered: they span 3%" in text for text in found.warnings)
    spread = calibrate(twin, [membrane_scan(twin, 10, pixels=12)])
    assert found.depth_error_um > 3 * spread.depth_error_um


def test_a_scan_that_never_sees_the_code(
    twin: Experiment, moved_pose: Shifted, membrane_scan: ScanMaker
) -> None:
    away = moved_pose(twin, [3.0, 3.0, 0, 0, 0, 0])
    with pytest.raises(InputError, match=r"0 of 12 traces match the code; searched the whole"):
        calibrate(twin, [membrane_scan(away, 11, pixels=12)])


def test_a_start_too_far_off_says_how_far_it_searched(
    twin: Experiment, moved_pose: Shifted, membrane_scan: ScanMaker
) -> None:
    truth = moved_pose(twin, [0, 0, 0, 0, 0, -20])
    expected = r"searched the whole code \(0 to 2880 µm\) for advances of .* \(turns up to 2°\)"
    with pytest.raises(InputError, match=expected):
        calibrate(twin, [membrane_scan(truth, 12, pixels=12)])


def test_a_thick_sample_passed_off_as_thin(twin: Experiment, membrane_scan: ScanMaker) -> None:
    scan = membrane_scan(twin, 13, pixels=15, width_um=30.0, peak=2000.0)
    found = calibrate(twin, [scan])
    assert any("is not thin: light comes from 30 µm" in text for text in found.warnings)


def test_light_from_many_depths(twin: Experiment, membrane_scan: ScanMaker) -> None:
    depth = np.random.default_rng(0).uniform(-90, 290, 20)
    with pytest.raises(InputError, match=r"so that all light comes from one depth"):
        calibrate(twin, [membrane_scan(twin, 14, pixels=20, depth_um=depth)])


def test_a_scan_that_stands_elsewhere_than_stated_does_no_harm(
    twin: Experiment, moved_pose: Shifted, membrane_scan: ScanMaker
) -> None:
    raised = moved_pose(twin, [0, 0.1, 0, 0, 0, 0])
    scans = [
        membrane_scan(twin, 15, pixels=12, energy_kev=15.0, peak=1000.0),
        membrane_scan(
            raised, 15, pixels=18, shift_mm=-0.15, real_shift_mm=-0.12, energy_kev=15.0, peak=1000.0
        ),
    ]
    found = calibrate(twin, scans)
    along = 0.03 * scan_direction(twin.motion)
    np.testing.assert_allclose(
        found.fit.state.displacements_mm[1], along + np.array([0, 0.1, 0]), atol=1e-3
    )
    assert any("from where its shift of -0.15 mm puts it" in text for text in found.warnings)
    assert np.sqrt(np.mean(depth_errors(twin, found.experiment) ** 2)) < 0.1


def test_scans_that_contradict_each_other_do_not_give_the_direction_of_the_scan(
    twin: Experiment, membrane_scan: ScanMaker
) -> None:
    good = membrane_scan(twin, 15, pixels=12)
    bad = membrane_scan(twin, 15, pixels=12, shift_mm=-0.15, real_shift_mm=-0.12)
    with pytest.raises(InputError, match=r"contradicts the first scan.*(-0\.1200|0\.03)"):
        calibrate(twin, [good, bad], fit=["pose", "scan-direction"])


def test_names_that_cannot_be_fitted(twin: Experiment, membrane_scan: ScanMaker) -> None:
    with pytest.raises(ConfigurationError, match="'colour' cannot be fitted"):
        calibrate(twin, [membrane_scan(twin, 16, pixels=8)], fit=["colour"])
