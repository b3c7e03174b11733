"""Logs that were written beside a point."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from lauedepth.core.errors import InputError
from lauedepth.io.frame_log import read_log_column


@pytest.mark.parametrize(
    "text",
    [
        "I0,x\n5,1\n6,2\n,3\n",
        "\ufeffI0;x\r\n5;1\r\n6;2\r\nnan;3\r\n",
        "#S 7 ascan\n#N 2\n#L I0  x\n5 1\n6 2\nNaN 3\n#C done\n",
        "#Load x I0\n7 1 5\n7 2 6\n7 3 nan\n",
        "# by the scan\n\n# I0\tx\n5\t1\n6\t2\n\t3\n",
    ],
)
def test_a_column_is_found_by_its_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "log").write_text(text, encoding="utf-8", newline="")
    assert read_log_column(tmp_path / "log", "x", 3).tolist() == [1, 2, 3]
    found = read_log_column(tmp_path / "log", "I0", 3)
    assert found[:2].tolist() == [5, 6] and np.isnan(found[2])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("I0 x\n5 1\n", "1 lines of numbers for 2 frames"),
        ("I0 y\n5 1\n6 2\n", "its columns are I0, y"),
        ("x x\n5 1\n6 2\n", "has 2 columns x"),
        ("x y\n5 1\nfive 2\n", "'five' where a number should be"),
        ("", "has 0 columns x"),
    ],
)
def test_what_is_no_such_log_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "log").write_text(text)
    with pytest.raises(InputError, match=reason):
        read_log_column(tmp_path / "log", "x", 2)


def test_a_log_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_log_column(tmp_path / "none.log", "x", 2)


def test_a_pipe_is_no_log_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log")
    with pytest.raises(InputError, match="not a file: a pipe"):
        read_log_column(tmp_path / "log", "x", 2)
