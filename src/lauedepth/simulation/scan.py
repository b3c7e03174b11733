"""Points of a scan as a detector would record them, frame by frame, with the ground truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import pdtr

from lauedepth.core.arrays import Floats
from lauedepth.core.errors import ConfigurationError
from lauedepth.core.instrument.experiment import Experiment, Region
from lauedepth.core.instrument.geometry import pixel_positions, pose_matrix, ray_slopes
from lauedepth.crystals import WhiteBeam
from lauedepth.simulation.built import BuiltAperture
from lauedepth.simulation.flaws import (
    APERTURE,
    DETECTOR,
    NOISE,
    TIMELINE,
    BadPixels,
    Flaws,
    Timeline,
    beam_offsets,
    blur,
    exposure_nodes,
    generator,
)
from lauedepth.simulation.forward import ray_table, traces_of_rays
from lauedepth.simulation.sample import Sample, Surface
from lauedepth.simulation.sources import Exposure, LightSources, sources_from_grains
from lauedepth.simulation.truth import truth_table

Frame = npt.NDArray[np.uint16]

BLOCK_BYTES: Final = 2**28
"""Memory for the traces of lit pixels that are computed at the same time."""

GUIDE_SIZE: Final = 4096


@dataclass(frozen=True)
class SimulatedPoint:
    """One point of a scan; its frames are computed on demand.

    Attributes
    ----------
    experiment : Experiment
        Frames 0 to `experiment.frames.stop` are recorded.
    sources : LightSources
    region : Region
    background : float or (rows, columns) array
        Counts per frame and image pixel that do not pass through the aperture.
    flaws : Flaws
    opaque_bars : bool
        Whether bars are opaque, whatever the energies of the sources.
    seed, number : int
        Of the random numbers, and the point's number in its scan. The same two give the same
        frames, whichever are requested and in whatever order.
    """

    experiment: Experiment
    sources: LightSources
    region: Region
    background: float | Floats = 20.0
    flaws: Flaws = field(default_factory=Flaws)
    opaque_bars: bool = False
    seed: int = 0
    number: int = 0

    def __post_init__(self) -> None:
        _check_inside(self.sources, self.region)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        return (self.experiment.frames.stop, *self.region.shape)

    @cached_property
    def timeline(self) -> Timeline:
        """Beam and aperture at each frame."""
        rng = generator(self.seed, TIMELINE, self.number)
        return Timeline.of_point(self.experiment, self.flaws, rng)

    @cached_property
    def bad_pixels(self) -> BadPixels:
        """Hot and dead pixels; the same for all points with the same seed."""
        return BadPixels.of(self.flaws, self.region, generator(self.seed, DETECTOR))

    @cached_property
    def built(self) -> BuiltAperture:
        """The aperture as it really is; the same for all points of a seed."""
        rng = generator(self.seed, APERTURE)
        return BuiltAperture.of(self.experiment.aperture, self.flaws, rng)

    @cached_property
    def truth(self) -> npt.NDArray[np.void]:
        """One row per lit pixel, see `truth.TRUTH`."""
        return truth_table(self.sources, self.background)

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
        """Yield recorded frames, (rows, columns) uint16, with Poisson noise.

        Parameters
        ----------
        start, stop : int
            Which frames; all by default.
        """
        last = self.shape[0] if stop is None else stop
        for frame, light in zip(range(start, last), self._light(start, last), strict=True):
            yield self._recorded(frame, light)

    def expected(self, start: int = 0, stop: int | None = None) -> Iterator[Floats]:
        """Yield the same frames before noise, saturation and frame loss."""
        last = self.shape[0] if stop is None else stop
        for frame, light in zip(range(start, last), self._light(start, last), strict=True):
            yield self._rate(frame, light)

    def _light(self, start: int, stop: int) -> Iterator[Floats]:
        """Yield the light transmitted by the aperture at each frame, as images."""
        offsets, rays, pixels = self._rays()
        block = max(1, BLOCK_BYTES // (8 * max(pixels.size, 1)))
        for first in range(start, stop, block):
            positions = self.timeline.position[first : min(first + block, stop)]
            for values in self._exposed(rays, offsets, positions):
                image = np.zeros(self.region.shape)
                image.ravel()[pixels] = values
                yield blur(image, self.flaws.blur_sigma_px) if self.flaws.blur_sigma_px else image

    def _exposed(self, rays: Floats, offsets: npt.NDArray[np.int64], positions: Floats) -> Floats:
        """Return the light of lit pixels over whole exposures, (n_frames, n_pixels)."""
        total = np.zeros((positions.size, offsets.size - 1))
        for offset, weight in zip(*exposure_nodes(self.flaws), strict=True):
            total += weight * traces_of_rays(self.built, rays, offsets, positions + offset)
        return total

    def _rays(self) -> tuple[npt.NDArray[np.int64], Floats, npt.NDArray[np.int64]]:
        """Return offsets and rays for the compiled loop, and the flat indices of their pixels."""
        flat = self.sources.row.astype(np.int64) * self.region.shape[1] + self.sources.column
        order = np.argsort(flat, kind="stable")
        sources = self.sources.chosen(order)
        pixels, first = np.unique(flat[order], return_index=True)
        row, column = self.region.unbinned(sources.row, sources.column)
        energy = np.full(len(sources), np.nan) if self.opaque_bars else sources.energy_kev
        rays = ray_table(
            self.experiment,
            row,
            column,
            begin_um=sources.begin_um,
            end_um=sources.end_um,
            intensity=sources.intensity,
            energy_kev=energy,
            thickness_um=self.built.nominal_thickness_um,
        )
        rays = self._across_beam(rays, row, column, (sources.begin_um + sources.end_um) / 2)
        copies = len(rays) // max(len(sources), 1)
        return np.append(first, len(sources)).astype(np.int64) * copies, rays, pixels

    def _across_beam(self, rays: Floats, row: Floats, column: Floats, depth_um: Floats) -> Floats:
        """Repeat each ray for points across a beam of finite size.

        A source displaced by q moves its crossing point by -(1 - r)(q.a - m q.n) along the code,
        where r is the aperture's fraction of the way to the detector (here 0.003, neglected).
        """
        offset_um, weight = beam_offsets(self.flaws)
        if offset_um.size == 1:
            return rays
        pixels = pixel_positions(self.experiment.detector, row, column)
        shift = offset_um * _shift_per_um(self.experiment, pixels, depth_um)[:, None]
        spread = np.repeat(rays, offset_um.size, axis=0)
        spread[:, 0] += shift.ravel()
        spread[:, 2] += shift.ravel()
        spread[:, 6] *= np.tile(weight, len(rays))
        return spread

    def _rate(self, frame: int, light: Floats) -> Floats:
        """Return the mean counts of a frame: light, background and hot pixels."""
        rate = (light + self.background) * self.timeline.current[frame]
        if self.flaws.hot_fraction:
            rate = rate + self.flaws.hot_counts * self.bad_pixels.hot
        return (
            np.asarray(np.where(self.bad_pixels.dead, 0.0, rate))
            if (self.flaws.dead_fraction)
            else rate
        )

    def _recorded(self, frame: int, light: Floats) -> Frame:
        if not self.timeline.recorded[frame]:
            return np.zeros(self.region.shape, np.uint16)
        rng = generator(self.seed, NOISE, self.number, frame)
        rate = self._rate(frame, light)
        if isinstance(self.background, float | int):
            level = float(self.background) * float(self.timeline.current[frame])
            counts = draw_counts(rng, rate, level, self._special)
        else:
            counts = rng.poisson(rate)
        return np.minimum(counts, self.flaws.saturation).astype(np.uint16)

    @cached_property
    def _special(self) -> npt.NDArray[np.bool_]:
        """Pixels that do not show pure background in every frame."""
        lit = np.zeros(self.region.shape)
        lit[self.sources.row, self.sources.column] = 1.0
        if self.flaws.blur_sigma_px:
            lit = blur(lit, self.flaws.blur_sigma_px)
        return (lit > 0) | self.bad_pixels.hot | self.bad_pixels.dead


@dataclass(frozen=True)
class ScanPoint:
    """A point with its position on the sample.

    Attributes
    ----------
    number : int
    position_um : (float, float)
        Position of the beam on the sample, lab X and Y.
    point : SimulatedPoint
    """

    number: int
    position_um: tuple[float, float]
    point: SimulatedPoint


def grid_positions(n_x: int, n_y: int, step_um: float) -> list[tuple[float, float]]:
    """Return positions of a raster centred on 0, 0; x runs fastest."""
    x = (np.arange(n_x) - (n_x - 1) / 2) * step_um
    y = (np.arange(n_y) - (n_y - 1) / 2) * step_um
    return [(float(xi), float(yi)) for yi in y for xi in x]


def simulate_scan(
    sample: Sample,
    positions_um: Sequence[tuple[float, float]],
    experiment: Experiment,
    region: Region,
    *,
    exposure: Exposure | None = None,
    beam: WhiteBeam | None = None,
    surface: Surface | None = None,
    flaws: Flaws | None = None,
    opaque_bars: bool = False,
    seed: int = 0,
) -> Iterator[ScanPoint]:
    """Yield the points of a scan over a sample, one after the other.

    Parameters
    ----------
    sample : Sample
        The sample.
    positions_um : sequence of (float, float)
        Positions of the beam (`grid_positions`).
    experiment : Experiment
    region : Region
    exposure : Exposure, optional
    beam : WhiteBeam, optional
    surface : Surface, optional
        With it, the sample absorbs.
    flaws : Flaws, optional
    opaque_bars : bool
        Whether bars are opaque; by default they absorb like gold at each energy.
    seed : int
    """
    light = exposure or Exposure()
    area = region.binning[0] * region.binning[1]
    for number, (x_um, y_um) in enumerate(positions_um):
        sources = sources_from_grains(
            sample.column(x_um, y_um),
            experiment,
            region,
            exposure=light,
            beam=beam,
            surface=surface,
        )
        point = SimulatedPoint(
            experiment,
            sources,
            region,
            light.background * area,
            flaws or Flaws(),
            opaque_bars,
            seed,
            number,
        )
        yield ScanPoint(number, (x_um, y_um), point)


def draw_counts(
    rng: np.random.Generator, rate: Floats, level: float, special: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Draw Poisson counts, most of which share one mean: those come from a table, which is faster.

    Parameters
    ----------
    rng : Generator
    rate : array
        Mean of each count.
    level : float
        The mean that most counts share.
    special : bool array
        Which counts have another mean.
    """
    counts = _counts_of_level(rng, rate.size, level).reshape(rate.shape)
    counts[special] = rng.poisson(rate[special])
    return counts


