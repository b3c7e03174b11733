"""Non-negative least squares against SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import nnls as scipy_nnls

from lauedepth.core.decoding.cpu._linear import nnls, weighted_gram


@pytest.mark.parametrize("seed", range(20))
def test_active_sets_find_what_scipy_finds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size, frames = int(rng.integers(1, 12)), 60
    rows, counts = rng.standard_normal((size, frames)), rng.standard_normal(frames)
    weights = rng.random(frames) + 0.1
    gram, factor = np.zeros((size, size)), np.zeros((size, size))
    weighted_gram(rows, weights, 0, size, np.empty(frames), gram)
    np.testing.assert_allclose(gram, np.tril((rows * weights) @ rows.T), atol=1e-12)
    values = np.empty(size)
    nnls(gram, (rows * weights) @ counts, size, 0, values, factor, np.empty(size, np.int64))
    root = np.sqrt(weights)
    wanted, _ = scipy_nnls((rows * root).T, counts * root)
    np.testing.assert_allclose(values, wanted, atol=1e-9)
