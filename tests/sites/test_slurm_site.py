"""A site check against Debian's real Slurm, through a real sshd and rsync."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.sites.servers import cluster, missing

from lauedepth.core.version import __version__
from lauedepth.pipeline.sites.check import Finding, SiteCheck
from lauedepth.pipeline.sites.settings import SiteSettings

pytestmark = pytest.mark.sites


@pytest.fixture(scope="module")
def config() -> Iterator[Path]:
    absent = missing()
    assert not absent, f"install {', '.join(absent)}: see CONTRIBUTING, make test-sites"
    with tempfile.TemporaryDirectory(prefix="ld-site-") as folder, cluster(Path(folder)) as made:
        yield made


def findings(config: Path, host: str = "cluster", **changes: Any) -> dict[str, Finding]:
    """Check a site whose settings differ from good ones as told."""
    program = config.parent / "lauedepth 'there'"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m lauedepth "$@"\n')
    program.chmod(0o755)
    content: dict[str, Any] = {
        "scheduler": {"kind": "slurm", "queues": {"live": {"name": "demand"}}},
        "job": {"walltime": "0:10:00", "setup": ["export TRIAL=1"], "program": str(program)},
        "connection": {"host": host, "config": str(config)},
        "work": str(config.parent / "work 'of' $(us)"),
        "keep_free_gb": 0,
    }
    for key, value in changes.items():
        part, _, name = key.partition("__")
        content[part] = {**content[part], name: value} if name else value
    check = SiteCheck("trial", SiteSettings.model_validate(content), __version__)
    return {found.part: found for found in check.run()}


def test_a_good_site_is_found_good_and_left_as_it_was(config: Path) -> None:
    found = findings(config)
    assert {f.part: f.text for f in found.values() if not f.good} == {}
    assert list(found) == ["login", "files", "queues", "job"]
    assert found["job"].text == f"ran in demand, lauedepth {__version__}"
    assert list((config.parent / "work 'of' $(us)").iterdir()) == []


@pytest.mark.parametrize(
    ("host", "text"),
    [
        ("impostor", "compare its key with what the facility tells"),
        ("locked", "the login is refused or has expired"),
        ("nowhere", "Connection refused"),
    ],
)
def test_a_site_that_cannot_be_reached_is_one_line(config: Path, host: str, text: str) -> None:
    found = findings(config, host)
    assert list(found) == ["login"]
    assert not found["login"].good
    assert text in found["login"].text
    assert "\n" not in found["login"].text


def test_a_login_that_prints_is_no_answer_and_what_it_breaks_is_told(config: Path) -> None:
    found = findings(config, "chatty")
    assert [f.part for f in found.values() if not f.good] == ["files"]
    assert found["files"].text == (
        "trial: protocol version mismatch -- is your shell clean?; "
        "its login prints something: make it silent where it is not interactive"
    )
    assert found["job"].text == f"ran in demand, lauedepth {__version__}"


@pytest.mark.parametrize(
    ("changes", "part", "text"),
    [
        ({"work": "/proc/no"}, "login", "/proc/no"),
        ({"keep_free_gb": 1e9}, "login", "to be kept free"),
        (
            {"scheduler": {"kind": "slurm", "queues": {"live": {"name": "nosuch"}}}},
            "queues",
            "nosuch is not there; there are: closed, demand, preemptable",
        ),
        (
            {"scheduler": {"kind": "slurm", "queues": {"live": {"name": "closed"}}}},
            "queues",
            "closed is closed",
        ),
        ({"job__walltime": "2:00:00"}, "queues", "demand allows 3600 s"),
        ({"job__nodes": 2}, "queues", "demand allows 1 nodes"),
        ({"scheduler__options": ["--qos=x", "--nosuch"]}, "job", "was refused"),
        ({"job__program": "/no/such/program"}, "job", "No such file"),
        ({"job__program": "echo"}, "job", "the program there says --version"),
        (
            {"scheduler": {"kind": "pbs", "queues": {"live": {"name": "demand"}}}},
            "queues",
            "qstat",
        ),
    ],
)
def test_each_thing_that_is_wrong_is_told(
    config: Path, changes: dict[str, Any], part: str, text: str
) -> None:
    found = findings(config, **changes)
    assert [f.part for f in found.values() if not f.good] == [part]
    assert text in found[part].text
    assert "\n" not in found[part].text
