"""Reconstruct one point: read → blocks → decode → write, with resume."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lauedepth.checkpoint import Checkpoint, RunIdentity, open_checkpoint
from lauedepth.config import ExperimentConfig
from lauedepth.core.backends.registry import Backend, choose_backend
from lauedepth.core.errors import LaueDepthError, OutputError
from lauedepth.core.experiment import Experiment
from lauedepth.core.pixels import DecodedPixels
from lauedepth.io import Point, open_point, read_result
from lauedepth.reconstruct.blocks import (
    BLOCK_PIXELS,
    Block,
    Reading,
    decode_block,
    plan_blocks,
    plan_readings,
    traces_of,
)
from lauedepth.reconstruct.compiling import compile_backend
from lauedepth.reconstruct.identity import is_finished, run_identity
from lauedepth.reconstruct.publishing import Tally, publish_result
from lauedepth.reconstruct.selection import Mask, Pixels, select_pixels, with_threshold

MEMORY_BYTES: Final = 2 * 2**30
"""Memory that a run is meant to need."""

BASE_BYTES: Final = 512 * 2**20
"""What is needed beside the bands of rows: the program, tables and blocks at work."""

STEPS: Final = ("select", "compile", "read", "decode", "write")

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total); stages are select, compile, decode and write."""


@dataclass(frozen=True)
class Summary:
    """What a run did.

    Attributes
    ----------
    point, output : Path
    backend : str
    pixels : int
        Pixels looked at.
    statuses : mapping of str to int
        Pixels by status, in lower case.
    depths_found : int
        Depths, of which a pixel can have two.
    resumed_blocks, blocks : int
        Blocks that were there already, and in all.
    seconds : dict of str to float
        select, compile, read, decode, write and total; reading goes on while decoding.
    warnings : tuple of str
    """

    point: Path
    output: Path
    backend: str
    pixels: int
    statuses: Mapping[str, int]
    depths_found: int
    resumed_blocks: int = 0
    blocks: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Run:
    """What the steps of one run share; each step is timed by one thread alone."""

    point: Point
    config: ExperimentConfig
    experiment: Experiment
    backend: Backend
    output: Path
    identity: RunIdentity
    checkpoint: Checkpoint
    progress: Progress
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STEPS, 0.0))

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Add to the seconds of a step."""
        begin = perf_counter()
        try:
            yield
        finally:
            self.seconds[step] += perf_counter() - begin

    def select(self, mask: Mask | None) -> Mask:
        """Choose the pixels."""
        with self.timed("select"):
            return select_pixels(
                self.point,
                self.config,
                mask,
                progress=lambda done, total: self.progress("select", done, total),
            )

    def compile(self) -> None:
        """Let the backend compile itself, if it has to."""
        with self.timed("compile"):
            compile_backend(
                self.backend,
                self.experiment,
                self.config.decode_options(),
                lambda done, total: self.progress("compile", done, total),
            )

    def read(self, reading: Reading) -> npt.NDArray[Any]:
        """Read a band of rows."""
        with self.timed("read"):
            return self.point.read_rows(reading.row_start, reading.row_stop)

    def decode(self, block: Block, reading: Reading, band: npt.NDArray[Any]) -> DecodedPixels:
        """Decode a block of a band."""
        with self.timed("decode"):
            return decode_block(
                self.experiment,
                self.point.region,
                block,
                traces_of(band, reading.row_start, block),
                backend=self.backend,
                options=self.config.decode_options(),
                usable=self.point.usable,
            )

    def keep(self, block: Block, decoded: DecodedPixels) -> None:
        """Put a finished block beside the output."""
        with self.timed("write"):
            self.checkpoint.save(block.number, decoded)


def reconstruct_point(
    point_path: Path | str,
    config: ExperimentConfig,
    output: Path | str,
    *,
    backend: str = "auto",
    pixels: Pixels | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    memory_bytes: int = MEMORY_BYTES,
) -> Summary:
    """Reconstruct one point and publish its result.

    Finished blocks are kept beside the output, in ``NAME.blocks``, until the result stands
    under its name; a run that was stopped is gone on with by ``resume``.

    Parameters
    ----------
    point_path : Path or str
        A stack, or a folder with a series of frames.
    config : ExperimentConfig
        How to decode is in it too.
    output : Path or str
        The result. An older result there is replaced, any other file is not.
    backend : str
    pixels : float or (ny, nx) bool array, optional
        Least mean count a frame, or a mask of the whole detector; the experiment's
        threshold by default.
    resume : bool
        Go on with what a stopped run left; a finished result is kept.
    progress : callable, optional
        Called with (stage, done, total).
    memory_bytes : int
        About how much memory to use.

    Returns
    -------
    Summary

    Raises
    ------
    InputError, ConfigurationError, OutputError, BackendUnavailableError, CheckpointError
        What is wrong, where, and what to do. An older result is still there then.
    """
    begin, output = perf_counter(), Path(output)
    config = with_threshold(config, pixels)
    mask = pixels if isinstance(pixels, np.ndarray) else None
    chosen, experiment = choose_backend(backend), config.to_core()
    refuse_to_overwrite(output)
    with open_point(
        point_path,
        config.data.key,
        experiment.frames,
        detector=experiment.detector,
        first_number=config.data.first_number,
    ) as point:
        identity = run_identity(point, config, chosen.name, mask)
        if resume and is_finished(output, identity):
            return summary_of_finished(point, output, chosen.name)
        with open_checkpoint(output, identity, resume=resume) as checkpoint:
            tell = progress or _no_progress
            run = _Run(
                point, config, experiment, chosen, output, identity, checkpoint, progress=tell
            )
            summary = _reconstruct(run, mask, (memory_bytes - BASE_BYTES) // 2)
    summary.seconds["total"] = perf_counter() - begin
    return summary


def _reconstruct(run: _Run, mask: Mask | None, band_bytes: int) -> Summary:
    lit = run.select(mask)
    blocks = plan_blocks(lit, run.checkpoint.block_pixels(BLOCK_PIXELS))
    finished = run.checkpoint.finished()
    run.compile()
    left = [block for block in blocks if block.number not in finished]
    row_bytes = len(run.experiment.frames) * run.point.shape[2] * run.point.dtype.itemsize
    _decode_all(run, plan_readings(left, row_bytes, band_bytes), int(lit.sum()))
    tally = publish_result(
        run.output,
        run.point,
        run.config,
        blocks,
        run.checkpoint.load,
        backend=run.backend.name,
        identity=run.identity,
        seconds=run.seconds,
        progress=lambda done, total: run.progress("write", done, total),
    )
    run.checkpoint.remove()
    return Summary(
        point=run.point.path,
        output=run.output,
        backend=run.backend.name,
        pixels=int(lit.sum()),
        statuses=tally.named(),
        depths_found=tally.depths,
        resumed_blocks=len(blocks) - len(left),
        blocks=len(blocks),
        seconds=run.seconds,
        warnings=warnings_of(run.point, lit),
    )


def _decode_all(run: _Run, readings: Sequence[Reading], pixels: int) -> None:
    """Decode what is left; the next band is read and the last block kept meanwhile."""
    done = pixels - sum(len(block) for reading in readings for block in reading.blocks)
    run.progress("decode", done, pixels)
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as keeper:
        kept: Future[None] | None = None
        for reading, band in _bands(run, readings, reader):
            for block in reading.blocks:
                decoded = run.decode(block, reading, band)
                if kept is not None:
                    kept.result()
                kept = keeper.submit(run.keep, block, decoded)
                done += len(block)
                run.progress("decode", done, pixels)
        if kept is not None:
            kept.result()


def _bands(
    run: _Run, readings: Sequence[Reading], reader: ThreadPoolExecutor
) -> Iterator[tuple[Reading, npt.NDArray[Any]]]:
    """Yield bands of rows, one read ahead; no more than two are in memory."""
    coming = reader.submit(run.read, readings[0]) if readings else None
    for number, reading in enumerate(readings):
        assert coming is not None
        band = coming.result()
        coming = reader.submit(run.read, readings[number + 1]) if readings[number + 1 :] else None
        yield reading, band
        del band


def refuse_to_overwrite(output: Path) -> None:
    """Refuse an output that is a file of another kind, a point for instance."""
    if not output.exists():
        return
    try:
        read_result(output)
    except LaueDepthError:
        raise OutputError(
            "is there already and is not a result", str(output), "choose another name"
        ) from None


def warnings_of(point: Point, lit: Mask) -> tuple[str, ...]:
    """Return what a user should know of a point's frames and pixels."""
    found = []
    lost = int((~point.usable).sum())
    if lost:
        found.append(f"{lost} of {point.usable.size} frames are lost")
    if not lit.any():
        found.append("no pixel is bright enough; lower --pixels or selection.min_mean_counts")
    return tuple(found)


def summary_of_finished(point: Point, output: Path, backend: str) -> Summary:
    """Return what a run would tell that finds its result there."""
    tally = Tally.of_result(read_result(output))
    return Summary(
        point=point.path,
        output=output,
        backend=backend,
        pixels=tally.by_status.total(),
        statuses=tally.named(),
        depths_found=tally.depths,
        warnings=("was finished already",),
    )


def _no_progress(stage: str, done: int, total: int) -> None:
    """Report nothing."""
