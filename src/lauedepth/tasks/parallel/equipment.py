"""What a rank decodes with: its GPU or none, its threads, its decoder."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from time import time
from typing import Final

import psutil

from lauedepth.core.decoding.decoder import Decoder
from lauedepth.core.decoding.pixels import Method
from lauedepth.core.decoding.registry import Choice, PassedOver, choose_decoder
from lauedepth.core.errors import BackendUnavailableError
from lauedepth.tasks.parallel.devices import (
    VISIBLE,
    GpuSharing,
    gpu_of_rank,
    node_gpus,
    threads_of_rank,
)
from lauedepth.tasks.parallel.team import Team

THREADS: Final = "LAUEDEPTH_THREADS"


@dataclass(frozen=True)
class Equipment:
    """What a rank decodes with.

    Attributes
    ----------
    decoder : Decoder
    gpu : str or None
        As CUDA_VISIBLE_DEVICES names it.
    threads : int
    started_s : float
        How long this process took until the ranks had met.
    passed_over : tuple of PassedOver
        The decoders that "auto" would have preferred on this rank.
    backends : str
        The names of all ranks' decoders, each once: "cpu", "cpu+cuda".
    is_slow : bool
        Whether any rank's decoder is.
    """

    decoder: Decoder
    gpu: str | None
    threads: int
    started_s: float
    passed_over: tuple[PassedOver, ...]
    backends: str
    is_slow: bool


def equip_ranks(team: Team, wanted: str = "auto", method: Method = "footprint") -> Equipment:
    """Choose what each rank decodes with, once in a process; called by every rank.

    The environment then holds the choice for whatever asks: CUDA sees the GPUs that
    CUDA_VISIBLE_DEVICES names when it is loaded, so this comes before any decoder. A rank
    without a GPU takes "cpu" where "cuda" is wanted.

    Parameters
    ----------
    team : Team
    wanted : str
        Name of a decoder.
    method : {"footprint", "published"}
        What is to be decoded with.

    Raises
    ------
    BackendUnavailableError
        It cannot run on some rank, or no rank has a GPU for it.
    ConfigurationError
        An environment variable makes no sense.
    """
    started_s = time() - psutil.Process().create_time()

    def choose() -> tuple[str | None, int, Choice]:
        gpu = _take_gpu(team)
        spare = wanted == "cuda" and gpu is None
        return gpu, _take_threads(team), choose_decoder("cpu" if spare else wanted, method)

    def equip() -> Equipment:
        gpu, threads, choice = team.work(choose)
        names = team.exchange(choice.decoder.name)
        if wanted == "cuda" and not any(team.exchange(gpu)):
            raise BackendUnavailableError(
                "no rank found a GPU", "--backend", "ask the scheduler for GPUs, or use 'cpu'"
            )
        joined = "+".join(sorted(set(names)))
        slow = any(team.exchange(choice.decoder.is_slow))
        return Equipment(choice.decoder, gpu, threads, started_s, choice.passed_over, joined, slow)

    return team.together(equip)


def borrow_cores(team: Team) -> None:
    """Let this thread, and those it starts, use the cores of its node's ranks while they wait."""
    cores = set[int]().union(*(team.seats[rank].cores for rank in team.local_ranks()))
    with suppress(OSError):  # the node's ranks are kept apart
        os.sched_setaffinity(0, cores)


def _take_gpu(team: Team) -> str | None:
    neighbours = team.local_ranks()
    place = neighbours.index(team.rank)
    sharing = GpuSharing.of(os.environ)
    gpu = gpu_of_rank(place, len(neighbours), node_gpus(os.environ), sharing)
    os.environ[VISIBLE] = gpu or ""
    return gpu


def _take_threads(team: Team) -> int:
    if not os.environ.get(THREADS, "").isdigit():
        neighbours = team.local_ranks()
        cores = [team.seats[rank].cores for rank in neighbours]
        quota = team.seats[team.rank].quota
        share = threads_of_rank(neighbours.index(team.rank), cores, quota)
        os.environ[THREADS] = str(share)
    return max(1, int(os.environ[THREADS]))
