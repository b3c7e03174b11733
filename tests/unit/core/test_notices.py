"""Notes and warnings: one line for people, a stable code for scripts."""

from __future__ import annotations

import json

import pytest

from lauedepth.core.notices import Level, Notice, note, unlike, warning


def test_a_notice_says_what_where_and_what_to_do() -> None:
    told = Notice("keys-ignored", "one key is ignored: comp.server", "a.yml", "take it out")
    assert str(told) == "a.yml: one key is ignored: comp.server; take it out"
    assert told.message == "one key is ignored: comp.server; take it out"
    assert str(Notice("beam-lost", "the beam was lost")) == "the beam was lost"


def test_a_notice_is_a_warning_unless_said_otherwise() -> None:
    assert Notice("a", "b").level is Level.WARNING
    assert note("a", "b").level is Level.NOTE
    assert warning("a", "b") == Notice("a", "b")


def test_a_notice_goes_into_json() -> None:
    told = json.loads(json.dumps(note("range-cut", "cut", "p.h5", "give fewer").as_dict()))
    assert told == {
        "level": "note",
        "code": "range-cut",
        "what": "cut",
        "where": "p.h5",
        "remedy": "give fewer",
    }
    assert Notice.from_dict(told) == note("range-cut", "cut", "p.h5", "give fewer")


def test_each_notice_is_shown_once() -> None:
    cut, lost = warning("range-cut", "cut"), warning("frames-lost", "3 are lost")
    elsewhere = warning("frames-lost", "3 are lost", "other.h5")
    assert unlike([lost, cut, lost, elsewhere], [cut]) == (lost, elsewhere)
    assert unlike([cut], [cut]) == ()


@pytest.mark.parametrize("code", ["", "Keys", "keys ignored", "-keys", "keys_ignored", "keys-"])
def test_a_code_is_lower_case_words_joined_by_hyphens(code: str) -> None:
    with pytest.raises(ValueError, match="not a code"):
        Notice(code, "what")
