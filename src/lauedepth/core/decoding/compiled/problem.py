"""What all pixels of a call have in common, as compiled functions take it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lauedepth.core.arrays import Floats
from lauedepth.core.decoding import limits
from lauedepth.core.decoding.answers import footprint_bins
from lauedepth.core.decoding.compiled.types import Array
from lauedepth.core.decoding.pixels import DecodeOptions
from lauedepth.core.instrument.aperture import BarTable
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.raymap import RayMap


class Problem(NamedTuple):
    """What all pixels have in common.

    `geometry` holds the aperture's centre (code, normal), its step, the beam's direction,
    half the code's length and the thickness; `depths` (start, stop) in µm; `bins` (start,
    width) in µm. `positions` are where the aperture
    was at each frame, counted in even steps from the first frame used (`is_even`: 0, 1, 2 ...),
    `origin` is that of frame 0, `beam` the incident beam's relative intensity. `model_error` has
    rows (place along the code, variance) of `ModelError`, at least one.
    """

    bar_knots: Array
    bar_running: Array
    geometry: Array
    depths: Array
    bins: Array
    positions: Array
    beam: Array
    is_even: bool
    origin: float
    model_error: Array
    candidates: int
    with_energy: bool


def problem_of(experiment: Experiment, rays: RayMap, options: DecodeOptions) -> Problem:
    """Return what all pixels have in common, as the compiled functions take it."""
    table = BarTable.of(experiment.aperture)
    depths, bins = experiment.depths, footprint_bins(experiment.depths)
    first, stride = experiment.even_steps
    ends = rays.position_um(np.array([[depths.start_um], [depths.stop_um]]), first)
    middle = (depths.start_um + depths.stop_um) / 2
    step = np.abs(rays.advance_um(middle) * stride)
    return Problem(
        bar_knots=table.knots_um,
        bar_running=table.running_um,
        geometry=np.array(
            [
                *(rays.centre_mm + first * rays.step_mm)[:2],
                *(rays.step_mm * stride)[:2],
                *rays.beam[:2],
                rays.half_length_um,
                rays.thickness_um,
            ]
        ),
        depths=np.array([depths.start_um, depths.stop_um]),
        bins=np.array([bins.start_um, bins.width_um]),
        positions=(experiment.frame_positions - first) / stride,
        beam=experiment.frame_intensities,
        is_even=experiment.is_even,
        origin=-first / stride,
        model_error=_model_error(options),
        candidates=_candidates(ends, step, len(experiment.frames)),
        with_energy=options.energy is not None,
    )


def _candidates(ends_um: Floats, step_um: Floats, frames: int) -> int:
    """Return how many candidates the longest search has, of rays that are searched at all.

    Parameters
    ----------
    ends_um : (2, n) array
        Positions on the code from the first and the last depth.
    step_um : (n,) array
        Motion along the code between two frames.
    frames : int
    """
    near = np.all(np.abs(ends_um) < limits.MAXIMUM_POSITION_UM, axis=0)
    searched = near & (step_um * (frames - 1) >= limits.MINIMUM_TRAVEL_UM)
    step, span = step_um[searched], np.abs(ends_um[1] - ends_um[0])[searched]
    group = np.maximum(1, (limits.SEARCH_SPACING_UM / step).astype(np.int64))
    return int((span / (step * group)).max(initial=0.0)) + 2


def _model_error(options: DecodeOptions) -> Floats:
    known = options.model_error
    if known is None or not known.code_um.size:
        return np.zeros((1, 2))
    return np.stack([known.code_um, known.variance], axis=1)
