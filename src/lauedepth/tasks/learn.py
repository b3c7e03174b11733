"""Learn an aperture from points, for all points that are measured with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lauedepth.config import ExperimentConfig
from lauedepth.core.decoding.decoder import Decoder
from lauedepth.core.errors import InputError
from lauedepth.core.instrument.known import KnownAperture
from lauedepth.core.notices import Notice
from lauedepth.core.progress import Progress, no_progress, of_stage
from lauedepth.io.instrument import write_instrument
from lauedepth.tasks.reconstruct.learning import learn_from_point, notices_on
from lauedepth.tasks.reconstruct.opening import open_for
from lauedepth.tasks.reconstruct.range_cut import fit_to_point
from lauedepth.tasks.reconstruct.selection import Pixels, select_pixels, with_threshold

if TYPE_CHECKING:  # loads numba
    from lauedepth.calibration.learning import InstrumentFit


@dataclass(frozen=True)
class Learnt:
    """What one point told.

    Attributes
    ----------
    point : Path
    pixels_used : int
        Zero where nothing was learnt.
    accepted : bool
        Whether pixels held out fit significantly better.
    misfit_before, misfit_after : float
        Chi-square per degree of freedom of the pixels held out.
    edges_seen : float
        Part of the aperture's edges that are known so far.
    notices : tuple of Notice
    """

    point: Path
    pixels_used: int
    accepted: bool
    misfit_before: float
    misfit_after: float
    edges_seen: float
    notices: tuple[Notice, ...]


def learn_points(
    points: Sequence[Path],
    config: ExperimentConfig,
    output: Path,
    decoder: Decoder,
    *,
    pixels: Pixels | None = None,
    memory_bytes: int = 2**31,
    report: Callable[[Learnt], None] = lambda _: None,
    progress: Progress = no_progress,
) -> None:
    """Learn the aperture from one point after the other, and write what all of them told.

    Parameters
    ----------
    points : sequence of Path
    config : ExperimentConfig
        Its `instrument.file`, if any, is where the first point begins.
    output : Path
    decoder : Decoder
    pixels : float or mask, optional
        As for `reconstruct_point`.
    memory_bytes : int
    report : callable, optional
        Called with what each point told.
    progress : callable, optional
        Called with (stage, done, total).

    Raises
    ------
    InputError
        A point cannot be read, or none told anything.
    OutputError
        The file cannot be written.
    """
    on = config.instrument.model_copy(update={"learn": "auto"})
    config = with_threshold(config.model_copy(update={"instrument": on}), pixels)
    known: KnownAperture | None = None
    last: InstrumentFit | None = None
    for number, path in enumerate(points):
        progress("learn", number, len(points))
        fit, notices = _learn_one(path, config, decoder, known, memory_bytes, progress)
        if fit is not None:
            known, last = fit.aperture, fit
        report(_told(path, fit, notices))
    progress("learn", len(points), len(points))
    if known is None or last is None:
        raise InputError(
            "no point told anything of the aperture",
            ", ".join(str(path) for path in points),
            "give points with some tens of bright pixels, and check the experiment with them",
        )
    write_instrument(output, known, last.shown)


def _learn_one(
    path: Path,
    config: ExperimentConfig,
    decoder: Decoder,
    known: KnownAperture | None,
    memory_bytes: int,
    progress: Progress,
) -> tuple[InstrumentFit | None, tuple[Notice, ...]]:
    fitted = fit_to_point(config, path)
    with open_for(fitted, path) as point:
        lit = select_pixels(point, fitted, progress=of_stage(progress, "select"))
        fit = learn_from_point(point, fitted, lit, decoder, memory_bytes, known)
    return fit, notices_on(fitted, fit)


def _told(path: Path, fit: InstrumentFit | None, notices: tuple[Notice, ...]) -> Learnt:
    if fit is None:
        return Learnt(path, 0, False, float("nan"), float("nan"), 0.0, notices)
    return Learnt(
        path,
        fit.pixels_used,
        fit.accepted,
        fit.misfit_before,
        fit.misfit_after,
        fit.edges_seen,
        notices,
    )
