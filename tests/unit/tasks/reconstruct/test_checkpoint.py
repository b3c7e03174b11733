"""Finished blocks survive, belong to one run, and are never used when damaged."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from lauedepth.core.decoding.pixels import DecodedPixels
from lauedepth.core.errors import InputError, OutputError
from lauedepth.tasks.reconstruct.checkpoint import (
    CheckpointError,
    RunIdentity,
    blocks_folder,
    open_checkpoint,
)

RUN = RunIdentity.of(input=["point.h5", 1], configuration={"a": 1}, version="1")


def decoded(seed: int) -> DecodedPixels:
    rng = np.random.default_rng(seed)
    rows, values = 5, rng.random(12).astype(np.float32)
    others = {"intensity", "background", "background_error"}
    numbers = {
        field.name: rng.random(rows)
        for field in fields(DecodedPixels)
        if field.name.endswith(("_um", "_kev")) or field.name in others
    }
    return DecodedPixels(
        trace=np.arange(rows),
        status=np.ones(rows, np.uint8),
        flags=np.zeros(rows, np.uint8),
        residual=np.full(rows, np.nan),
        footprint_offset=np.array([0, 3, 3, 7, 12, 12]),
        footprint_start=np.arange(rows, dtype=np.int32),
        footprint=values,
        **numbers,
    )


def test_blocks_come_back_as_they_were(tmp_path: Path) -> None:
    with open_checkpoint(tmp_path / "r.h5", RUN, resume=False) as checkpoint:
        checkpoint.save(3, decoded(1))
    with open_checkpoint(tmp_path / "r.h5", RUN, resume=True) as checkpoint:
        assert checkpoint.finished() == {3}
        back = checkpoint.load(3)
        for field in fields(DecodedPixels):
            stored, original = getattr(back, field.name), getattr(decoded(1), field.name)
            np.testing.assert_array_equal(stored, original)
            assert stored.dtype == original.dtype
        checkpoint.remove()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("change", ["value", "length", "kind", "place", "empty"])
def test_a_block_that_was_changed_is_decoded_again(tmp_path: Path, change: str) -> None:
    block = decoded(1)
    if change == "empty":
        nothing = np.zeros(0)
        block = replace(block, footprint=nothing.astype(np.float32))
    with open_checkpoint(tmp_path / "r.h5", RUN, resume=False) as checkpoint:
        checkpoint.save(0, block)
        assert checkpoint.finished() == {0}
        path = checkpoint.folder / "block_000000.npz"
        with np.load(path) as stored:
            arrays = {name: stored[name] for name in stored.files}
        if change == "value":
            arrays["depth_um"][2] += 1e-9
        elif change == "length":
            arrays["depth_um"] = arrays["depth_um"][:-1]
        elif change == "kind":
            arrays["status"] = arrays["status"].astype("S4")
        else:
            path = path.rename(checkpoint.folder / "block_000001.npz")
        with path.open("wb") as stream:
            np.savez(stream, **arrays)
        assert checkpoint.finished() == set()
        assert not path.exists()


@pytest.mark.parametrize("place", [0.02, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_a_block_with_one_wrong_bit_is_not_used(tmp_path: Path, place: float) -> None:
    with open_checkpoint(tmp_path / "r.h5", RUN, resume=False) as checkpoint:
        checkpoint.save(0, decoded(1))
        path = checkpoint.folder / "block_000000.npz"
        content = bytearray(path.read_bytes())
        content[int(place * len(content))] ^= 0x10
        path.write_bytes(content)
        left = checkpoint.finished()
        if left:  # the bit meant nothing, such as a time of the archive
            for field in fields(DecodedPixels):
                np.testing.assert_array_equal(
                    getattr(checkpoint.load(0), field.name), getattr(decoded(1), field.name)
                )
        else:
            assert not path.exists()


def test_a_cut_block_is_not_used(tmp_path: Path) -> None:
    with open_checkpoint(tmp_path / "r.h5", RUN, resume=False) as checkpoint:
        checkpoint.save(0, decoded(1))
        path = checkpoint.folder / "block_000000.npz"
        path.write_bytes(path.read_bytes()[:-30])
        with pytest.raises(InputError, match="damaged"):
            checkpoint.load(0)
        assert checkpoint.finished() == set()


def test_blocks_of_another_run_are_refused_and_the_difference_is_named(tmp_path: Path) -> None:
    with open_checkpoint(tmp_path / "r.h5", RUN, resume=False) as checkpoint:
        checkpoint.save(0, decoded(1))
    other = RunIdentity.of(input=["point.h5", 2], configuration={"a": 1}, version="1")
    with (
        pytest.raises(CheckpointError, match=r"another input;.*--resume"),
        open_checkpoint(tmp_path / "r.h5", other, resume=True),
    ):
        pass
    assert len(list(blocks_folder(tmp_path / "r.h5").glob("block_*"))) == 1


def test_blocks_without_an_identity_are_refused(tmp_path: Path) -> None:
    with open_checkpoint(tmp_path / "r.h5", RUN, resume=False) as checkpoint:
        checkpoint.save(0, decoded(1))
        (checkpoint.folder / "run.json").unlink()
    with (
        pytest.raises(CheckpointError, match="do not say"),
        open_checkpoint(tmp_path / "r.h5", RUN, resume=True),
    ):
        pass


def test_without_resume_a_run_starts_over(tmp_path: Path) -> None:
    with open_checkpoint(tmp_path / "r.h5", RUN, resume=False) as checkpoint:
        checkpoint.save(0, decoded(1))
    with open_checkpoint(tmp_path / "r.h5", RUN, resume=False) as checkpoint:
        assert checkpoint.finished() == set()


def test_two_processes_cannot_work_on_one_output(tmp_path: Path) -> None:
    output = tmp_path / "r.h5"
    code = (
        "import sys; from pathlib import Path\n"
        "from lauedepth.tasks.reconstruct.checkpoint import RunIdentity, open_checkpoint\n"
        "with open_checkpoint(Path(sys.argv[1]), RunIdentity({}), resume=True): pass\n"
    )
    command = [sys.executable, "-c", code, str(output)]
    with open_checkpoint(output, RUN, resume=False):
        other = subprocess.run(command, capture_output=True, text=True, check=False)
    assert other.returncode == 1
    assert "is being reconstructed by another process" in other.stderr


def test_an_output_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(OutputError, match="cannot be written"),
        open_checkpoint(tmp_path / "file" / "r.h5", RUN, resume=False),
    ):
        pass


@pytest.mark.parametrize("kind", ["folder", "link", "lock"])
def test_a_folder_of_the_users_is_not_cleared(tmp_path: Path, kind: str) -> None:
    user, blocks = tmp_path / "user", tmp_path / "out.h5.blocks"
    user.mkdir()
    (user / "run.json").write_text("mine")
    if kind == "folder":
        user.rename(blocks)
        kept = blocks / "run.json"
    elif kind == "link":
        blocks.symlink_to(user)
        kept = user / "run.json"
    else:
        blocks.mkdir()
        (blocks / "lock").symlink_to(user / "run.json")
        kept = user / "run.json"
    with (
        pytest.raises(OutputError, match=r"is a link|was not made by|cannot be written"),
        open_checkpoint(tmp_path / "out.h5", RunIdentity.of(a=1), resume=False),
    ):
        pass
    assert kept.read_text() == "mine"
