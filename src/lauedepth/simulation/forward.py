"""The forward model: the traces of light from known depths.

`expected_traces` is the plain version, with exact geometry at every frame and depth; decoders
are tested against it. `quick_traces` computes the same by closed-form integrals over the
footprint, for whole detectors. Neither shares code with the decoders beyond
`core.instrument.geometry` and `core.instrument.aperture`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lauedepth.core.arrays import Floats
from lauedepth.core.instrument.aperture import (
    BarTable,
    absorbing_transmission,
    opaque_transmission,
    path_in_bars_um,
)
from lauedepth.core.instrument.energy import attenuation_per_um
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.geometry import code_coordinate, pixel_positions, ray_slopes
from lauedepth.simulation.built import BuiltAperture
from lauedepth.simulation.flaws import (
    APERTURE,
    TIMELINE,
    Flaws,
    Timeline,
    exposure_nodes,
    generator,
)


@dataclass(frozen=True)
class Footprints:
    """Box-shaped sources over depth: (n_pixels,) for one per pixel, or (n_pixels, n_sources).

    Attributes
    ----------
    depth_um, width_um : array_like
        Centre and full width of each box.
    intensity : array_like
        Counts per frame with no bar in the beam, summed over the box; 0 where a pixel has
        fewer sources than others.
    energy_kev : array_like
        NaN for opaque bars.
    """

    depth_um: npt.ArrayLike
    width_um: npt.ArrayLike
    intensity: npt.ArrayLike
    energy_kev: npt.ArrayLike = np.nan

    def table(self, n_pixels: int) -> Floats:
        """Return (n_pixels, n_sources, 4): depth, width, intensity, energy."""
        parts = [
            np.asarray(values, np.float64)
            for values in (self.depth_um, self.width_um, self.intensity, self.energy_kev)
        ]
        parts = [part[:, None] if part.ndim == 1 else part for part in parts]
        n_sources = max(part.shape[-1] if part.ndim else 1 for part in parts)
        return np.stack([np.broadcast_to(part, (n_pixels, n_sources)) for part in parts], axis=-1)


def expected_traces(
    experiment: Experiment,
    row: npt.ArrayLike,
    column: npt.ArrayLike,
    footprints: Footprints,
    *,
    background: npt.ArrayLike = 0.0,
    frame: npt.ArrayLike | None = None,
    step_um: float = 0.02,
) -> Floats:
    """Return the expected counts of pixels, integrated over depth by midpoints.

    Parameters
    ----------
    experiment : Experiment
    row, column : (n_pixels,) array_like
        Unbinned detector coordinates.
    footprints : Footprints
    background : array_like, (n_pixels,) or a number
        Counts per frame that do not pass through the aperture.
    frame : (n_frames,) array_like, optional
        Positions of the aperture in steps, in a beam of even intensity; the experiment's frames
        by default.
    step_um : float
        Maximum integration step over depth.

    Returns
    -------
    (n_pixels, n_frames) array
    """
    rows, columns = np.atleast_1d(np.asarray(row)), np.atleast_1d(np.asarray(column))
    frames = _frames(experiment, frame)
    bars = BarTable.of(experiment.aperture)
    level = np.broadcast_to(np.asarray(background, np.float64), rows.shape)
    traces = np.repeat(level[:, None], frames.size, axis=1)
    for pixel, sources in enumerate(footprints.table(rows.size)):
        position = pixel_positions(experiment.detector, rows[pixel], columns[pixel])
        for depth, width, intensity, energy in sources[sources[:, 2] != 0]:
            count = max(1, int(np.ceil(width / step_um)))
            nodes = depth + width * ((np.arange(count) + 0.5) / count - 0.5)
            passed = _transmission_at(
                experiment,
                bars,
                position=position,
                depth_um=nodes,
                frames=frames,
                energy_kev=energy,
            )
            traces[pixel] += intensity * passed.mean(axis=0)
    return _intensities(experiment, frame) * traces


def quick_traces(
    experiment: Experiment,
    row: npt.ArrayLike,
    column: npt.ArrayLike,
    footprints: Footprints,
    *,
    background: npt.ArrayLike = 0.0,
    frame: npt.ArrayLike | None = None,
    built: BuiltAperture | None = None,
) -> Floats:
    """Return what `expected_traces` returns, thousands of times faster.

    The integral over a footprint is exact, except that the crossing point of a ray is taken to
    be linear in depth between the ends of the footprint (1e-4 µm over 25 µm).

    Parameters
    ----------
    experiment, row, column, footprints, background, frame
        As in `expected_traces`.
    built : BuiltAperture, optional
        The aperture as it really is; as designed by default.
    """
    rows, columns = np.atleast_1d(np.asarray(row)), np.atleast_1d(np.asarray(column))
    frames = _frames(experiment, frame)
    table = footprints.table(rows.size)
    n_sources = table.shape[1]
    depth, width, intensity, energy = table.reshape(-1, 4).T
    rays = ray_table(
        experiment,
        np.repeat(rows, n_sources),
        np.repeat(columns, n_sources),
        begin_um=depth - width / 2,
        end_um=depth + width / 2,
        intensity=intensity,
        energy_kev=energy,
        thickness_um=None if built is None else built.nominal_thickness_um,
    )
    offsets = np.arange(rows.size + 1, dtype=np.int64) * n_sources
    light = traces_of_rays(built or designed(experiment), rays, offsets, frames)
    level = np.broadcast_to(np.asarray(background, np.float64), rows.shape)
    return _intensities(experiment, frame) * (light.T + level[:, None])


def flawed_traces(
    experiment: Experiment,
    row: npt.ArrayLike,
    column: npt.ArrayLike,
    footprints: Footprints,
    flaws: Flaws,
    *,
    background: npt.ArrayLike = 0.0,
    seed: int = 0,
) -> tuple[Floats, Timeline, BuiltAperture]:
    """Return the expected counts of pixels in an instrument with flaws, and what it was.

    Of the flaws, those of the detector and the size of the beam belong to whole images and
    are left out; see `scan.SimulatedPoint`.

    Parameters
    ----------
    experiment, row, column, footprints, background
        As in `expected_traces`.
    flaws : Flaws
    seed : int
        Of what the flaws draw.

    Returns
    -------
    traces : (n_pixels, n_frames) array
        Of the experiment's frames.
    timeline : Timeline
        What happened at each frame of the point.
    built : BuiltAperture
    """
    built = BuiltAperture.of(experiment.aperture, flaws, generator(seed, APERTURE))
    timeline = Timeline.of_point(experiment, flaws, generator(seed, TIMELINE))
    used = experiment.frames.indices
    traces = 0.0
    for offset, weight in zip(*exposure_nodes(flaws), strict=True):
        traces = traces + weight * quick_traces(
            experiment,
            row,
            column,
            footprints,
            background=background,
            frame=timeline.position[used] + offset,
            built=built,
        )
    return np.asarray(traces * timeline.current[used]), timeline, built


def designed(experiment: Experiment) -> BuiltAperture:
    """Return the aperture as the experiment describes it."""
    return BuiltAperture.of(experiment.aperture, Flaws(), generator(0))


def traces_of_rays(
    built: BuiltAperture, rays: Floats, offsets: npt.NDArray[np.int64], frames: Floats
) -> Floats:
    """Return the light of pixels, (n_frames, n_pixels), given the rows of `ray_table`.

    Parameters
    ----------
    built : BuiltAperture
    rays : (n_sources, 7) array
    offsets : (n_pixels + 1,) array
        Sources of pixel p are rows offsets[p] to offsets[p + 1].
    frames : (n_frames,) array
        Positions of the aperture in steps.
    """
    from lauedepth.simulation._kernels import (  # noqa: PLC0415  loads numba
        accumulate_shaped,
        accumulate_traces,
    )

    out = np.empty((frames.size, offsets.size - 1))
    if built.is_plain:
        accumulate_traces(built.rows(), rays, offsets, frames, out)
    else:
        accumulate_shaped(
            built.shapes(),
            built.corner_radius_um,
            built.nominal_thickness_um,
            rays,
            offsets,
            frames,
            out,
        )
    return out


def ray_table(
    experiment: Experiment,
    row: npt.ArrayLike,
    column: npt.ArrayLike,
    *,
    begin_um: Floats,
    end_um: Floats,
    intensity: Floats,
    energy_kev: Floats,
    thickness_um: float | None = None,
) -> Floats:
    """Return the rows that `_kernels.accumulate_traces` reads: (n_sources, 7) array.

    The bars' thickness is the experiment's by default.
    """
    pixels = pixel_positions(experiment.detector, row, column)
    table = np.empty((len(pixels), 7))
    for place, depth in ((0, begin_um), (2, end_um)):
        first = code_coordinate(experiment, pixels, depth, 0)
        last = max(experiment.frames.stop - 1, 1)
        table[:, place] = first
        table[:, place + 1] = (code_coordinate(experiment, pixels, depth, last) - first) / last
    slope, secant = ray_slopes(experiment, pixels, (begin_um + end_um) / 2)
    thickness = experiment.aperture.thickness_um if thickness_um is None else thickness_um
    table[:, 4] = slope * thickness
    table[:, 5] = _attenuation(experiment, energy_kev) * thickness * secant
    table[:, 6] = intensity
    return table


def _frames(experiment: Experiment, frame: npt.ArrayLike | None) -> Floats:
    chosen = experiment.frame_positions if frame is None else frame
    return np.atleast_1d(np.asarray(chosen, np.float64))


def _intensities(experiment: Experiment, frame: npt.ArrayLike | None) -> Floats:
    """Return the incident beam's relative intensity; one at frames that are named."""
    return experiment.frame_intensities if frame is None else np.ones(1)


def _transmission_at(
    experiment: Experiment,
    bars: BarTable,
    *,
    position: Floats,
    depth_um: Floats,
    frames: Floats,
    energy_kev: float,
) -> Floats:
    """Return the transmission of one pixel's rays: (n_depths, n_frames) array."""
    u = code_coordinate(experiment, position, depth_um[:, None], frames[None, :])
    slope, secant = ray_slopes(experiment, position, depth_um)
    window = np.abs(slope) * experiment.aperture.thickness_um
    fraction = bars.bar_fraction(u, window[:, None])
    if np.isnan(energy_kev):
        return opaque_transmission(fraction)
    path = path_in_bars_um(experiment.aperture, fraction, secant[:, None])
    return absorbing_transmission(path, attenuation_per_um(experiment.aperture, energy_kev))


def _attenuation(experiment: Experiment, energy_kev: Floats) -> Floats:
    """Return mu in 1/µm, infinite where no energy is given."""
    known = ~np.isnan(energy_kev)
    mu = np.full(energy_kev.shape, np.inf)
    if known.any():
        energies, which = np.unique(energy_kev[known], return_inverse=True)
        mu[known] = attenuation_per_um(experiment.aperture, energies)[which.ravel()]
    return mu
