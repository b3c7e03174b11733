"""The runner on its own: atomic files, causes of failures, one runner per job."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from lauedepth.pipeline.schedulers import runner


def job(folder: Path, *programs: str) -> Path:
    """Make a job's folder."""
    made = folder / "job"
    made.mkdir()
    commands = [[sys.executable, "-I", "-S", "-c", program] for program in programs]
    runner.write_json(made / "job.json", {"commands": commands, "folder": str(folder)})
    return made


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    runner.write_json(tmp_path / "a.json", {"exit_code": 0})
    assert json.loads((tmp_path / "a.json").read_text()) == {"exit_code": 0}
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_the_cause_is_the_error_event_or_the_last_line(tmp_path: Path) -> None:
    err, out = tmp_path / "err", tmp_path / "out"
    err.write_text("first\nlast words\n\n")
    out.write_text('{"event": "error", "message": "p.h5: no frames"}\nbye\n')
    assert runner.cause(err, out) == "p.h5: no frames"
    out.write_text('{"event": "error" broken\n')
    assert runner.cause(err, out) == "last words"
    err.write_text("")
    out.write_text("")
    assert runner.cause(err, out) == ""


def test_it_leaves_what_became_of_the_job(tmp_path: Path) -> None:
    made = job(tmp_path, "print('said')", "raise SystemExit(3)", "open('ran', 'w')")
    assert runner.main(made) == 0
    outcome = json.loads((made / "exit.json").read_text())
    assert outcome["exit_code"] == 3
    assert outcome["started"] <= outcome["finished"]
    assert (made / "stdout.log").read_text() == "said\n"
    assert not (tmp_path / "ran").exists()


def test_a_job_is_run_once(tmp_path: Path) -> None:
    made = job(tmp_path, "open('log', 'a').write('x')")
    assert runner.main(made) == 0
    assert runner.main(made) == runner.TAKEN
    assert (tmp_path / "log").read_text() == "x"
