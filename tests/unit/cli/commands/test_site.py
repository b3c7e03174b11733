"""The commands on sites: what they show, and what they say of a file that is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lauedepth.cli.app import app
from lauedepth.cli.exit_codes import FAILURE
from lauedepth.core.errors import ConfigurationError

FACILITY = """
sites:
  near:
    scheduler: {kind: slurm, queues: {live: {name: demand}, backlog: {name: preemptable}}}
    connection: {kind: local}
    work: %s
"""


@pytest.fixture
def facility(tmp_path: Path) -> Path:
    (tmp_path / "file").touch()
    path = tmp_path / "facility.yaml"
    path.write_text(FACILITY % (tmp_path / "file" / "work"))
    return path


def test_sites_are_listed(facility: Path) -> None:
    done = CliRunner().invoke(app, ["site", "list", "--settings", str(facility)])
    assert done.exit_code == 0
    assert done.output.startswith("near: slurm (demand, preemptable), here, ")
    done = CliRunner().invoke(app, ["site", "list", "--settings", str(facility), "--json"])
    assert json.loads(done.output)["queues"] == ["demand", "preemptable"]


def test_what_is_bad_is_shown_and_ends_with_a_failure(facility: Path) -> None:
    done = CliRunner().invoke(app, ["site", "check", "near", "--settings", str(facility)])
    assert done.exit_code == FAILURE
    assert done.output.startswith("login   BAD   near: ")
    assert "Not a directory" in done.output
    assert done.output.count("\n") == 1


def test_a_site_that_the_file_does_not_have(facility: Path) -> None:
    done = CliRunner().invoke(app, ["site", "check", "far", "--settings", str(facility)])
    assert isinstance(done.exception, ConfigurationError)
    assert "has no site far; its sites are: near" in str(done.exception)
