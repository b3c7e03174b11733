"""Notes and warnings are lines of JSON that come back as they were."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauedepth.core.notices import Level, Notice, note, warning
from lauedepth.io.notice_lines import as_lines, from_lines

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NOTICES = st.builds(
    Notice, st.from_regex(r"[a-z]+(-[a-z0-9]+)?", fullmatch=True), TEXT, TEXT, TEXT,
    st.sampled_from(Level),
)  # fmt: skip


@given(st.lists(NOTICES))
def test_notices_come_back_as_they_were(notices: list[Notice]) -> None:
    assert from_lines(as_lines(notices)) == tuple(notices)


def test_a_line_is_one_json_object_that_other_programs_read() -> None:
    text = as_lines([note("keys-ignored", "ignored\nµ", "a.yml"), warning("b", "c", "d", "e")])
    first, second = (json.loads(line) for line in text.split("\n"))
    assert (first["level"], first["what"], first["remedy"]) == ("note", "ignored\nµ", "")
    assert second == {"level": "warning", "code": "b", "what": "c", "where": "d", "remedy": "e"}
    assert as_lines([]) == ""


@pytest.mark.parametrize("text", ["{}", "[]", "1", "not JSON", '{"code": "a"}'])
def test_a_line_that_is_no_notice_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a notice"):
        from_lines(text)
