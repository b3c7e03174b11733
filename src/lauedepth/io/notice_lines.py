"""Notes and warnings as text: one JSON object per line."""

from __future__ import annotations

import json
from collections.abc import Iterable

from lauedepth.core.notices import Notice


def as_lines(notices: Iterable[Notice]) -> str:
    """Return notices as text, "" for none."""
    return "\n".join(json.dumps(notice.as_dict(), ensure_ascii=False) for notice in notices)


def from_lines(text: str) -> tuple[Notice, ...]:
    """Return the notices of a text that `as_lines` made.

    Raises
    ------
    ValueError
        A line is not a notice.
    """
    # Only \n ends a line: splitlines also cuts at characters that JSON leaves in a sentence.
    return tuple(_notice(line) for line in text.split("\n") if line)


def _notice(line: str) -> Notice:
    try:
        return Notice.from_dict(json.loads(line))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not a notice: {line}") from error
