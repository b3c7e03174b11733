"""What a user should know of an instrument that was learnt."""

from __future__ import annotations

import numpy as np

from lauedepth.calibration.learning import limits
from lauedepth.calibration.learning.pixels import PixelFits
from lauedepth.calibration.learning.result import InstrumentFit
from lauedepth.core.instrument.experiment import Experiment


def remarks_on(fit: InstrumentFit, experiment: Experiment, pixels: PixelFits) -> tuple[str, ...]:
    """Return one line for each thing that is doubtful, or large, about an instrument.

    Parameters
    ----------
    fit : InstrumentFit
    experiment : Experiment
        As designed.
    pixels : PixelFits
        From which it was learnt.
    """
    return (*_doubts(fit, pixels), *(_departures(fit, experiment) if fit.accepted else ()))


def _doubts(fit: InstrumentFit, pixels: PixelFits) -> list[str]:
    lines = []
    if not fit.accepted:
        lines.append(
            f"nothing was gained on pixels held out ({fit.gain_sigma:.1f} standard errors): "
            "the instrument is taken as designed"
        )
    error_um = float(np.median(fit.position_error_um))
    if error_um > limits.FEW_PHOTONS_UM:
        lines.append(
            f"too few photons: positions are known to {error_um:.2f} µm per frame; "
            "give more or brighter pixels"
        )
    if fit.edges_seen < limits.FEWEST_EDGES:
        lines.append(
            f"only {100 * fit.edges_seen:.0f} % of the bars' edges were seen; "
            "depths that use the others rest on the design"
        )
    if spots_of(pixels) < limits.FEWEST_SPOTS:
        lines.append(
            "fewer than three spots: what is learnt may hold for this part of the detector only"
        )
    return lines


def _departures(fit: InstrumentFit, experiment: Experiment) -> list[str]:
    lines = []
    largest = float(np.abs(fit.position_um).max())
    if largest > limits.LARGE_POSITION_UM:
        lines.append(f"the aperture was up to {largest:.1f} µm from its place: check the motor")
    steps = np.polyfit(np.arange(fit.position_um.size), fit.position_um, 1)[0]
    stretch = steps / (experiment.motion.step_um * experiment.frames.stride)
    if abs(stretch) > limits.LARGE_STEP:
        lines.append(
            f"steps are {100 * stretch:+.2f} % from {experiment.motion.step_um:g} µm: "
            "correct motion.step_um, or calibrate: through a pose that is turned, steps look "
            "longer or shorter, and depths are wrong"
        )
    edge = float(np.std(fit.edge_offset_um))
    if edge > limits.LARGE_EDGE_UM:
        lines.append(
            f"the bars' edges lie {edge:.1f} µm (rms) from the design: "
            "is this the aperture that was used?"
        )
    if abs(fit.widening_um) > limits.LARGE_WIDENING_UM:
        lines.append(
            f"bars are {fit.widening_um:+.2f} µm wider than the experiment says: "
            "correct aperture.widening_um"
        )
    return lines


def spots_of(pixels: PixelFits) -> int:
    """Return how many groups of pixels lie apart on the detector, counted up to a few."""
    places = pixels.batch.pixel
    left = np.ones(len(pixels), bool)
    count = 0
    while left.any() and count < limits.FEWEST_SPOTS:
        near = np.linalg.norm(places - places[np.argmax(left)], axis=1) < limits.SPOT_MM
        left &= ~near
        count += 1
    return count
