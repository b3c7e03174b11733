"""What a decoder takes and what it answers: plain arrays, one row per pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from lauedepth.core.arrays import Flags, Floats
from lauedepth.core.decoding import limits
from lauedepth.core.decoding.background import Background
from lauedepth.core.decoding.bins import Bins
from lauedepth.core.decoding.pixels import DecodedPixels, DecodeOptions, PixelFlag, PixelStatus
from lauedepth.core.instrument.energy import find_energies
from lauedepth.core.instrument.experiment import Depths, Experiment
from lauedepth.core.instrument.raymap import RayMap

WORST_BACKGROUND_ERROR: Final = 0.1
"""Error of a background, relative to the pixel's light, from which on the pixel is flagged."""

CONTRADICTION: Final = 4.0
"""Standard errors by which a background may exceed the trace's own, beyond that tenth."""


def saturation_of(dtype: np.dtype[np.generic]) -> float:
    """Return the reading from which numbers of a type are saturated; infinite for floats."""
    return float(limits.SATURATED) if dtype.kind in "iu" else math.inf


def is_measured(readings: npt.NDArray[np.generic]) -> Flags:
    """Return where readings are measurements: not negative, saturated or NaN."""
    real = readings.astype(np.float64, copy=False)
    with np.errstate(invalid="ignore"):
        return np.asarray((real >= 0) & (real < saturation_of(readings.dtype)))


@dataclass(frozen=True)
class Traces:
    """Traces as they were measured.

    Attributes
    ----------
    counts : (n_pixels, n_frames) array
        Of any real dtype.
    frames_usable : (n_frames,) bool array
        False for frames that were lost.
    background : Background or None
        Of each pixel, where it is known.
    """

    counts: npt.NDArray[np.generic]
    frames_usable: npt.NDArray[np.bool_]
    background: Background | None = None

    def __len__(self) -> int:
        return int(self.counts.shape[0])

    @property
    def background_level(self) -> Floats:
        """Counts per frame that do not pass the aperture: (n_pixels,), NaN where not known."""
        return (self.background or Background.unknown(len(self))).level

    def usable(self, index: int) -> npt.NDArray[np.bool_]:
        """Return where one trace holds measurements."""
        return self.frames_usable & is_measured(self.counts[index])


@dataclass(frozen=True)
class Answers:
    """A decoder's answers; of two depths the stronger comes first.

    Attributes
    ----------
    status : (n,) uint8
    background, residual, absorption, absorption_error : (n,) float64
    depth_um, depth_error_um, width_um : (n, 2) float64
        NaN where there is none.
    bins : (n, 2, 2) int32
        First footprint bin and number of bins of each depth.
    footprint : (n, n_bins) float32
        Counts per frame in each bin.
    """

    status: npt.NDArray[np.uint8]
    background: Floats
    residual: Floats
    absorption: Floats
    absorption_error: Floats
    depth_um: Floats
    depth_error_um: Floats
    width_um: Floats
    bins: npt.NDArray[np.int32]
    footprint: npt.NDArray[np.float32]

    @classmethod
    def pending(cls, pixels: int, bins: int) -> Answers:
        """Return answers that are all still unknown."""

        def unknown(*shape: int) -> Floats:
            return np.full(shape, np.nan)

        return cls(
            status=np.full(pixels, PixelStatus.PENDING, np.uint8),
            background=unknown(pixels),
            residual=unknown(pixels),
            absorption=unknown(pixels),
            absorption_error=unknown(pixels),
            depth_um=unknown(pixels, 2),
            depth_error_um=unknown(pixels, 2),
            width_um=unknown(pixels, 2),
            bins=np.zeros((pixels, 2, 2), np.int32),
            footprint=np.zeros((pixels, bins), np.float32),
        )


def bin_group(depths: Depths) -> int:
    """Return how many depths share a footprint bin: bins are not finer than the data."""
    return max(1, round(limits.FOOTPRINT_BIN_UM / depths.step_um))


