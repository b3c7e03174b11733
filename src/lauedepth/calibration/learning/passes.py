"""Decode, learn, and decode again: an instrument from traces of which nothing is known."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import numpy.typing as npt

from lauedepth.calibration.learning import limits
from lauedepth.calibration.learning.learn import LearnOptions, learn_instrument
from lauedepth.calibration.learning.pixels import start_from
from lauedepth.calibration.learning.result import InstrumentFit
from lauedepth.core.arrays import Floats
from lauedepth.core.decoding.decode import decode
from lauedepth.core.decoding.decoder import Decoder
from lauedepth.core.instrument.experiment import Experiment


def learn_from_traces(
    experiment: Experiment,
    row: Floats,
    column: Floats,
    counts: npt.NDArray[np.generic],
    *,
    decoder: str | Decoder,
    usable: npt.NDArray[np.bool_] | None = None,
    options: LearnOptions | None = None,
) -> InstrumentFit | None:
    """Learn bars, motion and beam from traces, of which a decoder finds the depths first.

    Where an instrument is accepted, the traces are decoded with it and teach once more: a
    departing instrument hides light, and with it the edges that this light has passed.

    Parameters
    ----------
    experiment : Experiment
        As designed.
    row, column : (n_pixels,) arrays
        Unbinned detector coordinates, of bright pixels spread over the detector.
    counts : (n_pixels, n_frames) array
    decoder : str or Decoder
        As for `decode`.
    usable : (n_frames,) bool array, optional
        False for frames that were lost.
    options : LearnOptions, optional

    Returns
    -------
    InstrumentFit or None
        None where too few traces have a depth, or they do not determine the instrument.
    """
    fit: InstrumentFit | None = None
    for _ in range(2):
        known = experiment if fit is None else fit.applied_to(experiment)
        found = decode(known, row, column, counts, backend=decoder, usable=usable)
        index, start = start_from(found)
        if index.size < limits.FEWEST_PIXELS:
            return fit
        with suppress(np.linalg.LinAlgError):
            fit = learn_instrument(
                experiment,
                row[index],
                column[index],
                counts[index],
                start,
                usable=usable,
                options=options,
                begin=fit,
            )
        if fit is None or not fit.accepted:
            return fit
    return fit
