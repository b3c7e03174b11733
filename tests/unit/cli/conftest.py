"""Commands run in this process, as programs call them."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from tests.json_lines import asking_for_json

from lauedepth.cli.app import run


@dataclass(frozen=True)
class Answer:
    """What a command gave back."""

    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """The JSON lines of stdout."""
        return [json.loads(line) for line in self.out.splitlines() if line.startswith("{")]


Command = Callable[..., Answer]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    def call(*words: object) -> Answer:
        handler = signal.getsignal(signal.SIGTERM)
        capsys.readouterr()
        try:
            code = run(asking_for_json(words))
        finally:
            signal.signal(signal.SIGTERM, handler)
        said = capsys.readouterr()
        return Answer(code, said.out, said.err)

    return call
