"""One point from file to file."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest

from lauedepth.core.decoding.cpu.decoder import CpuDecoder
from lauedepth.core.decoding.decoder import Decoder
from lauedepth.core.errors import OutputError
from lauedepth.core.notices import Level
from lauedepth.io import read_result, validate_file
from lauedepth.tasks.reconstruct import (
    Summary,
    reconstruct_point,
)
from lauedepth.tasks.reconstruct.alone import STEPS
from lauedepth.tasks.reconstruct.checkpoint import CheckpointError, blocks_folder
from lauedepth.tasks.reconstruct.memory import BASE_BYTES, MEMORY_BYTES

if TYPE_CHECKING:
    from .conftest import SmallPoint


def digests(path: Path) -> dict[str, str]:
    """Return a digest of each dataset's values, timings left out."""
    found: dict[str, str] = {}

    def visit(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset) and not name.endswith("timings"):
            found[name] = hashlib.sha256(np.asarray(item[()]).tobytes()).hexdigest()

    with h5py.File(path) as file:
        file.visititems(visit)
    return found


@pytest.fixture(scope="session")
def undisturbed(small_point: SmallPoint, tmp_path_factory: pytest.TempPathFactory) -> Summary:
    output = tmp_path_factory.mktemp("result") / "r.h5"
    return reconstruct_point(small_point.path, small_point.config, output)


def test_the_truth_is_found(small_point: SmallPoint, undisturbed: Summary) -> None:
    assert validate_file(undisturbed.output) == []
    result, truth = read_result(undisturbed.output), small_point.truth
    found = result.pixels[np.isfinite(result.pixels["depth"])]
    places = set(zip(found["row"].tolist(), found["column"].tolist(), strict=True))
    assert places == set(zip(truth["row"].tolist(), truth["column"].tolist(), strict=True))
    order = np.lexsort((found["column"], found["row"]))
    error = np.abs(found["depth"][order] - truth["depth_um"])
    assert np.median(error) < 0.05
    assert undisturbed.statuses == {"decoded": truth.size}
    assert undisturbed.depths_found == truth.size
    assert undisturbed.pixels == truth.size
    assert not blocks_folder(undisturbed.output).exists()
    assert set(undisturbed.seconds) == {*STEPS, "total"}


def test_the_images_hold_the_light_of_each_pixel(
    small_point: SmallPoint, undisturbed: Summary
) -> None:
    image, profile = read_result(undisturbed.output).sums()
    truth = small_point.truth
    np.testing.assert_allclose(image[truth["row"], truth["column"]], truth["intensity"], rtol=0.02)
    assert np.count_nonzero(image) == truth.size
    assert profile.sum() == pytest.approx(image.sum())


