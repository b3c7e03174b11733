"""Compiled code is kept in a private folder where no other takes it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lauedepth.cli.compile_cache import VARIABLE, provide_compile_cache

NOWHERE = Path(__file__) / "below"
"""No folder can be made here, whoever runs this."""


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder, and a user whose home does not exist and cannot be made."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("HOME", str(NOWHERE))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv(VARIABLE, "")
    return tmp_path


def test_a_private_folder_is_named_where_there_is_no_other(bare: Path) -> None:
    provide_compile_cache(NOWHERE)
    folder = bare / f"lauedepth-compiled-{os.getuid()}"
    assert os.environ[VARIABLE] == str(folder)
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("kind", ["link", "open"])
def test_a_folder_that_others_may_write_to_is_not_used(bare: Path, kind: str) -> None:
    folder = bare / f"lauedepth-compiled-{os.getuid()}"
    if kind == "link":
        (bare / "theirs").mkdir()
        folder.symlink_to(bare / "theirs")
    else:
        folder.mkdir()
        folder.chmod(0o777)
    provide_compile_cache(NOWHERE)
    assert os.environ[VARIABLE] == ""


def test_where_there_is_another_nothing_is_made(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    provide_compile_cache(bare)
    assert os.environ[VARIABLE] == ""
    monkeypatch.setenv("XDG_CACHE_HOME", str(bare / "to" / "be" / "made"))
    provide_compile_cache(NOWHERE)
    assert os.environ[VARIABLE] == ""
    monkeypatch.setenv(VARIABLE, "chosen")
    provide_compile_cache(NOWHERE)
    assert os.environ[VARIABLE] == "chosen"
    assert not list(bare.iterdir())
