"""A page on results holds all of itself, and nothing in a result becomes part of its code."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from tests.unit.io.made_up_results import WHOLE, write_some

from lauedepth.core.notices import Level, Notice
from lauedepth.figures.page import write_page
from lauedepth.io import ResultFile, read_result


class Page(HTMLParser):
    """The tags, pictures and text of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.pictures: dict[str, bytes] = {}
        self.links: list[str] = []
        self.ids: list[str] = []
        self.text = ""
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = {name: value or "" for name, value in attrs}
        if tag == "img":
            kind, _, content = given["src"].partition(",")
            assert kind == "data:image/png;base64"
            self.pictures[given["alt"]] = base64.b64decode(content, validate=True)
        self.links += [given["href"]] if "href" in given else []
        self.ids += [given["id"]] if "id" in given else []

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> ResultFile:
    path = tmp_path_factory.mktemp("page") / "r.h5"
    write_some(path, WHOLE)
    return read_result(path)


def test_everything_is_in_one_file_and_nothing_is_code(result: ResultFile, tmp_path: Path) -> None:
    evil = "<script>alert('x')</script>"
    told = replace(
        result,
        notices=(Notice("odd", evil, "a&b", "stop", Level.WARNING),),
        verdict={},
        provenance=replace(result.provenance, configuration=f'{{"frames": "{evil}"}}'),
    )
    write_page([told], tmp_path / "page.html")
    page = Page(tmp_path / "page.html")
    assert "script" not in page.tags
    assert page.links == []
    assert page.text.count(evil) == 2
    assert "a&b" in page.text
    assert {"overview", "error", "width", "residual", "histogram", "status"} <= set(page.pictures)
    assert all(one.startswith(b"\x89PNG") for one in page.pictures.values())
    assert result.provenance.backend in page.text
    places = np.unique(np.stack([result.pixels["row"], result.pixels["column"]]), axis=1)
    counted = page.text.partition("Pixels")[2].partition("Provenance")[0]
    numbers = [int(number.replace(",", "")) for number in re.findall(r"[0-9][0-9,]*", counted)]
    assert places.shape[1] == sum(numbers)


def test_the_verdict_is_told(result: ResultFile, tmp_path: Path) -> None:
    verdict = {"lit": 12345, "decoded": 0.8754, "residual": 1.026, "<script>": None}
    write_page([replace(result, verdict=verdict)], tmp_path / "page.html")
    page = Page(tmp_path / "page.html")
    assert "lit pixels12,345" in page.text
    assert "decoded, of lit pixels87.5%" in page.text
    assert "per degree of freedom1.03" in page.text
    assert "<script>not known" in page.text


def test_several_results_are_listed_first(result: ResultFile, tmp_path: Path) -> None:
    write_page([result, result], tmp_path / "page.html")
    page = Page(tmp_path / "page.html")
    assert [link.lstrip("#") for link in page.links] == page.ids
    assert len(set(page.ids)) == 2
    assert "points" in page.pictures


def test_values_that_a_result_has_not_are_left_out(result: ResultFile, tmp_path: Path) -> None:
    pixels = result.pixels.copy()
    pixels["energy"] = pixels["depth_error"] = np.nan
    write_page([replace(result, pixels=pixels)], tmp_path / "page.html")
    pictures = Page(tmp_path / "page.html").pictures
    assert "energy" not in pictures
    assert "error" not in pictures
    assert "width" in pictures
