"""Small dense linear algebra against NumPy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauedepth.core.decoding.compiled.linear import cholesky, move, substitute


@given(st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_a_factor_solves_what_numpy_does(size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((size, size + 3))
    matrix, vector = rows @ rows.T + 0.1 * np.eye(size), rng.standard_normal(size)
    solved, factor = vector.copy(), np.tril(matrix)
    assert cholesky(factor, size)
    substitute(factor, size, solved)
    np.testing.assert_allclose(solved, np.linalg.solve(matrix, vector), rtol=1e-7, atol=1e-9)


def test_a_matrix_that_is_not_positive_definite_has_no_factor() -> None:
    assert not cholesky(np.array([[1.0, 0.0], [2.0, 1.0]]), 2)


@pytest.mark.parametrize(
    ("trial", "wanted", "inside"),
    [
        ([3.0, 5.0], [3.0, 5.0], [1, 1]),  # all the way
        ([3.0, -2.0], [2.0, 0.0], [1, 0]),  # the second of 2 reaches zero half way
    ],
)
def test_a_move_ends_where_a_value_reaches_zero(
    trial: list[float], wanted: list[float], inside: list[int]
) -> None:
    values, kept = np.array([1.0, 2.0]), np.ones(2, np.int64)
    whole = move(values, np.array(trial), np.array([0, 1]), 2, kept)
    assert whole == all(inside)
    np.testing.assert_allclose(values, wanted)
    assert kept.tolist() == inside
