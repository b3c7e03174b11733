"""Ranks meet only where MPI and the launcher count the same."""

from __future__ import annotations

import signal
from types import SimpleNamespace

import pytest

from lauedepth.core.errors import LaueDepthError
from lauedepth.tasks.parallel import joining
from lauedepth.tasks.parallel.joining import join_team
from lauedepth.tasks.parallel.launch import Launch


def with_mpi(monkeypatch: pytest.MonkeyPatch, ranks: int) -> None:
    """Have MPI know of so many ranks."""
    mpi = SimpleNamespace(
        COMM_WORLD=SimpleNamespace(Get_size=lambda: ranks),
        Get_library_version=lambda: "MPICH 4.2\nmore",
    )
    monkeypatch.setattr(joining, "_load_mpi", lambda: mpi)


def test_a_launcher_that_counts_otherwise_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with_mpi(monkeypatch, 1)
    with pytest.raises(
        LaueDepthError, match=r"MPICH 4\.2: Slurm started 4 ranks, but MPI knows of 1"
    ):
        join_team(Launch("Slurm", 0, 4), {})


def test_one_rank_is_no_team_and_signals_are_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    with_mpi(monkeypatch, 1)
    before = signal.getsignal(signal.SIGTERM)
    assert join_team(Launch("PMIx", 0, None), {}) is None
    assert signal.getsignal(signal.SIGTERM) is before
