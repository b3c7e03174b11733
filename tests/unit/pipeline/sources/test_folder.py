"""What a watched folder shows, and what in it is refused."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from lauedepth.pipeline.errors import InputError, NotAPointError
from lauedepth.pipeline.sources import FolderSource, PointKind


def write(path: Path, shape: tuple[int, ...] = (3, 4, 5)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file["entry1/data/data"] = np.zeros(shape, np.uint16)
    return path


def keys(source: FolderSource) -> list[str]:
    return [sighting.key for sighting in source.scan()]


@pytest.mark.parametrize(
    "name",
    [
        "with space.h5",
        "quote'\".h5",
        "semi;colon.h5",
        "$(touch owned).h5",
        "µ-Ni_日本.h5",
        "-rf.h5",
        "{result}.h5",
        "new\nline.h5",
        "back\\slash.h5",
    ],
)
def test_odd_names_are_points_like_others(tmp_path: Path, name: str) -> None:
    write(tmp_path / name)
    source = FolderSource(tmp_path)
    (sighting,) = source.scan()
    assert sighting.key == name
    assert not sighting.refusal
    assert source.check(sighting) == 3


def test_dots_in_a_name_are_harmless(tmp_path: Path) -> None:
    write(tmp_path / "..h5..h5")
    write(tmp_path / "a..b.h5")
    assert keys(FolderSource(tmp_path)) == ["a..b.h5"]


def test_equal_names_in_two_folders_stay_apart(tmp_path: Path) -> None:
    write(tmp_path / "one" / "p.h5")
    write(tmp_path / "two" / "p.h5", (2, 4, 5))
    source = FolderSource(tmp_path)
    assert keys(source) == ["one/p.h5", "two/p.h5"]
    assert [source.check(s) for s in source.scan()] == [3, 2]


def test_natural_order(tmp_path: Path) -> None:
    for number in (10, 9, 1, 100):
        write(tmp_path / f"p_{number}.h5")
    assert keys(FolderSource(tmp_path)) == ["p_1.h5", "p_9.h5", "p_10.h5", "p_100.h5"]


def test_links_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside" / "secret.h5")
    watched = tmp_path / "watched"
    inside = write(watched / "inside.h5")
    (watched / "out.h5").symlink_to(outside)
    (watched / "in.h5").symlink_to(inside)
    (watched / "loop.h5").symlink_to(watched / "loop.h5")
    (watched / "folder").symlink_to(tmp_path / "outside")
    found = {s.key: s.refusal for s in FolderSource(watched).scan()}
    assert "leads out" in found["out.h5"]
    assert "leads out" in found["loop.h5"]
    assert found["in.h5"] == found["inside.h5"] == ""
    assert len(found) == 4


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "good.h5")
    shutil.copy(path, tmp_path / os.fsdecode(b"bad\xff.h5"))
    bad, good = sorted(FolderSource(tmp_path).scan(), key=lambda s: not s.refusal)
    assert "UTF-8" in bad.refusal
    assert not good.refusal


def test_a_name_too_long_is_refused(tmp_path: Path) -> None:
    write(tmp_path / ("x" * 245 + ".h5"))
    (sighting,) = FolderSource(tmp_path).scan()
    assert "longer" in sighting.refusal


def test_what_is_no_point_is_not_seen(tmp_path: Path) -> None:
    for name in ("notes.txt", ".hidden.h5", "a.h5.partial", "results/r.h5"):
        write(tmp_path / name)
    assert keys(FolderSource(tmp_path, avoid=(tmp_path / "results",))) == []


def test_marker(tmp_path: Path) -> None:
    write(tmp_path / "a.h5")
    source = FolderSource(tmp_path, marker=".ready")
    assert not source.scan()[0].marked
    (tmp_path / "a.h5.ready").touch()
    assert source.scan()[0].marked


def test_a_point_of_one_frame_files(tmp_path: Path) -> None:
    for number in (0, 2, 10, 1):
        write(tmp_path / "p1" / f"im_{number}.h5", (4, 5))
    source = FolderSource(tmp_path, PointKind.FOLDER, frames=4)
    (sighting,) = source.scan()
    assert sighting.key == "p1"
    assert [m.name for m in sighting.members] == [f"p1/im_{n}.h5" for n in (0, 1, 2, 10)]
    assert source.check(sighting) == 4
    (tmp_path / "p1.done").touch()
    assert source.scan()[0].marked


def test_news_are_new_points_and_those_asked_for(tmp_path: Path) -> None:
    for name in ("old.h5", "arriving.h5", "gone.h5"):
        write(tmp_path / name)
    source = FolderSource(tmp_path)
    source.scan()
    (tmp_path / "gone.h5").unlink()
    write(tmp_path / "arriving.h5", (9, 4, 5))
    (tmp_path / "arriving.h5.done").touch()
    write(tmp_path / "sub" / "new.h5")
    (tmp_path / "link.h5").symlink_to("/etc/passwd")
    found = {s.key: s for s in source.news(["arriving.h5", "gone.h5"])}
    assert sorted(found) == ["arriving.h5", "link.h5", "sub/new.h5"]
    assert found["arriving.h5"].marked
    assert "leads out" in found["link.h5"].refusal
    same = {s.key: s for s in source.scan()}
    assert all(same[key] == sighting for key, sighting in found.items())


def test_news_of_points_of_one_frame_files(tmp_path: Path) -> None:
    for point in ("p1", "p2"):
        write(tmp_path / point / "im_0.h5", (4, 5))
    source = FolderSource(tmp_path, PointKind.FOLDER)
    source.scan()
    write(tmp_path / "p1" / "im_1.h5", (4, 5))
    write(tmp_path / "p3" / "im_0.h5", (4, 5))
    assert {s.key for s in source.news(["p1", "p9"])} >= {"p1", "p3"}
    found = {s.key: s for s in source.news(["p1", "p2"])}
    assert found == {s.key: s for s in source.scan()}
    assert len(found["p1"].members) == 2


def test_frames_of_two_sizes_are_no_point(tmp_path: Path) -> None:
    write(tmp_path / "p1" / "im_0.h5", (4, 5))
    write(tmp_path / "p1" / "im_1.h5", (4, 6))
    source = FolderSource(tmp_path, PointKind.FOLDER)
    with pytest.raises(InputError, match="but others are"):
        source.check(source.scan()[0])


def test_wrong_number_of_frames(tmp_path: Path) -> None:
    write(tmp_path / "a.h5")
    source = FolderSource(tmp_path, frames=300)
    with pytest.raises(InputError, match="has 3 frames, not the expected 300"):
        source.check(source.scan()[0])


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        FolderSource(tmp_path / "nowhere")


def test_a_folder_that_vanishes(tmp_path: Path) -> None:
    folder = tmp_path / "mount"
    folder.mkdir()
    source = FolderSource(folder)
    folder.rmdir()
    with pytest.raises(InputError, match="has vanished"):
        source.scan()
    folder.mkdir()
    assert source.scan() == []


def test_a_folder_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = FolderSource(tmp_path)

    def refuse(_: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InputError, match="may not be read any more"):
        source.scan()


def test_an_empty_folder_where_a_mount_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = FolderSource(tmp_path)
    real = Path.stat

    def elsewhere(path: Path, **_: bool) -> os.stat_result:
        status = list(real(path))
        status[2] += 1  # the device
        return os.stat_result(status)

    monkeypatch.setattr(Path, "stat", elsewhere)
    with pytest.raises(InputError, match="empty and on another device than before"):
        source.scan()
    with pytest.raises(InputError, match="empty and on another device than before"):
        source.scan()
    write(tmp_path / "p.h5")  # mounted again, under another number
    assert keys(source) == ["p.h5"]
    (tmp_path / "p.h5").unlink()
    assert keys(source) == []


@pytest.mark.parametrize("name", ["entry1/reconstruction/program", "truth/depth_um"])
def test_what_this_program_wrote_is_no_point(tmp_path: Path, name: str) -> None:
    with h5py.File(write(tmp_path / "p.h5"), "a") as file:
        file[name] = np.zeros(3)
    source = FolderSource(tmp_path)
    (sighting,) = source.scan()
    assert source.is_own(sighting)
    with pytest.raises(NotAPointError, match=r"p\.h5: is "):
        source.check(sighting)


def test_a_detectors_file_and_a_broken_one_are_not_taken_for_this_programs(tmp_path: Path) -> None:
    write(tmp_path / "p.h5")
    (tmp_path / "q.h5").write_text("no HDF5")
    source = FolderSource(tmp_path)
    assert not any(source.is_own(sighting) for sighting in source.scan())


def test_a_raw_point_with_an_empty_depth_is_a_point(tmp_path: Path) -> None:
    with h5py.File(write(tmp_path / "p.h5"), "a") as file:
        file["entry1/depth"] = np.nan
    source = FolderSource(tmp_path)
    (sighting,) = source.scan()
    assert not source.is_own(sighting)
    source.check(sighting)