def footprint_bins(depths: Depths) -> Bins:
    """Return the footprint's bins: the depth grid's own, or groups of them if it is finer."""
    group = bin_group(depths)
    return Bins(
        depths.start_um - depths.step_um / 2, depths.step_um * group, -(-len(depths) // group)
    )


def collect(
    experiment: Experiment,
    rays: RayMap,
    answers: Answers,
    options: DecodeOptions,
    background: Background | None = None,
) -> DecodedPixels:
    """Turn a decoder's answers into rows: one per pixel, and one more for each second depth.

    Parameters
    ----------
    experiment : Experiment
    rays : RayMap
    answers : Answers
    options : DecodeOptions
    background : Background, optional
        Of each pixel, where it is known: light that passes the bars is then told from it.
    """
    second = np.isfinite(answers.depth_um[:, 1])
    trace = np.repeat(np.arange(second.size), 1 + second)
    number = np.zeros(trace.size, np.int64)
    number[1:] = trace[1:] == trace[:-1]
    depth = answers.depth_um[trace, number]
    offset, start, footprint, intensity = _footprints(experiment.depths, answers, trace, number)
    intensity = np.where(np.isfinite(depth), intensity, np.nan)
    shares = _shares_of(answers, trace, intensity, background, len(experiment.frames))
    flags = np.where(number == 1, int(PixelFlag.SECOND_DEPTH), 0)
    if options.method == "footprint":
        flags |= np.where(shares.is_uncertain, int(PixelFlag.BACKGROUND_UNCERTAIN), 0)
    flags |= np.where(_reaches_end(answers, trace, number), int(PixelFlag.AT_RANGE_END), 0)
    energy, ambiguous = _energies(experiment, rays, answers, options, shares, number == 0)
    flags |= np.where(ambiguous[trace] & (number == 0), int(PixelFlag.ENERGY_AMBIGUOUS), 0)
    return DecodedPixels(
        trace=trace,
        status=answers.status[trace],
        flags=flags.astype(np.uint8),
        depth_um=depth,
        depth_error_um=answers.depth_error_um[trace, number],
        width_um=answers.width_um[trace, number],
        intensity=intensity * shares.factor,
        background=answers.background[trace] - shares.passing,
        background_error=shares.error,
        mask_position_um=rays.pick(trace).position_um(depth, 0),
        energy_kev=np.where(number == 0, energy[trace], np.nan),
        residual=answers.residual[trace],
        footprint_offset=offset,
        footprint_start=start,
        footprint=(footprint * np.repeat(shares.factor, np.diff(offset))).astype(np.float32),
    )


@dataclass(frozen=True)
class _Shares:
    """How a pixel's light and background share what it counts behind a bar: one value a row.

    Attributes
    ----------
    passing : array
        Counts per frame that passed the bars and were taken for background.
    factor : array
        What the light was taken for too little by.
    light : array
        Counts per frame of all the pixel's light.
    error : array
        Standard error of the background; NaN where it is not known.
    """

    passing: Floats
    factor: Floats
    light: Floats
    error: Floats

    @property
    def is_uncertain(self) -> Flags:
        """Where there is light, and the background is not known to a tenth of it."""
        lit = np.isfinite(self.light)
        return lit & ~(self.error <= WORST_BACKGROUND_ERROR * self.light)


def _shares_of(
    answers: Answers,
    trace: npt.NDArray[np.int64],
    intensity: Floats,
    background: Background | None,
    frames: int,
) -> _Shares:
    """Tell light that passed the bars from background, where the background is known.

    The level between bars, light and background together, is right however much passes them.
    A background that a trace contradicts is not known: there is less of it behind the bars.
    """
    pixels = answers.status.size
    light = np.bincount(trace, np.nan_to_num(intensity), minlength=pixels).astype(np.float64)
    light[~(light > 0)] = np.nan
    known = background or Background.unknown(pixels)
    passing = answers.background - known.level
    noise = np.hypot(known.error, np.sqrt(2.0 * answers.background / frames))
    least = -(WORST_BACKGROUND_ERROR * light + CONTRADICTION * noise)
    told = passing > least  # else the trace itself says that there is less; NaN is not
    passing = np.where(told, passing, 0.0)
    factor = np.where(told, 1.0 + passing / light, 1.0)
    error = np.where(told, known.error, np.nan)
    return _Shares(passing[trace], factor[trace], (light * factor)[trace], error[trace])


def _reaches_end(
    answers: Answers, trace: npt.NDArray[np.int64], number: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Return which footprints hold light in the first or the last bin of the range."""
    first, count = answers.bins[trace, number].T
    last = answers.footprint.shape[1] - 1
    low = (first == 0) & (answers.footprint[trace, 0] > 0)
    high = (first + count == last + 1) & (answers.footprint[trace, last] > 0)
    return np.asarray((count > 0) & (low | high))


def _footprints(
    depths: Depths,
    answers: Answers,
    trace: npt.NDArray[np.int64],
    number: npt.NDArray[np.int64],
) -> tuple[
    npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.float32], npt.NDArray[np.float64]
]:
    """Spread footprint bins over the depths that they hold, row after row."""
    group = bin_group(depths)
    first, bins = answers.bins[trace, number].astype(np.int64).T
    start = first * group
    length = np.minimum((first + bins) * group, len(depths)) - start
    length[bins == 0] = 0
    offset = np.concatenate([[0], np.cumsum(length)])
    row = np.repeat(np.arange(trace.size), length)
    depth_index = np.arange(offset[-1]) - offset[row] + start[row]
    held = np.minimum((depth_index // group + 1) * group, len(depths)) - (
        depth_index // group * group
    )
    values = answers.footprint[trace[row], depth_index // group] / held
    intensity = np.bincount(row, weights=values, minlength=trace.size)
    return (
        offset,
        start.astype(np.int32),
        values.astype(np.float32),
        np.asarray(intensity, np.float64),
    )


def _energies(
    experiment: Experiment,
    rays: RayMap,
    answers: Answers,
    options: DecodeOptions,
    shares: _Shares,
    is_first: Flags,
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    if options.energy is None:
        return np.full(answers.status.size, np.nan), np.zeros(answers.status.size, bool)
    passing = np.exp(-answers.absorption) * shares.light[is_first]
    by_background = shares.error[is_first] / (passing * answers.absorption)
    return find_energies(
        experiment.aperture,
        answers.absorption,
        np.hypot(answers.absorption_error, by_background),
        rays.secant(np.nan_to_num(answers.depth_um[:, 0])),
        options.energy.start_kev,
        options.energy.stop_kev,
    )
