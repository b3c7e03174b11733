"""What the documentation says is so: its commands run, and it names every option."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
import typer.main

from lauedepth.cli.app import app, run

ROOT = Path(__file__).parents[2]
COMMANDS = (
    *("simulate", "check", "reconstruct", "inspect", "plot"),
    *("validate", "export", "schema", "calibrate"),
)


def test_the_commands_of_getting_started_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "docs" / "getting-started.md").read_text(encoding="utf-8")
    lines = "\n".join(re.findall(r"```console\n(.*?)```", text, re.S)).split("\n")
    for name in ("experiment.yml", "sample.yml"):
        shutil.copy(ROOT / "examples" / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    commands = [shlex.split(line) for line in lines if line]
    assert {words[1] for words in commands} >= {"simulate", "reconstruct", "plot", "export"}
    for words in commands:
        assert words[0] == "lauedepth"
        assert run(words[1:]) == 0, words
    assert (tmp_path / "pixel.png").stat().st_size > 10_000


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_described(name: str) -> None:
    text = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    section = re.search(rf"^## {name}$(.*?)(?=^## |\Z)", text, re.M | re.S)
    assert section is not None
    group = typer.main.get_command(app)
    command = group.commands[name]  # type: ignore[attr-defined]
    options = {option for one in command.params for option in one.opts if option.startswith("--")}
    missing = sorted(option for option in options - {"--help"} if option not in section[1])
    assert missing == []
