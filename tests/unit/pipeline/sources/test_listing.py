"""Which folders are listed again, and which are left alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lauedepth.pipeline.sources.listing import Listings


class Clock:
    """Moves only when told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def listings(tmp_path: Path, clock: Clock) -> Listings:
    """Listings of a folder with two below it, long at rest."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "old.h5").touch()
    made = Listings(tmp_path, (tmp_path / "results",), clock)
    assert [folder.name for folder, _ in made.walk()][1:] in (["a", "b"], ["b", "a"])
    clock.now += 100.0
    assert changed(made) == {}
    return made


def changed(listings: Listings) -> dict[str, set[str]]:
    return {folder.name: new for folder, new in listings.changes()}


def test_only_the_folder_with_news_is_listed(listings: Listings, tmp_path: Path) -> None:
    (tmp_path / "a" / "new.h5").touch()
    assert changed(listings) == {"a": {"new.h5"}}


def test_a_second_file_that_shows_no_other_time_is_found(
    listings: Listings, tmp_path: Path, clock: Clock
) -> None:
    (tmp_path / "a" / "one.h5").touch()
    os.utime(tmp_path / "a", (5, 5))
    assert changed(listings) == {"a": {"one.h5"}}
    (tmp_path / "a" / "two.h5").touch()
    os.utime(tmp_path / "a", (5, 5))
    clock.now += 4.0
    assert changed(listings) == {"a": {"two.h5"}}
    clock.now += 2.0
    assert changed(listings) == {}


def test_folders_below_a_new_folder_are_listed(listings: Listings, tmp_path: Path) -> None:
    (tmp_path / "c" / "d").mkdir(parents=True)
    (tmp_path / "c" / "d" / "p.h5").touch()
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "r.h5").touch()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    found = changed(listings)
    assert found.pop(tmp_path.name) == {"c", "results", "link", ".hidden"}
    assert found == {"c": {"d"}, "d": {"p.h5"}}
    (tmp_path / "c" / "d" / "q.h5").touch()
    assert changed(listings)["d"] == {"q.h5"}


def test_a_file_that_was_removed_is_new_when_it_is_back(listings: Listings, tmp_path: Path) -> None:
    (tmp_path / "a" / "old.h5").unlink()
    assert changed(listings) == {"a": set()}
    (tmp_path / "a" / "old.h5").touch()
    assert changed(listings)["a"] == {"old.h5"}


def test_a_folder_that_cannot_be_listed_for_a_moment_is_listed_later(
    listings: Listings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.scandir

    def refuse(path: Path) -> object:
        if Path(path).name == "a":
            raise PermissionError
        return real(path)

    (tmp_path / "a" / "new.h5").touch()
    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", refuse)
        assert changed(listings) == {}
    assert changed(listings) == {"a": {"new.h5"}}


def test_a_root_that_is_away_is_told(listings: Listings, tmp_path: Path) -> None:
    tmp_path.rename(tmp_path.with_name("away"))
    with pytest.raises(FileNotFoundError):
        changed(listings)
    tmp_path.with_name("away").rename(tmp_path)
    (tmp_path / "a" / "new.h5").touch()
    assert changed(listings)["a"] == {"new.h5"}


def test_what_lies_too_deep_is_not_entered(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*"abcdefghijklmnopq")
    deep.mkdir(parents=True)
    assert sum(1 for _ in Listings(tmp_path, ()).walk()) == 17
