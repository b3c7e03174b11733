"""What a user should know although nothing failed: notes and warnings with stable codes.

A *note* tells what was done with the input (keys ignored, a file found elsewhere); a *warning*
says that a result may be wrong. Scripts go by the code, people read the sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

_CODE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


class Level(StrEnum):
    """How much a notice matters."""

    NOTE = "note"
    WARNING = "warning"


@dataclass(frozen=True)
class Notice:
    """A note or a warning: what is the matter, where, and what to do.

    Attributes
    ----------
    code : str
        Stable, lower-case words joined by hyphens, such as ``keys-ignored``.
    what : str
        What is the matter, one sentence without a full stop.
    where : str
        File, dataset, key, frame or pixel.
    remedy : str
        What the user can do about it.
    level : Level
        A warning unless said otherwise.
    """

    code: str
    what: str
    where: str = ""
    remedy: str = ""
    level: Level = Level.WARNING

    def __post_init__(self) -> None:
        if not _CODE.fullmatch(self.code):
            raise ValueError(f"not a code of lower-case words joined by hyphens: {self.code!r}")

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.message}"

    @property
    def message(self) -> str:
        """What is the matter and what to do, without the place."""
        return f"{self.what}; {self.remedy}" if self.remedy else self.what

    def as_dict(self) -> dict[str, str]:
        """Return the notice as plain texts, for JSON and for the result file."""
        return {
            "level": self.level.value,
            "code": self.code,
            "what": self.what,
            "where": self.where,
            "remedy": self.remedy,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, str]) -> Notice:
        """Return the notice that `as_dict` made texts of.

        Raises
        ------
        KeyError, TypeError, ValueError
            They are not the texts of a notice.
        """
        what, where, remedy = (str(values[name]) for name in ("what", "where", "remedy"))
        return cls(values["code"], what, where, remedy, Level(values["level"]))


def unlike(notices: Iterable[Notice], known: Iterable[Notice]) -> tuple[Notice, ...]:
    """Return the notices that are not known yet, each once, in order.

    Examples
    --------
    >>> range_cut, lost = warning("range-cut", "is cut"), warning("frames-lost", "3 are lost")
    >>> [notice.code for notice in unlike([range_cut, lost, lost], [range_cut])]
    ['frames-lost']
    """
    seen = set(known)
    return tuple(notice for notice in dict.fromkeys(notices) if notice not in seen)


def note(code: str, what: str, where: str = "", remedy: str = "") -> Notice:
    """Return a note."""
    return Notice(code, what, where, remedy, Level.NOTE)


def warning(code: str, what: str, where: str = "", remedy: str = "") -> Notice:
    """Return a warning."""
    return Notice(code, what, where, remedy, Level.WARNING)
