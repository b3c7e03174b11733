"""What points told of the aperture, carried from one point to the next in a file.

A point begins with what the file says when it begins, also when it is resumed, and adds what it
tells itself. Points that run side by side may miss each other's; nothing is counted twice.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lauedepth.core.errors import BusyError, LaueDepthError
from lauedepth.core.instrument.known import KnownAperture
from lauedepth.core.notices import Notice, note, warning
from lauedepth.io.instrument import read_instrument, write_instrument
from lauedepth.tasks.reconstruct.checkpoint import Checkpoint

if TYPE_CHECKING:  # loads numba
    from lauedepth.calibration.learning import InstrumentFit

MOST_POINTS: Final = 50
"""Points after which nothing is added any more: they know edges to what the model is worth, and
later points of a scan then begin with the same, in whatever order they come."""

FEWEST_EDGES: Final = 0.25
"""Part of the edges that a first point has to tell where it does not contradict the design."""


@dataclass(frozen=True)
class Carried:
    """What a point begins with.

    Attributes
    ----------
    known : KnownAperture or None
    kept : bool
        Whether the file may be written: it is one of ours, or there is none.
    notices : tuple of Notice
    """

    known: KnownAperture | None = None
    kept: bool = True
    notices: tuple[Notice, ...] = ()


def begin_with(file: Path, checkpoint: Checkpoint, design: str) -> Carried:
    """Return what is carried to a point, the same whenever its run is resumed.

    Parameters
    ----------
    file : Path
    checkpoint : Checkpoint
        Of the run.
    design : str
        Of the aperture that the experiment describes (`design_of`).
    """
    try:
        pinned = checkpoint.pin(file)
        known = None if pinned is None else read_instrument(pinned)
    except LaueDepthError as error:
        return Carried(kept=False, notices=(_not_carried(error.what, file),))
    if known is not None and known.design != design:
        return Carried(notices=(_begins_anew(file),))
    return Carried(known)


def hand_on(file: Path, begun: Carried, fit: InstrumentFit | None) -> tuple[Notice, ...]:
    """Add what a point told to the file, for the points that follow.

    A file that cannot be written is told, and fails nothing: the point has its result.
    """
    if fit is None or not begun.kept:
        return ()
    with suppress(BusyError):  # by a point at its side: this one's part is missing, no more
        return _add(file, fit)
    return ()


def _add(file: Path, fit: InstrumentFit) -> tuple[Notice, ...]:
    try:
        now = read_instrument(file) if file.exists() else None
        known = _with_point(now, fit)
        if known is not None and known is not now:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_instrument(file, known, fit.shown)
    except BusyError:
        raise
    except LaueDepthError as error:
        return (_not_carried(error.what, file),)
    except OSError as error:
        return (_not_carried((error.strerror or str(error)).lower(), file),)
    return ()


def _with_point(now: KnownAperture | None, fit: InstrumentFit) -> KnownAperture | None:
    """Return what the file shall say after a point, or None for nothing."""
    from lauedepth.calibration.learning import added  # noqa: PLC0415  loads numba

    told = fit.told
    if now is None or now.design != told.design or fit.contradicted:
        enough = fit.accepted or fit.edges_seen >= FEWEST_EDGES
        return fit.aperture if enough else None
    if len(now.points) >= MOST_POINTS or now.opaque != told.opaque:
        return now
    return added(now, told)


def _not_carried(what: str, file: Path) -> Notice:
    return warning(
        "instrument-not-carried",
        f"what points tell of the aperture is not carried to the next: {what}",
        str(file),
        "delete or name another file; results are right without it, and learning takes longer",
    )


def _begins_anew(file: Path) -> Notice:
    return note(
        "instrument-begins-anew",
        "what earlier points told belongs to another aperture than this one: it begins anew",
        str(file),
    )
