"""A site is reached by one constant command, whatever its login prints."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lauedepth.pipeline.errors import FacilityError, UnreachableError
from lauedepth.pipeline.sites.hosts import ASK, Host


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def stand_in(folder: Path, text: str) -> None:
    """Put a program in the place of ssh."""
    (folder / "ssh").write_text(f"#!/bin/sh\n{text}\n")
    (folder / "ssh").chmod(0o755)


@pytest.fixture
def host(bin_folder: Path) -> Iterator[Host]:
    with Host("polaris", "login01") as made:
        yield made


def test_no_name_is_ever_in_the_command_line(host: Host, bin_folder: Path) -> None:
    answer = f'cat > "$0.in"; printf "%s\\n" "$@" > "$0.words"; exec {sys.executable} - < "$0.in"'
    stand_in(bin_folder, f"echo 'Welcome; lauedepth-answer: {{}}'\n{answer}")
    odd = "a 'b' $(touch owned) \n `x`"
    said = host.run(["printf", "%s", odd])
    assert (said.code, said.stdout) == (0, odd)
    words = (bin_folder / "ssh.words").read_text().splitlines()
    assert words[-6:] == ["--", "login01", *ASK]
    assert "StrictHostKeyChecking=yes" in words
    assert "BatchMode=yes" in words


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("echo 'Host key verification failed.' >&2; exit 255", "compare its key"),
        ("echo 'Permission denied (publickey).' >&2; exit 255", "log in once with ssh"),
        ("echo 'Welcome'", "exit code 0"),
        ("printf '\\nlauedepth-answer:{\"answer\": [1, 2'", "exit code 0"),
    ],
)
def test_a_site_that_does_not_answer(host: Host, bin_folder: Path, text: str, why: str) -> None:
    stand_in(bin_folder, text)
    with pytest.raises(UnreachableError, match=f"polaris: .*{why}"):
        host.run(["true"])


def test_what_is_not_possible_there_is_not_taken_for_a_broken_line() -> None:
    with Host("here") as here, pytest.raises(FacilityError, match="here: /no/such: No such file"):
        here.run(["/no/such"])


def test_the_last_line_says_what_went_wrong() -> None:
    with Host("here") as here:
        said = here.run(["sh", "-c", "echo first >&2; echo last >&2; echo >&2; exit 4"])
        assert (said.code, said.last_line) == (4, "last")
        assert here.run(["false"]).last_line == "exit code 1"


def test_a_machine_without_ssh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with Host("polaris", "login01") as far, pytest.raises(FacilityError, match="ssh: is not inst"):
        far.run(["true"])
