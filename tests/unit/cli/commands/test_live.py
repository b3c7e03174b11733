"""The live pipeline's commands that need no running driver."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.unit.io.made_up_results import WHOLE, write_some

from lauedepth.pipeline.catalog import Catalog, PointState, Priority, SourceRow, catalog_url
from lauedepth.pipeline.protocols import Member, Sighting

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Command


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A results folder whose catalog knows one point that failed and one that waits."""
    path = tmp_path / ".lauedepth" / "catalog.sqlite"
    catalog = Catalog(catalog_url(str(path)), create=True)
    row = SourceRow(0, "/d", "file", ".done", False, "d", 0, int(Priority.LIVE), 0, False)
    source = catalog.add_source(row)
    for name in ("bad.h5", "new.h5"):
        seen = Sighting(name, (Member(name, 10, 1),))
        catalog.add_points(source, [(seen, 1)], 0)
        point = next(one for one in catalog.latest(source) if one.key == name)
        catalog.complete(point.id, seen, 3)
        if name == "bad.h5":
            catalog.finish(point.id, PointState.FAILED, "is truncated")
    catalog.close()
    return tmp_path


def states(results: Path) -> dict[str, str]:
    catalog = Catalog(catalog_url(str(results / ".lauedepth" / "catalog.sqlite")))
    found = {point.key: point.state.value for point in catalog.points()}
    catalog.close()
    return found


def test_status_shows_what_failed_and_why(command: Command, results: Path) -> None:
    answer = command("status", "--results", results)
    first = answer.out.splitlines()[0]
    assert first == "stopped: 1 point not done and no driver running; start it again; 1 failed"
    assert "bad.h5: is truncated" in answer.out
    found = json.loads(command("status", "--results", results, "--json").out)
    assert found["counts"] == {"waiting": 1, "failed": 1}


def test_retry_and_skip(command: Command, results: Path) -> None:
    assert command("retry", "--all", "--results", results).out == "bad.h5\n"
    assert states(results) == {"bad.h5": "waiting", "new.h5": "waiting"}
    assert command("skip", "new.h5", "--results", results, "--reason", "no use").code == 0
    assert states(results)["new.h5"] == "skipped"


def test_a_point_that_cannot_be_retried_keeps_no_other_from_its_turn(
    command: Command, results: Path
) -> None:
    catalog = Catalog(catalog_url(str(results / ".lauedepth" / "catalog.sqlite")))
    taken = Sighting("new.nxs", (Member("new.nxs", 10, 1),))
    catalog.add_points(catalog.sources()[0].id, [(taken, 1)], 0)
    catalog.close()
    answer = command("retry", "--all", "--results", results)
    assert answer.code == 1
    assert answer.out.splitlines()[0] == "bad.h5"
    assert (
        "new.nxs: another point already has the result name new.h5; rename"
        in answer.out + answer.err
    )
    assert states(results) == {"bad.h5": "waiting", "new.h5": "waiting", "new.nxs": "failed"}


def test_what_cannot_be_changed_is_refused(command: Command, results: Path) -> None:
    answer = command("retry", "new.h5", "--results", results)
    assert answer.code == 1
    assert "new.h5: is waiting; this is possible only for points that are failed" in answer.err
    assert "no point given" in command("retry", "--results", results).err
    assert "no such point" in command("skip", "none.h5", "--results", results).err


def test_where_there_is_no_catalog(command: Command, tmp_path: Path) -> None:
    answer = command("status", "--results", tmp_path)
    assert answer.code == 1
    assert "no catalog here; give --results FOLDER" in answer.err


def test_plan_repeats_the_published_run(command: Command) -> None:
    words: tuple[object, ...] = (
        "plan",
        "--points",
        422,
        "--cadence",
        72,
        "--nodes",
        50,
        "--nodes-per-job",
        10,
    )
    words += ("--node-hours-per-point", 1.42)
    assert command(*words).out.startswith("falls behind: finishes 3.")
    outcome = json.loads(command(*words, "--json").out)
    assert outcome["last_arrival_s"] / 3600 == pytest.approx(8.44, abs=0.01)
    assert outcome["finish_s"] / 3600 == pytest.approx(12.0, abs=0.15)
    assert (
        "a job needs 9 nodes, but there are only 2"
        in command(
            *("plan", "--points", 1, "--cadence", 1, "--nodes", 2, "--nodes-per-job", 9),
            *("--node-hours-per-point", 1),
        ).err
    )


def test_replay_writes_the_points_with_markers(command: Command, tmp_path: Path) -> None:
    scan, live = tmp_path / "scan", tmp_path / "live"
    scan.mkdir()
    (scan / "p.h5").write_bytes(b"frames")
    answer = command("replay", scan, live, "--cadence", 0, "--marker", ".done")
    assert answer.out == f"1 of 1: p.h5\n1 points written to {live}\n"
    assert (live / "p.h5").read_bytes() == b"frames"
    assert (live / "p.h5.done").exists()


def test_results_are_reported_on_in_one_page_or_not_at_all(
    command: Command, tmp_path: Path
) -> None:
    result, page = tmp_path / "r.h5", tmp_path / "page.html"
    write_some(result, WHOLE)
    assert command("report", result, tmp_path / "none.h5", "--output", page).code == 1
    answer = command("report", result, "--output", tmp_path / "page.docx")
    assert answer.code == 2
    assert "is not the name of a page; give NAME.html" in answer.err
    assert [path.name for path in tmp_path.iterdir()] == ["r.h5"]
    assert command("report", result, "--output", page).code == 0
    assert page.read_text("utf-8").rstrip().endswith("</html>")
