"""Failures reach the other ranks as one line that says whose they are."""

from __future__ import annotations

import errno

import pytest

from lauedepth.core.errors import InputError, LaueDepthError
from lauedepth.tasks.parallel.failures import DisagreementError, StoppedError, portable


def test_a_failure_of_the_project_keeps_its_kind_and_gets_a_rank() -> None:
    error = InputError("is damaged", "p.h5", "copy it again")
    assert portable(error, "") is error
    sent = portable(error, "rank 1 on a")
    assert type(sent) is InputError
    assert str(sent) == "rank 1 on a: p.h5: is damaged; copy it again"


def test_a_disagreement_names_its_ranks_itself() -> None:
    error = DisagreementError("rank 1 has another input than rank 0", "p.h5")
    assert portable(error, "rank 2 on a") is error


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/x"), "/x: no space left on device"),
        (MemoryError(), "out of memory; use --memory with less"),
        (StoppedError(), "work was left early"),
        (ValueError("two\nlines"), "ValueError: two lines"),
    ],
)
def test_other_failures_become_one_line(error: Exception, text: str) -> None:
    sent = portable(error, "rank 1 on a")
    assert type(sent) is LaueDepthError
    assert str(sent).startswith(f"rank 1 on a: {text}")
