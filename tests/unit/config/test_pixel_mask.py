"""Masks of pixels to decode, read from files and kept as text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lauedepth.config.pixel_mask import PixelMask, read_pixel_mask
from lauedepth.core.errors import ConfigurationError


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_a_mask_comes_back_from_its_text(rows: int, columns: int, seed: int) -> None:
    mask = np.random.default_rng(seed).random((rows, columns)) < 0.3
    kept = PixelMask.model_validate_json(PixelMask.of(mask).model_dump_json())
    np.testing.assert_array_equal(kept.pixels(), mask)


def test_a_whole_detector_takes_little_text() -> None:
    mask = np.zeros((2048, 2048), bool)
    mask[1000:1040, 500:540] = True
    assert len(PixelMask.of(mask).bits) < 2000


@pytest.mark.parametrize(
    ("rows", "bits"),
    [(8, None), (16, "no base 64!"), (16, "AAAA"), (16, ""), (24, None), (60_000, None)],
)
def test_a_text_of_another_size_is_refused(rows: int, bits: str | None) -> None:
    good = PixelMask.of(np.eye(16, dtype=bool))
    with pytest.raises(ValidationError, match="bits are"):
        PixelMask(rows=rows, columns=16, bits=good.bits if bits is None else bits)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32])
def test_any_number_but_zero_marks_a_pixel(tmp_path: Path, dtype: type) -> None:
    marks: np.ndarray = np.eye(4).astype(dtype)
    np.save(tmp_path / "m.npy", marks)
    mask = read_pixel_mask(tmp_path / "m.npy", (4, 4))
    np.testing.assert_array_equal(mask.pixels(), np.eye(4, dtype=bool))


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (np.ones(4), "mask is float64 (4,)"),
        (np.ones((4, 5)), "mask is 4 × 5"),
        (np.zeros((4, 4)), "mask holds no pixel"),
        (np.full((4, 4), np.nan), "mask holds no pixel"),
        (np.array([["a"] * 4] * 4), "mask is <U1"),
    ],
)
def test_what_is_no_mask_is_refused(tmp_path: Path, array: np.ndarray, told: str) -> None:
    path = tmp_path / "m.npy"
    np.save(path, array)
    with pytest.raises(ConfigurationError) as caught:
        read_pixel_mask(path, (4, 4))
    assert told in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "m.npy").write_text("text")
    for name in ("m.npy", "absent.npy"):
        with pytest.raises(ConfigurationError, match="mask cannot be read"):
            read_pixel_mask(tmp_path / name, (4, 4))
