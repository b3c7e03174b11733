"""The agent answers behind a mark and changes nothing that it was not asked for."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from lauedepth.pipeline.sites import agent


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Any:
    def asked(action: str, **request: Any) -> Any:
        agent.main(json.dumps({"action": action, **request}))
        line = capsys.readouterr().out.strip()
        assert line.startswith(agent.MARK)
        return json.loads(line.removeprefix(agent.MARK))

    return asked


def test_what_a_program_says_and_how_it_ends(ask: Any) -> None:
    words = ["sh", "-c", 'cat; echo "$1" >&2; exit 3', "sh", "a 'b' $(c)"]
    answer = ask("run", words=words, stdin="µ", timeout_s=60)["answer"]
    assert answer == {"code": 3, "stdout": "µ", "stderr": "a 'b' $(c)\n"}


def test_a_program_that_is_not_there_or_does_not_end(ask: Any) -> None:
    missing = ask("run", words=["/no/such"], stdin="", timeout_s=60)
    assert missing == {"error": "/no/such: No such file or directory"}
    assert ask("run", words=["sleep", "9"], stdin="", timeout_s=0.05)["late"]


def test_a_work_folder_is_tried(ask: Any, tmp_path: Path) -> None:
    answer = ask("facts", work=str(tmp_path / "a" / "b"))["answer"]
    assert answer["free"] > 0
    assert list((tmp_path / "a" / "b").iterdir()) == []
    (tmp_path / "file").touch()
    assert "Not a directory" in ask("facts", work=str(tmp_path / "file" / "b"))["error"]


def test_files_are_made_read_hashed_and_removed(ask: Any, tmp_path: Path) -> None:
    folder = tmp_path / "f"
    ask("make", path=str(folder))
    assert ask("read", path=str(folder / "a")) == {"answer": None}
    (folder / "a").write_text("text")
    assert ask("read", path=str(folder / "a")) == {"answer": "text"}
    digests = ask("digests", paths=[str(folder / "a"), str(folder / "b")])["answer"]
    assert digests == [hashlib.sha256(b"text").hexdigest(), None]
    ask("remove", path=str(folder))
    assert not folder.exists()
    assert ask("remove", path=str(folder)) == {"answer": None}
