"""The steps of the published decoding method, each on one trace.

The method is that of Prince et al., XLOOP '23 (section 2.1), with the numbers of the published
program's configuration. It works on the code's own samples: sample p of the padded code stands
at ``u = (p - pad_samples) * resolution_um`` along the code.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Final, Literal

import numpy as np
from scipy.interpolate import BSpline
from scipy.optimize import nnls

from lauedepth.core.arrays import Flags, Floats
from lauedepth.core.decoding.bins import Bins
from lauedepth.core.decoding.pixels import PublishedNumbers
from lauedepth.core.instrument.shadow import Shadow

WIDE_UM: Final = 1.0
"""Bins wider than this are filled in parts."""

TINY: Final = 1e-12


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
    values : (signal_samples,) array
        Non-negative; sample i stands at ``signal_centre - i`` samples of the code beyond the
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


def sampled_code(shadow: Shadow, length_um: float, numbers: PublishedNumbers) -> Floats:
    """Return how open the padded code is at each of its samples, seen along a ray.

    Parameters
    ----------
    shadow : Shadow
        Of the opaque aperture, for the ray's window.
    length_um : float
        Length of the code.
    numbers : PublishedNumbers

    Returns
    -------
    (n_samples,) array
        Each is the mean over the sample before it, as the program fills its samples.
    """
    count = round(length_um / numbers.resolution_um) + 2 * numbers.pad_samples
    end = (np.arange(count, dtype=np.float64) - numbers.pad_samples) * numbers.resolution_um
    return shadow.mean(end - numbers.resolution_um, end)


def nominal_signal(width_um: float, numbers: PublishedNumbers) -> Floats:
    """Return the signal that the search assumes: an even one in the middle, of sum 1.

    Parameters
    ----------
    width_um : float
        Length of code over which it spreads.
    numbers : PublishedNumbers
    """
    samples = numbers.signal_samples
    from_middle = np.abs(np.arange(samples) - (samples - 1) / 2)
    half = max(width_um / numbers.resolution_um, 1.0) / 2
    covered = np.clip(half + 0.5 - from_middle, 0.0, 1.0)
    return np.asarray(covered / covered.sum())


def blur(code: Floats, signal: Floats) -> Floats:
    """Return the code as a signal sees it: the trace expected at each position.

    Sample i of the signal stands at ``centre - i`` samples beyond the position.
    """
    centre = (signal.size - 1) // 2
    return np.convolve(code, signal)[centre : centre + code.size]


def search_position(
    expected: Floats,
    trace: Floats,
    difference: Literal["squared", "absolute"],
    regularisation: float = 0.0,
    measured: Flags | None = None,
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
    regularisation : float
        Weight of the squared sample of the code in the sum of differences.
    measured : (n_trace,) bool array, optional
        Samples that count; all by default.

    Returns
    -------
    int or None
        The sample of the code at the trace's first; None where the trace stands still on the
        code or is as long as it.
    """
    if not 1 < trace.size < expected.size:
        return None
    measure = np.square if difference == "squared" else np.abs
    counted = slice(None) if measured is None else measured
    mean = np.empty(expected.size - trace.size)
    for start in range(mean.size):
        differences = expected[start : start + trace.size] - trace
        mean[start] = np.mean(measure(differences[counted]))
    mean += regularisation * np.arange(mean.size) ** 2.0 / trace.size
    return int(np.argmin(mean))


def spline_basis(numbers: PublishedNumbers) -> Floats:
    """Return the B-splines of a signal, integrated over its samples.

    Returns
    -------
    (signal_samples, spline_count) array
        One spline starts at each knot, as far as they fit.
    """
    reach, spacing = numbers.spline_order + 1, numbers.knot_spacing
    spline = BSpline.basis_element(np.arange(reach + 1) * spacing)
    weights = np.array([float(spline.integrate(k, k + 1)) for k in range(reach * spacing)])
    basis = np.zeros((numbers.signal_samples, numbers.spline_count))
    for index in range(basis.shape[1]):
        start = index * spacing
        basis[start : start + weights.size, index] = weights
    return basis


def recover_signal(
    code: Floats, trace: Floats, position: int, basis: Floats, measured: Flags | None = None
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
    basis : (signal_samples, spline_count) array
        From `spline_basis`.
    measured : (n_trace,) bool array, optional
        Samples that count; all by default.

    Returns
    -------
    RecoveredSignal or None
        None where the signal's window leaves the code or nothing positive fits.
    """
    samples = basis.shape[0]
    begin = position - (samples - 1) // 2 - 1
    if begin < 0 or begin + trace.size + samples - 1 > code.size:
        return None
    windows = np.lib.stride_tricks.sliding_window_view(code, samples)
    terms = windows[begin : begin + trace.size] @ basis
    try:
        counted = slice(None) if measured is None else measured
        weights, _ = nnls(terms[counted], trace[counted])
    except RuntimeError:  # no convergence
        return None
    # The program turns the weights round, not the signal: where the last knot is not the
    # signal's end that differs by the samples between them.
    values = basis @ weights[::-1]
    if not values.sum() > 0:
        return None
    return RecoveredSignal(values, terms @ weights, int(np.count_nonzero(weights)))


def depth_profile(
    signal: Floats, depth_um: float, sample_depth_um: float, spline_samples: int, bins: Bins
) -> Floats:
    """Lay a signal on depth bins, as the program does it: resampled to a whole number of them.

    Bins wider than `WIDE_UM` or than a spline are filled in parts, for the resampling would
    skip over light otherwise.

    Parameters
    ----------
    signal : (n_samples,) array
    depth_um : float
        Depth of the position searched.
    sample_depth_um : float
        Depth that one sample of the signal spans.
    spline_samples : int
        Samples that one spline spans.
    bins : Bins

    Returns
    -------
    (bins.count,) array
        With the sum of the signal, but for what lies outside of the bins.
    """
    spline_um = spline_samples * sample_depth_um
    parts = max(round(bins.width_um / WIDE_UM), ceil(bins.width_um / spline_um))
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
