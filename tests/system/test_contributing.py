"""The recipes of CONTRIBUTING.md work: each is followed in a copy of the source tree."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")

EXPERIMENT = f"""
import numpy as np
from pathlib import Path
from lauedepth import PixelStatus, decode, load_experiment, open_point, validate_file
from lauedepth.core.instrument.experiment import Region
experiment = load_experiment({str(ROOT / "examples" / "experiment.yml")!r}).to_core()
here = Path()
"""

CHECKS = {
    "decoder": """
counts = np.full((2, len(experiment.frames)), 100, np.uint16)
pixels = decode(experiment, np.zeros(2), np.arange(2.0), counts, backend="dark")
assert pixels.status.tolist() == [PixelStatus.DARK] * 2
""",
    "source": """
from lauedepth.pipeline import Source
from lauedepth.pipeline.sources.listed import ListedSource
(here / "a.h5").write_bytes(b"data")
source: Source = ListedSource(here)
assert source.scan() == ()
(here / "points.txt").write_text("a.h5 ../outside.h5 gone.h5")
inside, outside, gone = source.scan()
assert (inside.key, inside.size, inside.marked, inside.refusal) == ("a.h5", 4, True, "")
assert outside.refusal and not gone.members and source.check(inside) == 0
""",
    "transfer": """
import hashlib
import lauedepth.pipeline.assembly
from lauedepth.pipeline import Item, Ref, Transfer
from lauedepth.pipeline.protocols import LOCAL
from lauedepth.pipeline.transfers import InThreads, LocalCopy, OneByOne, moved
from lauedepth.pipeline.transfers.read_only import ReadOnlyCopy
(here / "a.h5").write_bytes(b"data")
transfer: Transfer = InThreads(OneByOne(ReadOnlyCopy(LocalCopy()), lambda: None))
item = Item(Ref(LOCAL, here), "a.h5", Ref(LOCAL, here / "staged" / "a.h5"))
for name in ("once", "again"):
    assert moved(transfer, name, [item], lambda: False) == (hashlib.sha256(b"data").hexdigest(),)
assert item.destination.path.read_bytes() == b"data"
assert item.destination.path.stat().st_mode & 0o777 == 0o440
""",
    "scheduler": """
import sys
from lauedepth.pipeline import JobRequest, JobState, Scheduler
from lauedepth.pipeline.schedulers.waiting import Waiting
scheduler: Scheduler = Waiting()
write = (sys.executable, "-c", "open('ran', 'a').write('x')")
fail = (sys.executable, "-c", "import sys; sys.exit('no light')")
for _ in range(2):
    scheduler.submit(JobRequest("one", (write, fail, write), here))
report = scheduler.reports(["one"])["one"]
assert (report.state, report.exit_code, report.reason) == (JobState.FINISHED, 1, "no light")
assert (here / "ran").read_text() == "x"
scheduler.forget("one")
assert scheduler.reports(["one"])["one"].state is JobState.LOST
""",
    "file format": """
import h5py
from lauedepth.io.format_docs import file_formats
from lauedepth.io.profile import write_profile
write_profile(here / "profile.h5", np.array([1.0, 2.0]), np.array([-1.0, 1.0]))
with h5py.File(here / "profile.h5") as file:
    assert file["entry1/data/data"].dtype == np.float32
    assert file["entry1/data"].attrs["signal"] == b"data"
    assert file["entry1/depth"].attrs["units"] == b"micron"
assert "## Profile over depth" in file_formats()
""",
    "command": """
from lauedepth.cli.app import run
assert run(["depths", "--help"]) == 0
assert run(["depths", "missing.h5"]) == 1
""",
}


def recipe(kind: str) -> str:
    """Return the section on how to add something."""
    section = re.search(rf"^### Add an? {kind}\n(.*?)(?=^##|\Z)", TEXT, re.M | re.S)
    assert section is not None
    return section[1]


def follow(text: str, tree: Path) -> None:
    """Write a recipe's files and make its changes."""
    for name, content in re.findall(r"^`(\S+)`:\n\n```python\n(.*?)^```", text, re.M | re.S):
        path = tree / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")
    for name, lines in re.findall(r"^```diff\n--- (\S+)\n(.*?)^```", text, re.M | re.S):
        path = tree / name
        path.write_text(changed(path.read_text(encoding="utf-8"), lines), encoding="utf-8")


def changed(source: str, lines: str) -> str:
    """Return a source with a change made; the lines that it expects must stand there once."""
    before = "\n".join(line[1:] for line in lines.splitlines() if line[0] in " -")
    after = "\n".join(line[1:] for line in lines.splitlines() if line[0] in " +")
    assert source.count(before) == 1, before
    return source.replace(before, after)


def test_every_recipe_is_tried() -> None:
    assert set(re.findall(r"^### Add an? (.*)$", TEXT, re.M)) == set(CHECKS)


@pytest.mark.parametrize("kind", CHECKS)
def test_the_recipe_works(kind: str, tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=ignored)
    follow(recipe(kind), tmp_path)
    place = tmp_path / "place"
    place.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", EXPERIMENT + CHECKS[kind]],
        cwd=place,
        env={"PYTHONPATH": str(tmp_path / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
