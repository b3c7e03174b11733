"""Centroids of footprints of any shape against those of `reference`, and against truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauedepth.core.arrays import Floats
from lauedepth.core.decoding import limits
from lauedepth.core.decoding.bins import Bins, Support
from lauedepth.core.decoding.compiled import centroid
from lauedepth.core.decoding.compiled.linear import cholesky
from lauedepth.core.decoding.reference.box_fit import Box, BoxFit
from lauedepth.core.decoding.reference.footprint_centroid import Located, locate

BINS = Bins(-20.0, 1.0, 60)
BACKGROUND, FREEDOM = 20.0, 296


def _fit(boxes: tuple[Box, ...], chi_square: float) -> BoxFit:
    errors = np.full(len(boxes), 0.03)
    return BoxFit(
        boxes, BACKGROUND, None, np.nan, np.zeros(300), chi_square, errors, 0.03, FREEDOM, 21.0
    )


def _compiled(
    basis: Floats, counts: Floats, weights: Floats, supports: tuple[Support, ...], fit: BoxFit
) -> Located:
    """Solve with the compiled functions, columns in reverse order."""
    size, number_of = basis.shape[1], len(supports)
    order = np.arange(size)[::-1].copy()
    columns = basis[:, order]
    gram = np.tril(columns.T @ (weights[:, None] * columns))
    moments = columns.T @ (weights * counts)
    places = np.array([(one.first, one.count) for one in supports])
    scale = max(1.0, fit.chi_square / fit.freedom)
    sources = np.array(
        [
            (one.begin_um, one.end_um, one.centroid_um, scale * one.error_um**2, one.intensity)
            for one in fit.sources
        ]
    )
    bins = np.array([BINS.start_um, BINS.width_um])
    before, stiffness, push, step = (np.zeros(size + 1) for _ in range(4))
    factor = np.zeros((size, size))
    centroid.set_boxes(sources, places, number_of, bins, fit.background, before, stiffness)
    for start in range(3):  # as three threads share it
        centroid.set_equations(
            gram, moments, order, places, number_of, before, stiffness, factor, push, start, 3
        )
    assert cholesky(factor, size)
    chi_square, background = centroid.weigh_shapes(
        sources, places, number_of, bins, moments, order, gram[0, 0], before, stiffness, factor,
        push, step, float(weights @ counts**2), fit.chi_square, fit.freedom, fit.log_narrowing,
    )  # fmt: skip
    return Located(sources[:, 2], np.sqrt(sources[:, 3]), background, chi_square)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    first=st.tuples(st.floats(0.0, 8.0), st.floats(0.3, 7.0)),
    second=st.none() | st.tuples(st.floats(25.0, 30.0), st.floats(0.3, 5.0)),
    excess=st.floats(-60.0, 400.0),
)
def test_centroids_are_those_of_the_reference(
    seed: int,
    first: tuple[float, float],
    second: tuple[float, float] | None,
    excess: float,
) -> None:
    rng = np.random.default_rng(seed)
    boxes = tuple(Box(*span, 300.0) for span in (first, second) if span is not None)
    supports = tuple(BINS.cover(box.begin_um - 2.0, box.end_um + 2.0) for box in boxes)
    size = sum(one.count for one in supports) + 1
    basis = np.clip(np.cumsum(rng.normal(0.0, 0.2, (300, size)), axis=1) + 0.5, 0.0, 1.0)
    basis[:, -1] = 1.0
    light = rng.exponential(300.0 / size, size)
    light[-1] = BACKGROUND
    counts = rng.poisson(basis @ light).astype(np.float64)
    weights = 1.0 / np.maximum(basis @ light, 1.0)
    fit = _fit(boxes, FREEDOM + excess)
    wanted = locate(basis, counts, weights, BINS, supports, fit)
    found = _compiled(basis, counts, weights, supports, fit)
    np.testing.assert_allclose(found.centroid_um, wanted.centroid_um, rtol=1e-8)
    np.testing.assert_allclose(found.error_um, wanted.error_um, rtol=1e-6)
    assert found.chi_square == pytest.approx(wanted.chi_square, rel=1e-8)
    assert found.background == pytest.approx(wanted.background, rel=1e-6)


@given(
    st.integers(1, 2),
    st.lists(st.floats(-3.0, 3.0), min_size=49, max_size=49),
    st.floats(1.0, 1e5),
)
def test_narrowing_is_a_determinant(boxes: int, values: list[float], intensity: float) -> None:
    size = 3 * boxes + 1
    root = np.array(values).reshape(7, 7)[:size, :size]
    normal = root @ root.T + 0.1 * np.eye(size)
    theta = np.full(size, intensity)
    known = np.tile(limits.BOX_KNOWN, boxes)
    known[2::3] *= intensity
    fisher = np.linalg.inv(np.linalg.inv(normal)[:-1, :-1])
    _, wanted = np.linalg.slogdet(np.eye(size - 1) + np.diag(known**2) @ fisher)
    found = centroid.log_narrowing(np.tril(normal), theta, boxes, np.zeros((size, size)))
    assert found == pytest.approx(wanted, rel=1e-6, abs=1e-6)
