"""Every input that ever failed is read or refused in one line; so is every good file."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.fuzz.mutate import mutated
from tests.fuzz.targets import ROOT, TARGETS

CORPUS = Path(__file__).with_name("corpus")
KEPT = sorted(path for path in CORPUS.rglob("*") if path.is_file())

READ = """
import sys; from pathlib import Path
import lauedepth.config, lauedepth.io, lauedepth.io.validate, lauedepth.pipeline.status
from tests.fuzz.targets import TARGETS; from tests.fuzz.trial import trial
wrong = [f"{p}: {w}" for n, p in zip(sys.argv[1::2], sys.argv[2::2])
         if (w := trial(TARGETS[n].read, Path(p)))]
sys.exit("\\n".join(wrong))
"""


def read(*inputs: tuple[str, Path]) -> str:
    """Read files in processes that have no threads yet; return what went wrong."""
    words = [str(word) for pair in inputs for word in pair]
    command = [sys.executable, "-c", READ, *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stderr.strip()


def test_good_files_are_read(tmp_path: Path) -> None:
    inputs = []
    for name, target in TARGETS.items():
        path = tmp_path / (name + target.suffix)
        target.make(path)
        target.read(path)
        inputs.append((name, path))
    assert not read(*inputs)


@pytest.mark.skipif(not KEPT, reason="no input has failed yet")
def test_what_failed_once_does_not_fail_again(tmp_path: Path) -> None:
    inputs = []
    for number, kept in enumerate(KEPT):
        path = tmp_path / f"{number}_{kept.name}"
        shutil.copy(kept, path)
        inputs.append((kept.parent.name, path))
    assert not read(*inputs)


def test_damages_are_the_same_for_the_same_chance() -> None:
    content = bytes(range(256)) * 8
    made = [mutated(content, random.Random(seed)) for seed in range(50)]
    assert made == [mutated(content, random.Random(seed)) for seed in range(50)]
    assert len({content, *made}) > 45
