"""Errors that pixels share do not average out: they are seen, and go into the errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from lauedepth.calibration import MeasuredTraces, PoseFit, Scan
from lauedepth.calibration.parameters import POSE, State
from lauedepth.calibration.pose_fit import Problem, fit_pose
from lauedepth.calibration.shared_errors import shared_drift, shared_jitter, variances
from lauedepth.core.arrays import Floats
from lauedepth.core.instrument.experiment import Experiment

IdealScan = Callable[..., tuple[Scan, MeasuredTraces]]


def edges_um(experiment: Experiment) -> Floats:
    """Where bars begin and end along the code."""
    widths = np.where(experiment.aperture.code, 7.5, 15.0)
    ends = np.cumsum(widths)[:-1]
    return np.asarray(ends[np.diff(experiment.aperture.code) != 0])


def with_wrong_edges(
    experiment: Experiment, measured: MeasuredTraces, off_um: Floats
) -> MeasuredTraces:
    """Move positions and advances as edges do that are off: by a straight line through them."""
    edges, values = edges_um(experiment), measured.values.copy()
    frames = experiment.frames.indices
    reach = (frames[-1] - frames[0]) / 2
    for row, (position, advance) in enumerate(measured.values):
        frame = (edges - position) / advance
        seen = np.abs(frame) <= reach
        slope, offset = np.polyfit(frame[seen], off_um[seen], 1)
        values[row] += offset, slope
    return replace(measured, values=values)


def fitted(start: Experiment, scan: Scan, measured: MeasuredTraces) -> PoseFit:
    problem = Problem(State(start, 0.0), POSE, (scan,), (measured,))
    return fit_pose(problem, [measured.found])


@pytest.mark.parametrize("pixels", [60, 200])
def test_errors_are_honest_where_edges_are_off(
    twin: Experiment, ideal_scan: IdealScan, pixels: int
) -> None:
    """Of 16 draws; without what is shared, pulls would be three to six times too large."""
    start = np.array(list(vars(twin.pose).values()))
    rng = np.random.default_rng(1)
    pulls, naive = [], []
    for seed in range(16):
        scan, measured = ideal_scan(State(twin, 0.0), pixels, seed)
        off = rng.normal(0, 0.2, edges_um(twin).size)
        fit = fitted(twin, scan, with_wrong_edges(twin, measured, off))
        pulls.append(((fit.values - start) / fit.errors)[fit.determined])
        ideal = fitted(twin, scan, measured)
        naive.append(((fit.values - start) / ideal.errors)[fit.determined])
    assert 0.6 < np.sqrt(np.mean(np.square(pulls))) < 1.5
    assert np.sqrt(np.mean(np.square(naive))) > 2.5


def test_errors_stay_where_edges_are_right(twin: Experiment, ideal_scan: IdealScan) -> None:
    ratios = []
    for seed in range(8):
        scan, measured = ideal_scan(State(twin, 0.0), 60, seed)
        fit = fitted(twin, scan, measured)
        counting = np.linalg.inv(np.diag(fit.singular_values**2))
        kept = fit.singular_values > 1 / 0.3
        scales = np.array([one.scale for one in POSE])
        root = scales[:, None] * fit.directions[kept].T
        expected = np.sqrt(np.diag(root @ counting[np.ix_(kept, kept)] @ root.T))
        ratios.append(np.median(fit.errors / expected))
    assert 1.0 <= np.median(ratios) < 1.15


def test_the_two_variances_are_separated() -> None:
    rng = np.random.default_rng(2)
    edges = rng.normal(size=(150, 2, 40)) * (rng.random((150, 1, 40)) < 0.2)
    fit = np.linalg.qr(rng.normal(size=(300, 5)))[0]
    found = []
    for _ in range(60):
        noise = rng.normal(0, 1.5, 300) + edges.reshape(300, 40) @ rng.normal(0, 0.8, 40)
        found.append(variances(noise - fit @ (fit.T @ noise), fit, edges))
    white, edge = np.mean(found, axis=0)
    assert white == pytest.approx(1.5**2, rel=0.1)
    assert edge == pytest.approx(0.8**2, rel=0.2)


def test_jitter_adds_what_pixels_have_in_common(twin: Experiment, ideal_scan: IdealScan) -> None:
    """Two equal pixels that shake together: the mean of their pulls varies as one does."""
    _, measured = ideal_scan(State(twin, 0.0), 2, 3)
    jitter = np.zeros((2, 2, 1))
    jitter[:, 0, 0] = 0.02  # one standard deviation of the position itself
    shaken = replace(measured, shared_jitter=jitter)
    mean = np.array([[0.5], [0.0], [0.5], [0.0]])
    added = shared_jitter((shaken,), [measured.found], mean)
    # The variance of the mean is 1/2 if they are independent, and 1 if they are the same.
    assert added[0, 0] + 0.5 == pytest.approx(1.0)


def test_a_drift_moves_all_pixels_of_a_scan(twin: Experiment, ideal_scan: IdealScan) -> None:
    _, measured = ideal_scan(State(twin, 0.0), 3, 4)
    drifting = replace(measured, drift_um=0.5)
    positions = np.zeros((12, 2))
    positions[0:6:2, 0] = 1 / 3  # the mean position of the first scan, in standard errors
    positions[6::2, 1] = 1 / 3  # and of the second, which did not drift
    masks = [measured.found, measured.found]
    added = shared_drift((drifting, measured), masks, (130, 130), positions)
    np.testing.assert_allclose(added, [[(0.5 / 0.02) ** 2, 0.0], [0.0, 0.0]])
    advances = np.zeros((12, 1))
    advances[1:6:2] = 1 / 3
    added = shared_drift((drifting, measured), masks, (130, 130), advances)
    assert added[0, 0] == pytest.approx((0.5 / 130 / 2e-4) ** 2)
