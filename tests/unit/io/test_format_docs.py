"""The page on file formats is the one that the layout tables give."""

from __future__ import annotations

from pathlib import Path

import pytest

from lauedepth.io.format_docs import file_formats
from lauedepth.io.layout import LAYOUTS, Layout

PAGE = Path(__file__).resolve().parents[3] / "docs/file-formats.md"


def test_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == file_formats(), (
        "run: python -m lauedepth.io.format_docs docs/file-formats.md"
    )


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_each_path_stands_once_and_below_a_group(layout: Layout) -> None:
    paths = [entry.path for entry in layout.entries]
    assert len(paths) == len(set(paths))
    for path in paths:
        parent = path.rpartition("/")[0]
        assert not parent or layout[parent].kind == "group"
    with pytest.raises(KeyError):
        layout["entry1/nothing"]
