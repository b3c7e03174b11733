"""Files that a configuration names."""

from __future__ import annotations

from pathlib import Path

import pytest

from lauedepth.config.named_files import find_file


def test_places_are_tried_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, beside = tmp_path / "here", tmp_path / "beside"
    for folder in (here / "masks", beside / "masks"):
        folder.mkdir(parents=True)
    monkeypatch.chdir(here)
    tried = find_file("masks/code.npy", beside)
    assert tried.found is None
    assert tried.tried == (
        Path("masks/code.npy"),
        beside / "masks/code.npy",
        beside / "code.npy",
    )
    for place in reversed(tried.tried):
        place.write_bytes(b"")
        assert find_file("masks/code.npy", beside).found == place


@pytest.mark.parametrize("given", [r"C:\masks\code.npy", "/gone/far/code.npy", "../code.npy"])
def test_a_name_alone_is_enough_of_any_system(tmp_path: Path, given: str) -> None:
    folder = tmp_path / "deep"
    folder.mkdir()
    (folder / "code.npy").write_bytes(b"")
    assert find_file(given, folder).found == folder / "code.npy"


@pytest.mark.parametrize("given", ["a\0b.npy", "x" * 5000 + ".npy", "."])
def test_names_that_no_file_has_are_not_found(tmp_path: Path, given: str) -> None:
    assert find_file(given, tmp_path).found is None
