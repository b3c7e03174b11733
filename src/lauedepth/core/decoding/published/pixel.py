"""The decoding method of the paper on one pixel: search, recover, trace back.

See Prince et al., XLOOP '23, section 2.1. It gives the published program's depths, and so it
keeps that program's `stretch_factor`, which is exact for steps of 1 µm only. The method knows
neither error bars nor second depths nor energies. Lost frames carry no weight: where the trace is
resampled they are filled, and what is filled does not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from lauedepth.core.arrays import Flags, Floats
from lauedepth.core.decoding import limits
from lauedepth.core.decoding.answers import footprint_bins
from lauedepth.core.decoding.bins import Bins
from lauedepth.core.decoding.pixels import DecodeOptions, PixelStatus, PublishedNumbers
from lauedepth.core.decoding.published.steps import (
    NormalisedTrace,
    RecoveredSignal,
    blur,
    depth_profile,
    nominal_signal,
    normalise,
    recover_signal,
    sampled_code,
    search_position,
    spline_basis,
    stretch,
)
from lauedepth.core.instrument.aperture import BarTable
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.raymap import RayMap
from lauedepth.core.instrument.shadow import Shadow

FILLED: Final = 1.0 - 1e-9
"""Part of a resampled value that was measured, below which it was filled in part."""


@dataclass(frozen=True)
class PublishedAnswer:
    """The published method's answer for one pixel.

    Attributes
    ----------
    status : PixelStatus
    position : int
        Sample of the padded code at which the trace begins; -1 where none was sought.
    profile : (n_bins,) array or None
        Intensity over depth, counts per frame.
    background : float
        Counts per frame.
    residual : float
        Chi-square per degree of freedom.
    """

    status: PixelStatus
    position: int = -1
    profile: Floats | None = None
    background: float = float("nan")
    residual: float = float("nan")


@dataclass(frozen=True)
class PublishedMethod:
    """What all pixels of an experiment share.

    Attributes
    ----------
    experiment : Experiment
    table : BarTable
    bins : Bins
    basis : (signal_samples, spline_count) array
        From `spline_basis`.
    difference : {"squared", "absolute"}
        What the search averages.
    numbers : PublishedNumbers
    """

    experiment: Experiment
    table: BarTable
    bins: Bins
    basis: Floats
    difference: Literal["squared", "absolute"]
    numbers: PublishedNumbers

    @classmethod
    def of(cls, experiment: Experiment, options: DecodeOptions) -> PublishedMethod:
        """Prepare the method for an experiment."""
        return cls(
            experiment=experiment,
            table=BarTable.of(experiment.aperture),
            bins=footprint_bins(experiment.depths),
            basis=spline_basis(options.published),
            difference=options.difference,
            numbers=options.published,
        )

    def decode_pixel(self, rays: RayMap, counts: Floats, usable: Flags) -> PublishedAnswer:
        """Decode one trace.

        Parameters
        ----------
        rays : RayMap
            Of this pixel.
        counts : (n_frames,) array
        usable : (n_frames,) bool array
            Where the counts are measurements.
        """
        if usable.sum() < max(limits.LEAST_FRAMES, limits.LEAST_USABLE * usable.size):
            return PublishedAnswer(PixelStatus.INVALID)
        if not self._crosses_code(rays):
            return PublishedAnswer(PixelStatus.OUTSIDE)
        counts = counts / self.experiment.frame_intensities
        measured = counts[usable]
        trace = normalise(self._at_even_steps(measured, usable))
        if trace is None or is_flat(measured):
            return PublishedAnswer(PixelStatus.DARK, background=float(measured.mean()))
        return self._match(rays, counts, usable, trace)

    def _at_even_steps(self, measured: Floats, usable: Flags) -> Floats:
        """Return counts as even steps would have shown them; lost frames from their neighbours."""
        first, advance = self.experiment.even_steps
        places = ((self.experiment.frame_positions - first) / advance)[usable]
        order = np.argsort(places, kind="stable")
        return np.interp(np.arange(usable.size), places[order], measured[order])

    def _ends(self) -> tuple[float, float]:
        """Return the even positions of the first and the last frame used, in steps."""
        first, advance = self.experiment.even_steps
        return first, first + advance * (len(self.experiment.frames) - 1)

    def _match(
        self, rays: RayMap, counts: Floats, usable: Flags, trace: NormalisedTrace
    ) -> PublishedAnswer:
        """Search, recover and trace back."""
        numbers = self.numbers
        factor = stretch_factor(self.experiment, rays, numbers.resolution_um)
        # u falls from frame to frame where the factor is negative: begin at the other end
        values = trace.values if factor > 0 else trace.values[::-1]
        stretched = stretch(values, round(values.size * abs(factor)))
        kept = usable if factor > 0 else usable[::-1]
        measured = stretch(kept.astype(np.float64), stretched.size) > FILLED
        shadow = Shadow.of(self.table, float(rays.window_um(0.0)))
        code = sampled_code(shadow, self.experiment.aperture.length_um, numbers)
        nominal = nominal_signal(numbers.nominal_um * code_per_depth(rays), numbers)
        position = search_position(
            blur(code, nominal), stretched, self.difference, numbers.regularisation, measured
        )
        missed = PublishedAnswer(PixelStatus.NO_MATCH, background=trace.floor)
        if position is None:
            return missed
        signal = recover_signal(code, stretched, position, self.basis, measured)
        if signal is None:
            return missed
        profile = self._trace_back(rays, signal, position, factor)
        if not profile.sum() > 0:
            return missed
        expected = stretch(signal.expected, values.size)
        expected = trace.floor + trace.contrast * (expected if factor > 0 else expected[::-1])
        return PublishedAnswer(
            status=PixelStatus.DECODED,
            position=position,
            profile=trace.contrast * profile,
            background=trace.floor,
            residual=reduced_chi_square(counts[usable], expected[usable], signal.n_terms + 2),
        )

    def _trace_back(
        self, rays: RayMap, signal: RecoveredSignal, position: int, factor: float
    ) -> Floats:
        """Return the profile over depth; nothing where the position lies outside of it."""
        frame = self._ends()[0 if factor > 0 else 1]
        numbers = self.numbers
        u_um = (position - numbers.pad_samples) * numbers.resolution_um
        depth_um = float(rays.depth_um(u_um, frame))
        depths = self.experiment.depths
        if not depths.start_um < depth_um < depths.stop_um:
            return np.zeros(self.bins.count)
        sample_um = float(rays.depth_um(u_um - numbers.resolution_um, frame)) - depth_um
        values = signal.values if sample_um > 0 else signal.values[::-1]
        return depth_profile(values, depth_um, abs(sample_um), numbers.spline_samples, self.bins)

    def _crosses_code(self, rays: RayMap) -> bool:
        """Return whether any frame sees the code from the depths asked for."""
        depths = self.experiment.depths
        ends = np.array([[depths.start_um], [depths.stop_um]])
        u_um = rays.position_um(ends, np.array(self._ends()))
        return bool(u_um.max() > 0 and u_um.min() < self.experiment.aperture.length_um)


def stretch_factor(experiment: Experiment, rays: RayMap, resolution_um: float) -> float:
    """Return samples of the code per frame, as the published program reckons them.

    u advances by the motion along the code less slope times the motion along the normal. The
    program takes the second part from a motion of as many mm as the step has µm, and scales
    both by the step, so that the second part is off by the step's number of µm.
    """
    stride = experiment.even_steps[1]
    along, across = 1e3 * stride * rays.step_mm[:2]
    step_um = abs(experiment.motion.step_um * stride)
    return float((along - rays.slope(0.0) * across * step_um) / resolution_um)


def code_per_depth(rays: RayMap) -> float:
    """Return the length of code that a pixel's rays sweep per length of depth, at depth 0."""
    ends = rays.position_um(np.array([-0.5, 0.5]), 0)
    return float(abs(ends[1] - ends[0]))


def is_flat(measured: Floats) -> bool:
    """Return whether counting noise on a constant level explains a trace."""
    level = max(float(measured.mean()), 1.0)
    freedom = measured.size - 1
    chi_square = float(((measured - level) ** 2).sum() / level)
    return chi_square < freedom + limits.MISFIT * float(np.sqrt(2.0 * freedom))


def reduced_chi_square(measured: Floats, expected: Floats, n_parameters: int) -> float:
    """Return chi-square per degree of freedom of counts."""
    chi_square = float(((measured - expected) ** 2 / np.maximum(expected, 1.0)).sum())
    return chi_square / max(measured.size - n_parameters, 1)
