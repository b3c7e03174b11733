"""The steps of the published decoding method, each on one trace.

The method is that of Prince et al., XLOOP '23 (section 2.1), with the numbers of the published
program. It works on the code's own samples: sample p of the padded code stands at
``u = p * RESOLUTION_UM - PAD_UM`` along the code.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Final, Literal

import numpy as np
from scipy.interpolate import BSpline
from scipy.optimize import nnls

from lauedepth.core.arrays import Floats
from lauedepth.core.decoding.bins import Bins
from lauedepth.core.instrument.shadow import Shadow

RESOLUTION_UM: Final = 0.5
"""Spacing of the code's samples."""

PAD_UM: Final = 300.0
"""Open stretch added before and after the code."""

SIGNAL_UM: Final = 64
"""Length of code over which a signal is recovered."""

NOMINAL_DEPTH_UM: Final = 10.0
"""Stretch of depth that the search assumes to be lit."""

SPLINE_DEGREE: Final = 5
"""Degree of the splines of which a signal is made."""

DEPTH_STEP_UM: Final = 1.0
"""Step of depth to which a signal is resampled."""

TINY: Final = 1e-12

SIGNAL_SAMPLES: Final = round(SIGNAL_UM / RESOLUTION_UM)
"""Number of samples of a signal."""

SIGNAL_CENTRE: Final = (SIGNAL_SAMPLES - 1) // 2
"""Sample of a signal that stands at the position found by the search."""


@dataclass(frozen=True)
class NormalisedTrace:
    """A trace scaled so that 0 is behind a bar and 1 is in the open.

    Attributes
    ----------
    values : (n,) array
    floor : float
        Counts that became 0.
    contrast : float
        Counts between 0 and 1.
    """

    values: Floats
    floor: float
    contrast: float


@dataclass(frozen=True)
class RecoveredSignal:
    """What the code's shadow was blurred with.

    Attributes
    ----------
    values : (SIGNAL_SAMPLES,) array
        Non-negative; sample i stands at ``SIGNAL_CENTRE - i`` samples of the code beyond the
        position searched, so depth grows with i.
    expected : (n_samples,) array
        The stretched trace that it predicts.
    n_terms : int
        Number of splines used.
    """

    values: Floats
    expected: Floats
    n_terms: int


def normalise(trace: Floats) -> NormalisedTrace | None:
    """Correct a trace for its background and scale it to the code's range.

    The floor is the lowest count and twice its Poisson error, the ceiling the highest less
    twice its error. Where the error of the floor exceeds half of the range it is left out.

    Parameters
    ----------
    trace : (n,) array
        Counts.

    Returns
    -------
    NormalisedTrace or None
        None for a trace without contrast.
    """
    lowest, highest = float(trace.min()), float(trace.max())
    error = 2.0 * np.sqrt(max(lowest, 0.0))
    floor = lowest + (error if error <= (highest - lowest) / 2 else 0.0)
    above = highest - floor
    contrast = above - 2.0 * np.sqrt(max(above, 0.0))
    if not contrast > 0:
        return None
    return NormalisedTrace((trace - floor) / contrast, floor, float(contrast))


def stretch(values: Floats, size: int) -> Floats:
    """Resample evenly to another number of samples, linearly, first and last staying."""
    return np.interp(np.linspace(0.0, values.size - 1.0, size), np.arange(values.size), values)


def sampled_code(shadow: Shadow, length_um: float) -> Floats:
    """Return how open the padded code is at each of its samples, seen along a ray.

    Parameters
    ----------
    shadow : Shadow
        Of the opaque aperture, for the ray's window.
    length_um : float
        Length of the code.

    Returns
    -------
    (n_samples,) array
        Each is the mean over the sample before it, as the program fills its samples.
    """
    count = round((length_um + 2 * PAD_UM) / RESOLUTION_UM)
    end = np.arange(count, dtype=np.float64) * RESOLUTION_UM - PAD_UM
    return shadow.mean(end - RESOLUTION_UM, end)


def nominal_signal(width_um: float) -> Floats:
    """Return the signal that the search assumes: an even one in the middle, of sum 1.

    Parameters
    ----------
    width_um : float
        Length of code over which it spreads.
    """
    from_middle = np.abs(np.arange(SIGNAL_SAMPLES) - (SIGNAL_SAMPLES - 1) / 2)
    half = max(width_um / RESOLUTION_UM, 1.0) / 2
    covered = np.clip(half + 0.5 - from_middle, 0.0, 1.0)
    return np.asarray(covered / covered.sum())


