"""Closed standard streams get no file of the program's, and broken ones bring no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXPERIMENT = str(Path(__file__).parents[3] / "examples" / "experiment.yml")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_not_the_next_file(tmp_path: Path, closed: str) -> None:
    code = (
        "import os; from lauedepth.cli.streams import open_closed_streams as o; o();"
        f"open({str(tmp_path / 'mine')!r}, 'w').write('x'); os.write(2, b'told'); print('told')"
    )
    shell = f"exec '{sys.executable}' -c \"{code}\" {closed}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0
    assert (tmp_path / "mine").read_text() == "x"


def test_a_reader_that_went_brings_no_traceback() -> None:
    shell = f"('{sys.executable}' -m lauedepth --version; echo $? >&3) 3>&2 2>&1 | true"
    done = subprocess.run(
        ["bash", "-c", shell], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr.strip() in ("0", "1")  # the reader may go before or after the text


@pytest.mark.parametrize("words", [["schema"], ["check", "-e", EXPERIMENT, "--json"]])
def test_a_full_disk_is_a_failure_told_in_one_line(words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "lauedepth", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == b"lauedepth: no space left on device\n"


def test_what_went_wrong_decides_the_exit_code_also_where_it_cannot_be_told() -> None:
    with Path("/dev/full").open("w") as full:
        words = [sys.executable, "-m", "lauedepth", "check", "-e", "none.yml"]
        assert subprocess.run(words, stderr=full, check=False).returncode == 2


def test_quiet_leaves_the_reasons_of_a_failure(tmp_path: Path) -> None:
    (tmp_path / "bad.h5").write_bytes(b"no HDF5")
    for words, code, lines in (
        (["check", "-e", EXPERIMENT], 0, 0),
        (["validate", str(tmp_path / "bad.h5")], 1, 1),
        (["check", "-e", "none.yml"], 2, 1),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "lauedepth", *words, "-q"], capture_output=True, check=False
        )
        assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (code, b"", lines)
