"""Decode, learn, and decode again: an instrument from traces of which nothing is known."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lauedepth.calibration.learning import limits
from lauedepth.calibration.learning.carrying import experiment_with
from lauedepth.calibration.learning.learn import LearnOptions, learn_instrument
from lauedepth.calibration.learning.pixels import start_from
from lauedepth.calibration.learning.result import InstrumentFit
from lauedepth.core.arrays import Floats
from lauedepth.core.decoding.decode import decode
from lauedepth.core.decoding.decoder import Decoder
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.known import KnownAperture


def learn_from_traces(
    experiment: Experiment,
    row: Floats,
    column: Floats,
    counts: npt.NDArray[np.generic],
    *,
    decoder: str | Decoder,
    usable: npt.NDArray[np.bool_] | None = None,
    options: LearnOptions | None = None,
    known: KnownAperture | None = None,
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
    known : KnownAperture, optional
        What points before this one told of the aperture. Then one pass is enough; where pixels
        held out contradict it, it is learnt anew.

    Returns
    -------
    InstrumentFit or None
        None where too few traces have a depth, or they do not determine the instrument.

    Raises
    ------
    InputError
        What is known belongs to another aperture.
    """
    source = _Traces(experiment, row, column, counts, decoder, usable, options or LearnOptions())
    if known is not None:
        fit = source.learn(experiment_with(known, experiment, source.options.scales), known=known)
        if fit is None or fit.misfit_after <= limits.CONTRADICTED:
            return fit
        anew = source.learn_anew()
        if anew is None or anew.misfit_after > limits.LESS_MISFIT * fit.misfit_after:
            return fit
        return replace(anew, contradicted=True)
    return source.learn_anew()


@dataclass(frozen=True)
class _Traces:
    """Traces of a point, and how to learn from them."""

    experiment: Experiment
    row: Floats
    column: Floats
    counts: npt.NDArray[np.generic]
    decoder: str | Decoder
    usable: npt.NDArray[np.bool_] | None
    options: LearnOptions

    def learn_anew(self) -> InstrumentFit | None:
        """Learn as if this were the first point, in two passes."""
        first = self.learn(self.experiment)
        if first is None or not first.accepted:
            return first
        return self.learn(first.applied_to(self.experiment), begin=first) or first

    def learn(
        self,
        through: Experiment,
        *,
        begin: InstrumentFit | None = None,
        known: KnownAperture | None = None,
    ) -> InstrumentFit | None:
        """Decode the traces through an instrument, and learn one from them."""
        found = decode(
            through, self.row, self.column, self.counts, backend=self.decoder, usable=self.usable
        )
        index, start = start_from(found)
        if index.size < limits.FEWEST_PIXELS:
            return None
        with suppress(np.linalg.LinAlgError):
            return learn_instrument(
                self.experiment,
                self.row[index],
                self.column[index],
                self.counts[index],
                start,
                usable=self.usable,
                options=self.options,
                begin=begin,
                known=known,
            )
        return None
