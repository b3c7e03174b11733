"""Names from a detector stay in their folder, and results get names of their own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lauedepth.pipeline.errors import InputError
from lauedepth.pipeline.paths import (
    export_name,
    inside,
    open_inside,
    printable,
    refusal,
    result_name,
)


@pytest.mark.parametrize("name", ["p.h5", "a/b.h5", "µ 'x';$(y).h5", "..h5", "new\nline.h5"])
def test_odd_names_are_accepted(name: str) -> None:
    assert refusal(name) == ""


@pytest.mark.parametrize("name", ["../p.h5", "a/../p.h5", "./p.h5", "a//p.h5", "/p.h5", "x" * 241])
def test_names_that_lead_out_or_are_too_long_are_refused(name: str) -> None:
    assert refusal(name)


@pytest.mark.parametrize(
    ("key", "version", "name"),
    [
        ("a/p.h5", 1, "a/p.h5"),
        ("p.NXS", 1, "p.h5"),
        ("p.h5", 2, "p.v2.h5"),
        ("series_1.5", 1, "series_1.5.h5"),
    ],
)
def test_a_result_is_named_after_its_point(key: str, version: int, name: str) -> None:
    assert result_name(key, version) == name


def test_images_lie_beside_their_result() -> None:
    assert export_name("a/p.v2.h5") == "a/p.v2_depths"


def test_control_characters_are_escaped() -> None:
    assert printable("a\x1b[31m\nµ") == "a\\x1b[31m\\nµ"
    assert printable(os.fsdecode(b"bad\xff")) == "bad\\xff"


def test_links_out_of_a_folder_are_not_followed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret").write_text("x")
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "loop").symlink_to(root / "loop")
    assert not inside(root, root / "link")
    assert not inside(root, root / "loop")
    with pytest.raises(InputError, match="leads out of its folder"):
        open_inside(root, "link")


def test_a_pipe_is_no_file_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p.h5")
    with pytest.raises(InputError, match="not a regular file"):
        open_inside(tmp_path, "p.h5")