@pytest.mark.parametrize("blocks_done", [0, 1, 2, 3, 4])
def test_a_stopped_run_resumes_to_the_same_bytes(
    small_point: SmallPoint, undisturbed: Summary, tmp_path: Path, blocks_done: int
) -> None:
    output, calls = tmp_path / "r.h5", [0]

    def stop(stage: str, done: int, total: int) -> None:
        if stage in {"decode", "write"}:
            calls[0] += 1
            if calls[0] > blocks_done + 1:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reconstruct_point(small_point.path, small_point.config, output, progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["r.h5.blocks"]
    summary = reconstruct_point(small_point.path, small_point.config, output, resume=True)
    assert summary.resumed_blocks >= min(blocks_done, undisturbed.blocks)
    assert digests(output) == digests(undisturbed.output)
    assert [path.name for path in tmp_path.iterdir()] == ["r.h5"]


def test_little_memory_gives_the_same_bytes(
    small_point: SmallPoint, undisturbed: Summary, tmp_path: Path
) -> None:
    output = tmp_path / "r.h5"
    reconstruct_point(
        small_point.path, small_point.config, output, memory_bytes=BASE_BYTES + 2 * 261 * 48 * 20
    )
    assert digests(output) == digests(undisturbed.output)


class Batched(CpuDecoder):
    """The CPU's decoder as a device would be used: many pixels per call, as frames."""

    batch_pixels = 100_000
    prefers_frames = True


@pytest.fixture
def batched() -> Decoder:
    return Batched()


@pytest.mark.parametrize("memory_bytes", [MEMORY_BYTES, BASE_BYTES + 3 * 261 * 2 * 48 * 130])
def test_large_batches_of_frames_give_the_same_bytes(
    small_point: SmallPoint,
    undisturbed: Summary,
    batched: Decoder,
    tmp_path: Path,
    memory_bytes: int,
) -> None:
    summary = reconstruct_point(
        small_point.path,
        small_point.config,
        tmp_path / "r.h5",
        backend=batched,
        memory_bytes=memory_bytes,
    )
    assert (summary.blocks, undisturbed.blocks) == (1 if memory_bytes == MEMORY_BYTES else 2, 4)
    assert digests(summary.output) == digests(undisturbed.output)


def test_a_stopped_run_of_large_batches_repeats_no_finished_block(
    small_point: SmallPoint, undisturbed: Summary, batched: Decoder, tmp_path: Path
) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if stage == "decode" and done:
            raise KeyboardInterrupt

    output, little = tmp_path / "r.h5", BASE_BYTES + 3 * 261 * 2 * 48 * 130
    where = small_point.path, small_point.config, output
    with pytest.raises(KeyboardInterrupt):
        reconstruct_point(*where, backend=batched, memory_bytes=little, progress=stop)
    summary = reconstruct_point(*where, backend=batched, resume=True)
    assert (summary.resumed_blocks, summary.blocks) == (1, 2)
    assert digests(output) == digests(undisturbed.output)


def test_a_finished_result_is_kept_on_resume_but_not_without(
    small_point: SmallPoint, tmp_path: Path
) -> None:
    output = tmp_path / "r.h5"
    first = reconstruct_point(small_point.path, small_point.config, output)
    stamp = output.stat().st_mtime_ns
    again = reconstruct_point(small_point.path, small_point.config, output, resume=True)
    assert output.stat().st_mtime_ns == stamp
    assert (again.statuses, again.depths_found) == (first.statuses, first.depths_found)
    *earlier, finished = again.notices
    assert tuple(earlier) == first.notices
    assert finished.what == "was finished already"
    reconstruct_point(small_point.path, small_point.config, output, resume=True, pixels=30.0)
    assert output.stat().st_mtime_ns != stamp


def test_blocks_of_another_configuration_are_refused(
    small_point: SmallPoint, tmp_path: Path
) -> None:
    output = tmp_path / "r.h5"

    def stop(stage: str, done: int, total: int) -> None:
        if stage == "decode" and done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reconstruct_point(small_point.path, small_point.config, output, progress=stop)
    with pytest.raises(CheckpointError, match="another configuration"):
        reconstruct_point(small_point.path, small_point.config, output, pixels=30.0, resume=True)


def test_only_a_result_is_replaced(small_point: SmallPoint, tmp_path: Path) -> None:
    other = tmp_path / "notes.h5"
    other.write_text("mine")
    before = small_point.path.read_bytes()
    for output in (other, small_point.path):
        with pytest.raises(OutputError, match="is not a result"):
            reconstruct_point(small_point.path, small_point.config, output)
    assert other.read_text() == "mine"
    assert small_point.path.read_bytes() == before


def test_a_mask_chooses_pixels_whatever_their_counts(
    small_point: SmallPoint, tmp_path: Path
) -> None:
    mask = np.zeros((2048, 2048), np.bool_)
    mask[900:902, 1000:1003] = True
    summary = reconstruct_point(
        small_point.path, small_point.config, tmp_path / "r.h5", pixels=mask
    )
    pixels = read_result(summary.output).pixels
    places = sorted(zip(pixels["row"].tolist(), pixels["column"].tolist(), strict=True))
    assert places == [(row, column) for row in (0, 1) for column in (0, 1, 2)]


def test_no_bright_pixel_gives_an_empty_result_and_a_warning(
    small_point: SmallPoint, tmp_path: Path
) -> None:
    summary = reconstruct_point(small_point.path, small_point.config, tmp_path / "r.h5", pixels=1e6)
    assert summary.pixels == 0
    assert [one.code for one in summary.notices] == ["no-pixels"]
    assert read_result(summary.output).notices == summary.notices
    assert validate_file(summary.output) == []


def test_lost_frames_are_told_and_left_out(
    point_with_lost_frames: SmallPoint, tmp_path: Path
) -> None:
    lost = point_with_lost_frames
    summary = reconstruct_point(lost.path, lost.config, tmp_path / "r.h5")
    (lost_frames,) = (one for one in summary.notices if one.level is Level.WARNING)
    assert lost_frames.code == "frames-lost"
    assert lost_frames.what == "3 of 261 frames are lost: 0, 77, 260 not stored"
    result = read_result(summary.output)
    assert result.notices == summary.notices
    pixels = result.pixels
    order = np.lexsort((pixels["column"], pixels["row"]))
    error = np.abs(pixels["depth"][order] - lost.truth["depth_um"])
    assert np.median(error) < 0.05


def test_the_input_s_metadata_is_in_the_result(undisturbed: Summary) -> None:
    result = read_result(undisturbed.output)
    assert float(result.metadata["entry1/sample/sampleY"]) == 2.0
    assert "footprint" in result.provenance.configuration
    assert result.provenance.backend == undisturbed.backend


def test_a_run_killed_after_publishing_leaves_nothing_when_resumed(
    small_point: SmallPoint, tmp_path: Path
) -> None:
    output, blocks = tmp_path / "r.h5", tmp_path / "r.h5.blocks"
    reconstruct_point(small_point.path, small_point.config, output)
    blocks.mkdir()
    for name in ("block_000003.npz", "rank_5", "lock", "plan.json"):
        (blocks / name).touch()
    summary = reconstruct_point(small_point.path, small_point.config, output, resume=True)
    assert summary.notices[-1].code == "finished-already"
    assert [path.name for path in tmp_path.iterdir()] == ["r.h5"]
