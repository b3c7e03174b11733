"""How many threads a process may use, by its cores, its cgroup and what it was told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lauedepth.core.threads import core_quota, usable_threads


def written(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text, encoding="ascii")


def membership(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "membership"
    path.write_text(text, encoding="ascii")
    return path


def test_the_tightest_quota_of_the_way_up_counts(tmp_path: Path) -> None:
    root = tmp_path / "cgroup"
    written(root / "job" / "step", cpu__max="max 100000\n")
    written(root / "job", cpu__max="350000 100000\n")
    written(root, cpu__max="800000 100000\n")
    assert core_quota(membership(tmp_path, "0::/job/step\n"), root) == 3.5
    assert core_quota(membership(tmp_path, "0::/other\n"), root) == 8.0


def test_version_one_is_read_too(tmp_path: Path) -> None:
    root = tmp_path / "cgroup"
    written(root / "cpu,cpuacct" / "job", cpu__cfs_quota_us="150000", cpu__cfs_period_us="100000")
    text = "5:memory:/elsewhere\n4:cpu,cpuacct:/job\n"
    assert core_quota(membership(tmp_path, text), root) == 1.5
    written(root / "cpu,cpuacct" / "job", cpu__cfs_quota_us="-1")
    assert core_quota(membership(tmp_path, text), root) is None


def test_no_cgroups_no_quota(tmp_path: Path) -> None:
    assert core_quota(tmp_path / "missing", tmp_path) is None


def test_what_is_asked_for_counts_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAUEDEPTH_THREADS", "3")
    assert usable_threads() == 3
    monkeypatch.setenv("LAUEDEPTH_THREADS", "0")
    assert usable_threads() == 1
    monkeypatch.delenv("LAUEDEPTH_THREADS")
    assert 1 <= usable_threads() <= len(os.sched_getaffinity(0))
