"""A site with a stand-in for PBS on this machine: what is wrong is told, and nothing is left."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.unit.pipeline.sites import pbs_standin

from lauedepth.pipeline.sites import check
from lauedepth.pipeline.sites.check import Finding, SiteCheck
from lauedepth.pipeline.sites.hosts import Host
from lauedepth.pipeline.sites.settings import SiteSettings

pytestmark = pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync is not installed")

ODD = "work 'of' $(us)"


class Site:
    """A site on this machine, whose settings a test may change."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.work = folder, folder / ODD
        self.queue, self.changes = "demand", dict[str, Any]()
        self.program = "#!/bin/sh\n[ \"$TRIAL\" = 'a b' ] && echo lauedepth 1.2.3\n"
        self.free = 0.0

    def check(self, version: str = "1.2.3") -> dict[str, Finding]:
        path = self.folder / "laue 'depth'"
        path.write_text(self.program)
        path.chmod(0o755)
        shape = {"setup": ["export TRIAL='a b'"], "program": str(path), **self.changes}
        content = {
            "scheduler": {"kind": "pbs", "queues": {"live": {"name": self.queue}}},
            "job": shape,
            "connection": {"kind": "local"},
            "work": str(self.work),
            "keep_free_gb": self.free,
        }
        found = SiteCheck("here", SiteSettings.model_validate(content), version).run()
        return {finding.part: finding for finding in found}

    def jobs(self) -> list[Path]:
        return list(self.folder.glob("*.job"))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    pbs_standin.install(tmp_path)
    monkeypatch.setenv("STANDIN", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}:{Path(sys.executable).parent}:/usr/bin:/bin")
    monkeypatch.setattr(check, "LOOK_S", 0.05)
    return Site(tmp_path)


def bad(found: dict[str, Finding]) -> dict[str, str]:
    return {part: finding.text for part, finding in found.items() if not finding.good}


def test_a_good_site(site: Site) -> None:
    found = site.check()
    assert bad(found) == {}
    assert list(found) == ["login", "files", "queues", "job"]
    assert found["job"].text == "ran in demand, lauedepth 1.2.3"
    assert list(site.work.iterdir()) == []


def test_another_version_is_refused(site: Site) -> None:
    told = "the program there says 1.2.3, this is 1.2.4; install the same version at both ends"
    assert bad(site.check("1.2.4"))["job"].endswith(told)


def test_a_program_that_fails_says_why(site: Site) -> None:
    site.program = "#!/bin/sh\necho 'no module named numpy' >&2\nexit 1\n"
    assert bad(site.check())["job"].endswith("ended without a result: no module named numpy")
    site.program = "#!/bin/sh\nexit 1\n"
    assert bad(site.check())["job"].endswith("ended without a result: it says nothing")


def test_a_queue_limit(site: Site) -> None:
    site.queue = "full"
    assert bad(site.check())["job"].startswith("full: was refused: qsub: would exceed queue")


def test_a_job_that_only_waits_is_told_and_taken_back(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "JOB_S", 0.2)
    site.queue = "busy"
    found = site.check()
    assert bad(found) == {}
    assert found["job"].text.startswith("busy took it; it had not ended after")
    assert site.jobs() == []


def test_what_a_queue_does_not_allow(site: Site) -> None:
    site.changes = {"walltime": "2:00:00"}
    found = bad(site.check())
    assert found["queues"].startswith(
        "scheduler.queues: demand allows 3600 s, and job.walltime is 7200 s"
    )
    site.queue = "nosuch"
    assert "nosuch is not there; there are: busy, demand, full" in bad(site.check())["queues"]
    assert site.jobs() == []


def test_a_server_that_is_down(site: Site) -> None:
    (site.folder / "down").touch()
    found = site.check()
    assert list(bad(found)) == ["queues"]
    assert "cannot connect to server login01" in found["queues"].text


def test_a_work_folder_that_is_no_good(site: Site) -> None:
    site.free = 1e9
    assert "1e+09 GB to be kept free" in bad(site.check())["login"]
    site.work.rmdir()
    site.work.write_text("a file")
    found = site.check()
    assert list(found) == ["login"]
    assert "File exists" in found["login"].text


def test_a_clock_that_is_an_hour_off(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 3600)
    assert "its clock is -3600 s off" in site.check()["login"].text


def test_ctrl_c_leaves_no_job_and_no_file(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(host: Host, action: str, **request: Any) -> Any:
        if action == "read":
            assert len(site.jobs()) == 1
            raise KeyboardInterrupt
        return real(host, action, **request)

    site.queue, real = "busy", Host.ask
    monkeypatch.setattr(Host, "ask", interrupted)
    with pytest.raises(KeyboardInterrupt):
        site.check()
    assert site.jobs() == []
    assert list(site.work.iterdir()) == []
