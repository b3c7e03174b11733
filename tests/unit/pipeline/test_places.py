"""Where a pipeline keeps its catalog and its work."""

from __future__ import annotations

from pathlib import Path

import pytest

from lauedepth.pipeline.errors import OutputError
from lauedepth.pipeline.places import Place


def test_everything_lies_inside_the_results_by_default(tmp_path: Path) -> None:
    place = Place(tmp_path)
    assert place.catalog_text == str(tmp_path / ".lauedepth" / "catalog.sqlite")
    assert place.folders.work == tmp_path / ".lauedepth"
    assert place.folders.point(7) == tmp_path / ".lauedepth" / "points" / "7"


def test_catalog_and_work_may_be_elsewhere(tmp_path: Path) -> None:
    place = Place(tmp_path, "postgresql://host/db", tmp_path / "fast")
    assert place.catalog_text == "postgresql://host/db"
    place.folders.make()
    assert (tmp_path / "fast").is_dir()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be created"):
        Place(tmp_path / "file" / "results").folders.make()
