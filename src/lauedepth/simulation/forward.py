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
        Frame numbers, not necessarily whole; the experiment's frames by default.
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
    return traces


def quick_traces(
    experiment: Experiment,
    row: npt.ArrayLike,
    column: npt.ArrayLike,
    footprints: Footprints,
    *,
    background: npt.ArrayLike = 0.0,
    frame: npt.ArrayLike | None = None,
) -> Floats:
    """Return what `expected_traces` returns, thousands of times faster.

    The integral over a footprint is exact, except that the crossing point of a ray is taken to
    be linear in depth between the ends of the footprint (1e-4 µm over 25 µm).
    """
    from lauedepth.simulation._kernels import accumulate_traces  # noqa: PLC0415  loads numba

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
    )
    offsets = np.arange(rows.size + 1, dtype=np.int64) * n_sources
    out = np.empty((frames.size, rows.size))
    accumulate_traces(bar_rows(experiment), rays, offsets, frames, out)
    return out.T + np.broadcast_to(np.asarray(background, np.float64), rows.shape)[:, None]


def ray_table(
    experiment: Experiment,
    row: npt.ArrayLike,
    column: npt.ArrayLike,
    *,
    begin_um: Floats,
    end_um: Floats,
    intensity: Floats,
    energy_kev: Floats,
) -> Floats:
    """Return the rows that `_kernels.accumulate_traces` reads: (n_sources, 7) array."""
    pixels = pixel_positions(experiment.detector, row, column)
    table = np.empty((len(pixels), 7))
    for place, depth in ((0, begin_um), (2, end_um)):
        first = code_coordinate(experiment, pixels, depth, 0)
        last = max(experiment.frames.stop - 1, 1)
        table[:, place] = first
        table[:, place + 1] = (code_coordinate(experiment, pixels, depth, last) - first) / last
    slope, secant = ray_slopes(experiment, pixels, (begin_um + end_um) / 2)
    thickness = experiment.aperture.thickness_um
    table[:, 4] = np.abs(slope) * thickness
    table[:, 5] = _attenuation(experiment, energy_kev) * thickness * secant
    table[:, 6] = intensity
    return table


def bar_rows(experiment: Experiment) -> Floats:
    """Return the aperture as `_kernels.accumulate_traces` reads it: (2, n_knots) array."""
    table = BarTable.of(experiment.aperture)
    return np.stack([table.knots_um, table.running_um])


def _frames(experiment: Experiment, frame: npt.ArrayLike | None) -> Floats:
    chosen = experiment.frames.indices if frame is None else frame
    return np.atleast_1d(np.asarray(chosen, np.float64))


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
