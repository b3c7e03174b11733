"""Reconstruct one point by this process alone."""

from __future__ import annotations

from pathlib import Path

from lauedepth.config import ExperimentConfig
from lauedepth.core.decoding.decoder import Decoder
from lauedepth.core.decoding.registry import choose_decoder
from lauedepth.core.progress import Progress, no_progress
from lauedepth.tasks.reconstruct.alone import OneProcess
from lauedepth.tasks.reconstruct.job import Job
from lauedepth.tasks.reconstruct.memory import MEMORY_BYTES
from lauedepth.tasks.reconstruct.run import run_job
from lauedepth.tasks.reconstruct.selection import Pixels
from lauedepth.tasks.reconstruct.summary import Summary


def reconstruct_point(
    point_path: Path | str,
    config: ExperimentConfig,
    output: Path | str,
    *,
    backend: str | Decoder = "auto",
    pixels: Pixels | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    memory_bytes: int = MEMORY_BYTES,
    carry: Path | None = None,
) -> Summary:
    """Reconstruct one point and publish its result.

    Finished blocks are kept beside the output, in ``NAME.blocks``, until the result stands
    under its name; ``resume`` continues a run that was stopped.

    Parameters
    ----------
    point_path : Path or str
        A stack, or a folder with a series of frames.
    config : ExperimentConfig
        How to decode is in it too.
    output : Path or str
        The result. An older result there is replaced, any other file is not.
    backend : str or Decoder
        Its name, or a decoder (`choose_decoder`), which keeps its memory from point to point.
    pixels : float or (ny, nx) bool array, optional
        Minimum of the mean counts per frame, or a mask of the whole detector; the experiment's
        threshold by default.
    resume : bool
        Resume what a stopped run left; a finished result is kept.
    progress : callable, optional
        Called with (stage, done, total); stages are select, compile, decode and write.
    memory_bytes : int
        Approximate memory limit.
    carry : Path, optional
        File with what points told of the aperture: this one begins with it, and adds to it. It
        is made where there is none.

    Returns
    -------
    Summary

    Raises
    ------
    InputError, ConfigurationError, OutputError, BackendUnavailableError, CheckpointError
        What is wrong, where, and what to do. An older result is still there then.
    """
    job = Job.of(
        point_path,
        config,
        output,
        pixels=pixels,
        resume=resume,
        memory_bytes=memory_bytes,
        carry=carry,
    )
    if isinstance(backend, str):
        backend = choose_decoder(backend, config.decode.method).decoder
    return run_job(job, OneProcess(backend, progress or no_progress))