def _counts_of_level(rng: np.random.Generator, size: int, level: float) -> npt.NDArray[np.int64]:
    from lauedepth.simulation._kernels import invert_table  # noqa: PLC0415  loads numba

    highest = int(level + 12 * np.sqrt(level) + 40)
    cumulative = np.asarray(pdtr(np.arange(highest + 1), level), np.float64)
    cumulative[-1] = 1.0
    guide = np.searchsorted(cumulative, np.arange(GUIDE_SIZE) / GUIDE_SIZE, side="right")
    counts = np.empty(size, np.int64)
    invert_table(rng.random(size), cumulative, guide, counts)
    return counts


def _shift_per_um(experiment: Experiment, pixels: Floats, depth_um: Floats) -> Floats:
    """Return how far the crossing point moves when a source moves across the beam by 1 µm.

    The y and z parts add in quadrature, the beam being round and Gaussian.
    """
    code_axis, normal = pose_matrix(experiment.pose)[:, :2].T
    slope = ray_slopes(experiment, pixels, depth_um)[0][:, None]
    return np.asarray(np.linalg.norm((code_axis - slope * normal)[:, 1:], axis=1))


def _check_inside(sources: LightSources, region: Region) -> None:
    rows, columns = region.shape
    inside = (sources.row >= 0) & (sources.row < rows)
    inside &= (sources.column >= 0) & (sources.column < columns)
    if not inside.all():
        raise ConfigurationError(
            f"{int((~inside).sum())} light sources lie outside the {rows} x {columns} image",
            "simulation",
            "give pixels of the region, counted from 0",
        )
