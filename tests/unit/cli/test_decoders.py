"""What commands report of the decoder that was chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lauedepth.cli.decoders import report_passed_over
from lauedepth.cli.ranks import SilentReporter
from lauedepth.core.decoding.registry import PassedOver

if TYPE_CHECKING:
    from collections.abc import Mapping


class Notes(SilentReporter):
    """Writes down what it is shown."""

    def __init__(self) -> None:
        self.shown: list[tuple[str, dict[str, Any], str]] = []

    def show(self, event: str, values: Mapping[str, Any], text: object) -> None:
        self.shown.append((event, dict(values), str(text)))


def test_each_decoder_that_was_passed_over_is_a_line_with_its_reason() -> None:
    notes = Notes()
    report_passed_over(notes, [PassedOver("cuda", "no driver [red]", True)])
    ((event, values, text),) = notes.shown
    assert (event, values) == ("passed_over", {"backend": "cuda", "reason": "no driver [red]"})
    assert r"cuda is not used: no driver \[red]" in text
