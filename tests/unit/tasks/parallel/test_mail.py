"""How often a rank looks for messages."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from lauedepth.tasks.parallel.mail import MAX_PAUSE_S, MIN_PAUSE_S, Mail


def test_pauses_grow_to_a_hundredth_of_a_second_and_are_brief_after_a_word() -> None:
    mail = Mail(cast("Any", SimpleNamespace(Get_size=lambda: 1)))
    pauses = [mail.pause() for _ in range(12)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (MIN_PAUSE_S, MAX_PAUSE_S)
    assert sum(pauses[:5]) < MAX_PAUSE_S
    mail.expect_more()
    assert mail.pause() == MIN_PAUSE_S
