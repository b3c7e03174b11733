"""A facility's file says what a site is; what is wrong in it is named."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lauedepth.pipeline.errors import ConfigurationError
from lauedepth.pipeline.settings import read_settings
from lauedepth.pipeline.sites.settings import seconds

SITE = """
scheduler: {kind: pbs, queues: {live: {name: demand}}, account: LAUE}
job: {nodes: 1, ranks_per_node: 32, gpus: 4, walltime: "0:30:00", setup: ["module load conda"]}
connection: {kind: ssh, host: login01}
transfer: {kind: rsync}
work: /site/lauedepth
keep_free_gb: 500
"""


def read(folder: Path, **changes: object) -> object:
    content = {**yaml.safe_load(SITE), **changes}
    path = folder / "facility.yaml"
    path.write_text(yaml.safe_dump({"sites": {"polaris": content}}))
    return read_settings(path).sites["polaris"]


def test_the_documented_site_is_read(tmp_path: Path) -> None:
    path = tmp_path / "facility.yaml"
    path.write_text(yaml.safe_dump({"sites": {"polaris": yaml.safe_load(SITE)}}))
    site = read_settings(path).sites["polaris"]
    assert site.scheduler.queues["live"].name == "demand"
    assert site.job.walltime_s == 1800


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"colour": "red"}, "colour"),
        ({"work": "relative"}, "work"),
        ({"work": "/a\nb"}, "work"),
        ({"connection": {"host": "-oProxyCommand=touch owned"}}, "connection.host"),
        ({"connection": {"host": "a b"}}, "connection.host"),
        ({"connection": {}}, "connection"),
        ({"connection": {"kind": "local", "host": "login01"}}, "connection"),
        ({"job": {"walltime": "half an hour"}}, "job.walltime"),
        ({"job": {"setup": ["a\nb"]}}, "job.setup.0"),
        ({"scheduler": {"kind": "slurm", "queues": {}}}, "scheduler.queues"),
        ({"scheduler": {"kind": "slurm", "queues": {"a": {"name": "-p"}}}}, "queues.a.name"),
        ({"scheduler": {"kind": "lsf", "queues": {"a": {"name": "q"}}}}, "scheduler.kind"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, changes: dict[str, object], key: str) -> None:
    with pytest.raises(ConfigurationError, match=f"sites.polaris.*{key}"):
        read(tmp_path, **changes)


def test_times_of_batch_systems() -> None:
    found = [seconds(text) for text in ("30:00", "1:00:00", "72:00:00", "2-12:00:00")]
    assert found == [1800, 3600, 259200, 216000]
