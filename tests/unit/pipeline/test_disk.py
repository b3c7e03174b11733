"""The disk guard counts what is coming, too."""

from __future__ import annotations

from pathlib import Path

from lauedepth.pipeline.disk import DiskGuard


def test_the_disk_guard_counts_what_is_coming(tmp_path: Path) -> None:
    assert DiskGuard((tmp_path,), 0.0).objection([1000]) == ""
    assert "paused: " in DiskGuard((tmp_path,), 0.0).objection([1 << 60])
    assert "free some disk space" in DiskGuard((tmp_path,), 1e18).objection()


def test_a_folder_that_is_away_is_an_objection(tmp_path: Path) -> None:
    away = tmp_path / "results"
    guard = DiskGuard((tmp_path, away), 0.0)
    assert guard.objection().startswith(f"paused: {away} cannot be written (No such file")
    away.mkdir()
    assert guard.objection() == ""


def test_the_empty_folder_below_a_mount_that_went_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "p.h5").touch()
    guard = DiskGuard((tmp_path,), 0)
    assert not guard.objection([1])
    guard.devices[tmp_path] += 1
    assert not guard.objection([1])  # the mount came back under another number
    (tmp_path / "p.h5").unlink()
    assert "is empty and on another device than before; mount it again" in guard.objection([1])