def blur(code: Floats, signal: Floats) -> Floats:
    """Return the code as a signal sees it: the trace expected at each position.

    Sample i of the signal stands at ``SIGNAL_CENTRE - i`` samples beyond the position.
    """
    return np.convolve(code, signal)[SIGNAL_CENTRE : SIGNAL_CENTRE + code.size]


def search_position(
    expected: Floats, trace: Floats, difference: Literal["squared", "absolute"]
) -> int | None:
    """Slide a trace along the code and return where the mean difference is smallest.

    One candidate after the other over all of the code: the plain NumPy baseline.

    Parameters
    ----------
    expected : (n_code,) array
        The code, blurred with the nominal signal.
    trace : (n_trace,) array
        Normalised and stretched.
    difference : {"squared", "absolute"}
        What is averaged.

    Returns
    -------
    int or None
        The sample of the code at the trace's first; None where the trace stands still on the
        code or is as long as it.
    """
    if not 1 < trace.size < expected.size:
        return None
    measure = np.square if difference == "squared" else np.abs
    mean = np.empty(expected.size - trace.size)
    for start in range(mean.size):
        mean[start] = np.mean(measure(expected[start : start + trace.size] - trace))
    return int(np.argmin(mean))


def spline_basis() -> Floats:
    """Return the B-splines of a signal, integrated over its samples.

    Returns
    -------
    (SIGNAL_SAMPLES, n_splines) array
        One spline starts at each sample, as far as they fit.
    """
    reach = SPLINE_DEGREE + 1
    spline = BSpline.basis_element(np.arange(reach + 1))
    weights = np.array([float(spline.integrate(k, k + 1)) for k in range(reach)])
    basis = np.zeros((SIGNAL_SAMPLES, SIGNAL_SAMPLES - SPLINE_DEGREE))
    for start in range(basis.shape[1]):
        basis[start : start + reach, start] = weights
    return basis


def recover_signal(
    code: Floats, trace: Floats, position: int, basis: Floats
) -> RecoveredSignal | None:
    """Solve for the non-negative signal that blurs the code into the trace.

    Parameters
    ----------
    code : (n_code,) array
        How open the code is.
    trace : (n_trace,) array
        Normalised and stretched.
    position : int
        Sample of the code at the trace's first.
    basis : (SIGNAL_SAMPLES, n_splines) array
        From `spline_basis`.

    Returns
    -------
    RecoveredSignal or None
        None where the signal's window leaves the code or nothing positive fits.
    """
    begin = position - SIGNAL_CENTRE - 1
    if begin < 0 or begin + trace.size + SIGNAL_SAMPLES - 1 > code.size:
        return None
    windows = np.lib.stride_tricks.sliding_window_view(code, SIGNAL_SAMPLES)
    terms = windows[begin : begin + trace.size] @ basis
    try:
        weights, _ = nnls(terms, trace)
    except RuntimeError:  # no convergence
        return None
    values = (basis @ weights)[::-1]
    if not values.sum() > 0:
        return None
    return RecoveredSignal(values, terms @ weights, int(np.count_nonzero(weights)))


def depth_profile(signal: Floats, depth_um: float, sample_depth_um: float, bins: Bins) -> Floats:
    """Lay a signal on depth bins, as the program does it: resampled to a whole number of them.

    Bins wider than `DEPTH_STEP_UM` or than a spline are filled in parts, for the resampling
    would skip over light otherwise.

    Parameters
    ----------
    signal : (n_samples,) array
    depth_um : float
        Depth of the position searched.
    sample_depth_um : float
        Depth that one sample of the signal spans.
    bins : Bins

    Returns
    -------
    (bins.count,) array
        With the sum of the signal, but for what lies outside of the bins.
    """
    spline_um = (SPLINE_DEGREE + 1) * sample_depth_um
    parts = max(round(bins.width_um / DEPTH_STEP_UM), ceil(bins.width_um / spline_um))
    step_um = bins.width_um / parts
    size = max(round(signal.size * sample_depth_um / step_um), 1)
    fine = stretch(signal, size)
    fine *= signal.sum() / max(fine.sum(), TINY)
    first, share = divmod((depth_um - bins.start_um) / step_um - 0.5, 1.0)
    shared = np.append(fine * (1.0 - share), 0.0) + np.append(0.0, fine * share)
    target = int(first) - (size - 1) // 2 + np.arange(shared.size)
    inside = (target >= 0) & (target < bins.count * parts)
    profile = np.zeros(bins.count * parts)
    profile[target[inside]] = shared[inside]
    return np.asarray(profile.reshape(bins.count, parts).sum(axis=1))
