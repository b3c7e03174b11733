"""The table and the plots of a run made up by hand."""

from __future__ import annotations

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from tests.unit.pipeline.made_run import BEGIN, Run

from lauedepth.pipeline.errors import FacilityError
from lauedepth.pipeline.report import (
    collect,
    comma_separated,
    points_over_time,
    resources_over_time,
    table,
    write_report,
)


def test_curves_over_time(run: Run) -> None:
    run.work(run.add(0, 0.0), 10.0, 20.0)
    run.work(run.add(1, 5.0), 15.0, 30.0)
    record = collect(run.catalog)
    times, queued, running, finished = points_over_time(record)
    assert list(times - BEGIN) == [0, 5, 10, 15, 30, 45]
    assert list(queued) == [1, 2, 1, 0, 0, 0]
    assert list(running) == [0, 0, 1, 2, 1, 0]
    assert list(finished) == [0, 0, 0, 0, 1, 2]
    times, jobs, cores = resources_over_time(record)
    assert list(times - BEGIN) == [10, 15, 30, 45]
    assert list(jobs) == [1, 2, 1, 0]
    assert list(cores) == pytest.approx([2, 4, 2, 0])


def test_the_table(run: Run) -> None:
    for number, job in enumerate((3600.0, 7200.0)):
        run.work(run.add(number, 0.0), 0.0, job)
    (row,) = table(collect(run.catalog))
    assert row == ("Ni2", "2", "2", "0", "2", "3", "1.5 (0.5)", "6", "3 (1)", "1000", "5400.0 s")
    assert comma_separated([row]).count("\n") == 2


def test_pictures_show_something(run: Run, tmp_path: Path) -> None:
    for number in range(30):
        run.work(run.add(number, 72.0 * number), 72.0 * number + 50 * number, 100.0)
    paths = write_report(run.catalog, tmp_path / "report")
    for path in paths[2:]:
        picture = matplotlib.image.imread(path)[..., :3]
        assert np.unique(picture.reshape(-1, 3), axis=0).shape[0] > 20


def test_nothing_to_report(run: Run, tmp_path: Path) -> None:
    with pytest.raises(FacilityError, match="no point is complete"):
        write_report(run.catalog, tmp_path)
