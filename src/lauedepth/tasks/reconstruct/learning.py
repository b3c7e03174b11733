"""The instrument learnt from a point before it is decoded."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from lauedepth.config import ExperimentConfig
from lauedepth.core.arrays import Flags
from lauedepth.core.decoding.decoder import Decoder
from lauedepth.core.instrument.known import KnownAperture
from lauedepth.core.notices import Notice, note, warning
from lauedepth.io import Point
from lauedepth.io.instrument import read_instrument
from lauedepth.tasks.reconstruct.sampling import SampledTraces, sample_traces

if TYPE_CHECKING:  # loads numba
    from lauedepth.calibration.learning import InstrumentFit

CANDIDATES: Final = 4_000
"""Pixels whose traces are read to choose from."""

PIXELS: Final = 800
"""Bright pixels that teach and judge."""

PIXELS_IF_KNOWN: Final = 400
"""The same where the aperture is known, and only motion and beam are learnt anew."""


def learn_from_point(
    point: Point,
    config: ExperimentConfig,
    lit: Flags,
    decoder: Decoder,
    memory_bytes: int,
    known: KnownAperture | None = None,
) -> InstrumentFit | None:
    """Learn the instrument of a point from its bright pixels, where the experiment asks for it.

    Parameters
    ----------
    point : Point
        Open.
    config : ExperimentConfig
    lit : (rows, columns) bool array
        The pixels that will be decoded.
    decoder : Decoder
    memory_bytes : int
        Maximum size of the rows that are read at once.
    known : KnownAperture, optional
        What other points told of the aperture; otherwise the experiment's file says it.

    Returns
    -------
    InstrumentFit or None
        None where it is not asked for, too few pixels have a depth, or they do not determine it.
    """
    if config.instrument.learn == "off" or decoder.method != "footprint" or not lit.any():
        return None
    from lauedepth.calibration.learning import (  # noqa: PLC0415  loads numba
        LearnOptions,
        learn_from_traces,
    )

    if known is None and config.instrument.file is not None:
        known = read_instrument(config.instrument.file)
    number = PIXELS if known is None else PIXELS_IF_KNOWN
    traces = _bright(sample_traces(point, _thinned(lit), memory_bytes), point, number)
    row, column = point.region.unbinned(traces.row, traces.column)
    return learn_from_traces(
        config.to_core(),
        row,
        column,
        traces.counts,
        decoder=decoder,
        usable=point.usable,
        options=LearnOptions(
            energy_kev=config.instrument.spectrum_kev, name=str(point.path.resolve())
        ),
        known=known,
    )


def notices_on(config: ExperimentConfig, fit: InstrumentFit | None) -> tuple[Notice, ...]:
    """Return what a user should know of the instrument."""
    if config.instrument.learn == "off":
        return ()
    if fit is None:
        return (
            note(
                "instrument-not-learnt",
                "the instrument is taken as designed: the bright pixels do not tell it",
                "instrument.learn",
                "it takes some tens of bright pixels with a depth, and method footprint",
            ),
        )
    return (
        *([_learnt(fit)] if fit.accepted else []),
        *([_contradicted(config)] if fit.contradicted else []),
        *(
            warning("instrument", line, "instrument")
            if fit.accepted
            else note("instrument", line, "instrument")
            for line in fit.warnings
        ),
    )


def datasets_of(fit: InstrumentFit) -> dict[str, object]:
    """Return an instrument as the datasets that a result keeps of it."""
    values: dict[str, object] = {one.name: getattr(fit, one.name) for one in fields(fit)}
    del values["model_error"], values["aperture"], values["told"]
    values["points"] = "\n".join(fit.aperture.points)
    values["misfit_code_um"] = fit.model_error.code_um
    values["misfit_variance"] = fit.model_error.variance
    values["departed"] = " ".join(sorted(fit.departed))
    values["warnings"] = "\n".join(fit.warnings)
    return {
        name: int(value) if isinstance(value, bool) else value for name, value in values.items()
    }


def _learnt(fit: InstrumentFit) -> Notice:
    parts = ", ".join(sorted(fit.departed))
    return note(
        "instrument-learnt",
        f"the instrument was learnt from {fit.pixels_used} pixels ({parts}): "
        f"chi-square per degree of freedom {fit.misfit_before:.2f} to {fit.misfit_after:.2f} "
        f"on {fit.pixels_held_out} others",
        "instrument",
    )


def _contradicted(config: ExperimentConfig) -> Notice:
    return warning(
        "instrument-contradicted",
        "this point contradicts what other points told of the aperture, which was learnt anew",
        config.instrument.file or "instrument",
        "was the aperture exchanged or cleaned? then learn it again with `lauedepth learn`",
    )


def _thinned(lit: Flags) -> Flags:
    """Return some of the pixels, spread evenly."""
    places = np.flatnonzero(lit)
    chosen = np.zeros(lit.size, np.bool_)
    chosen[places[:: max(1, -(-places.size // CANDIDATES))]] = True
    return chosen.reshape(lit.shape)


def _bright(traces: SampledTraces, point: Point, number: int) -> SampledTraces:
    """Return the brightest traces, spread over the image."""
    from lauedepth.calibration import spread_choice  # noqa: PLC0415  (loads SciPy)

    counts: npt.NDArray[np.float64] = traces.counts[:, point.usable].astype(np.float64)
    worth = np.nan_to_num(counts.mean(axis=1))
    chosen = spread_choice(traces.row, traces.column, worth, number, point.region.shape)
    return traces.pick(np.sort(chosen))
