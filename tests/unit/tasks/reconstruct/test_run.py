"""One order of steps, whoever takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lauedepth.config.pixel_mask import PixelMask
from lauedepth.core.decoding.cpu.decoder import CpuDecoder
from lauedepth.core.errors import OutputError
from lauedepth.core.progress import no_progress
from lauedepth.tasks.reconstruct.alone import OneProcess
from lauedepth.tasks.reconstruct.blocks import BlockSize, plan_blocks
from lauedepth.tasks.reconstruct.job import Job, WorkDone
from lauedepth.tasks.reconstruct.memory import MEMORY_BYTES
from lauedepth.tasks.reconstruct.run import Division, refuse_to_overwrite, run_job

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import SmallPoint

STEPS = ["agree", "open_checkpoint", "select", "block_size", "start_decoder", "decode", "finish"]


class Watched:
    """One process, and the steps that were asked of it."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self._process = OneProcess(CpuDecoder(), no_progress)

    def __getattr__(self, name: str) -> Any:
        if name in STEPS:
            self.steps.append(name)
        return getattr(self._process, name)


def job_of(point: SmallPoint, output: Path, *, resume: bool = False) -> Job:
    pixels = np.zeros((2048, 2048), np.bool_)
    pixels[900:902, 1000:1003] = True
    return Job.of(
        point.path,
        point.config,
        output,
        pixels=pixels,
        resume=resume,
        memory_bytes=MEMORY_BYTES,
    )


def test_the_steps_come_in_order_and_a_finished_result_needs_none(
    small_point: SmallPoint, tmp_path: Path
) -> None:
    first, second = Watched(), Watched()
    summary = run_job(job_of(small_point, tmp_path / "r.h5"), first)
    assert first.steps == STEPS
    assert summary.pixels == 6
    again = run_job(job_of(small_point, tmp_path / "r.h5", resume=True), second)
    assert second.steps == ["agree"]
    assert again.statuses == summary.statuses


def test_a_job_has_either_a_threshold_or_a_mask(small_point: SmallPoint, tmp_path: Path) -> None:
    assert job_of(small_point, tmp_path / "r.h5").mask is not None
    config = small_point.config
    job = Job.of("p.h5", config, "r.h5", pixels=31.0, resume=False, memory_bytes=MEMORY_BYTES)
    assert job.mask is None
    assert job.config.selection.min_mean_counts == 31.0


def test_the_experiment_s_own_mask_holds_unless_pixels_are_given(
    small_point: SmallPoint,
) -> None:
    own = np.zeros((2048, 2048), np.bool_)
    own[900, 1000:1010] = True
    selection = small_point.config.selection.model_copy(update={"mask": PixelMask.of(own)})
    config = small_point.config.model_copy(update={"selection": selection})
    for pixels, expected in ((None, own), (31.0, None), (~own, ~own)):
        job = Job.of("p.h5", config, "r.h5", pixels=pixels, resume=False, memory_bytes=MEMORY_BYTES)
        np.testing.assert_array_equal(job.mask, expected)


def test_a_division_counts_what_is_left() -> None:
    lit = np.ones((4, 10), np.bool_)
    blocks = plan_blocks(lit, BlockSize(10))
    division = Division(lit, blocks, blocks[1:])
    assert (division.pixels, division.pixels_finished) == (40, 10)


def test_the_seconds_of_a_step_add_up_even_when_it_fails() -> None:
    done = WorkDone()
    done.add("read", 2.0)
    with pytest.raises(KeyboardInterrupt), done.timed("read"):
        raise KeyboardInterrupt
    assert done.seconds["read"] >= 2.0
    assert list(done.seconds) == ["read"]


def test_a_file_that_is_no_result_is_never_overwritten(tmp_path: Path) -> None:
    refuse_to_overwrite(tmp_path / "new.h5")
    (tmp_path / "notes.h5").write_text("mine")
    with pytest.raises(OutputError, match="is not a result; choose another name"):
        refuse_to_overwrite(tmp_path / "notes.h5")
