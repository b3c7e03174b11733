"""Light sources: the depth and intensity of the light on each pixel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from lauedepth.core.arrays import Floats
from lauedepth.core.instrument.experiment import Experiment, Region
from lauedepth.core.instrument.geometry import lab_to_beam, source_positions
from lauedepth.crystals import Spot, WhiteBeam, laue_spots
from lauedepth.simulation.sample import Grain, Surface

Integers = npt.NDArray[np.int32]

REACH_SIGMA = 4.0
"""Distance from its centre up to which a spot is drawn."""


@dataclass(frozen=True)
class LightSources:
    """One row for each source of light on a pixel: a box over depth.

    Attributes
    ----------
    row, column : (n,) int32 arrays
        Pixel of the image (of the region, binned).
    begin_um, end_um : (n,) arrays
        Depth range of the source, which is uniform.
    intensity : (n,) array
        Counts per frame with no bar in the beam.
    energy_kev : (n,) array
        NaN where unknown; bars are then opaque.
    grain : (n,) int32 array
        Number of the grain, or of the spot of a measured image.
    hkl : (n, 3) int32 array
        Reflection; 0 0 0 where unknown.
    """

    row: Integers
    column: Integers
    begin_um: Floats
    end_um: Floats
    intensity: Floats
    energy_kev: Floats
    grain: Integers
    hkl: Integers

    def __len__(self) -> int:
        return int(self.row.size)

    @classmethod
    def of(
        cls,
        row: npt.ArrayLike,
        column: npt.ArrayLike,
        begin_um: npt.ArrayLike,
        end_um: npt.ArrayLike,
        intensity: npt.ArrayLike,
        *,
        energy_kev: npt.ArrayLike = np.nan,
        grain: npt.ArrayLike = 0,
        hkl: npt.ArrayLike = (0, 0, 0),
    ) -> Self:
        """Build the table from values given per source or common to all."""
        whole = [np.asarray(values, np.int32) for values in (row, column, grain)]
        real = [
            np.asarray(values, np.float64) for values in (begin_um, end_um, intensity, energy_kev)
        ]
        shapes = [values.shape for values in whole] + [values.shape for values in real]
        shape = np.broadcast_shapes(*shapes, (1,))
        rows, columns, grains = (np.broadcast_to(values, shape) for values in whole)
        begin, end, counts, energy = (np.broadcast_to(values, shape) for values in real)
        indices = np.broadcast_to(np.asarray(hkl, np.int32), (*shape, 3))
        return cls(rows, columns, begin, end, counts, energy, grains, indices)

    @classmethod
    def joined(cls, parts: Iterable[LightSources]) -> Self:
        """Concatenate tables."""
        lists = [cls.none(), *parts]
        return cls(
            *(
                np.concatenate([getattr(part, field.name) for part in lists])
                for field in fields(cls)
            )
        )

    @classmethod
    def none(cls) -> Self:
        """Return an empty table."""
        empty = np.zeros(0)
        return cls.of(empty, empty, empty, empty, empty, hkl=np.zeros((0, 3)))

    def chosen(self, rows: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> LightSources:
        """Return rows chosen by a mask or by indices."""
        return LightSources(*(getattr(self, field.name)[rows] for field in fields(self)))

    def scaled(self, factor: float) -> LightSources:
        """Return a copy with all intensities multiplied by a factor."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return LightSources(**(values | {"intensity": self.intensity * factor}))


@dataclass(frozen=True)
class Exposure:
    """The exposure of a frame.

    Attributes
    ----------
    peak_counts : float
        Counts per frame of the brightest pixel with no bar in the beam.
    background : float
        Counts per frame and unbinned pixel that do not pass through the aperture.
    spot_sigma_px : float
        Size of the spots (Gaussian), unbinned pixels.
    least_counts : float
        Fainter contributions to a pixel are omitted.
    """

    peak_counts: float = 5000.0
    background: float = 20.0
    spot_sigma_px: float = 1.5
    least_counts: float = 0.5


def sources_from_grains(
    grains: Sequence[Grain],
    experiment: Experiment,
    region: Region,
    *,
    exposure: Exposure | None = None,
    beam: WhiteBeam | None = None,
    surface: Surface | None = None,
) -> LightSources:
    """Return the light that grains diffract onto a region of the detector.

    A spot's position is that of light from the centre of its grain; its intensity is
    proportional to the grain's length along the beam.

    Parameters
    ----------
    grains : sequence of Grain
    experiment : Experiment
        Only its detector and beam tilt are used.
    region : Region
    exposure : Exposure, optional
    beam : WhiteBeam, optional
    surface : Surface, optional
        With it, the sample absorbs; by default it does not.
    """
    light = exposure or Exposure()
    found = LightSources.joined(
        source
        for grain in grains
        for source in _grain_sources(
            grain,
            experiment,
            region,
            sigma_px=light.spot_sigma_px,
            beam=beam or WhiteBeam(),
            surface=surface,
        )
    )
    if not len(found):
        return found
    flat = found.row.astype(np.int64) * region.shape[1] + found.column
    brightest = np.bincount(np.unique(flat, return_inverse=True)[1], found.intensity).max()
    bright = found.scaled(light.peak_counts / float(brightest))
    return bright.chosen(bright.intensity >= light.least_counts)


def _grain_sources(
    grain: Grain,
    experiment: Experiment,
    region: Region,
    *,
    sigma_px: float,
    beam: WhiteBeam,
    surface: Surface | None,
) -> Iterable[LightSources]:
    origin = source_positions(grain.depth_um, experiment.beam_tilt)
    for spot in laue_spots(grain.crystal, grain.orientation, beam, experiment.detector, origin):
        pixels = spot_pixels(spot.row, spot.column, sigma_px, region)
        if pixels[0].size:
            yield from _spot_sources(grain, spot, pixels, surface)


def _spot_sources(
    grain: Grain,
    spot: Spot,
    pixels: tuple[Integers, Integers, Floats],
    surface: Surface | None,
) -> Iterable[LightSources]:
    row, column, part = pixels
    direction = lab_to_beam(spot.direction_lab)
    for harmonic in spot.harmonics:
        passed = 1.0
        if surface is not None:
            passed = surface.transmission(
                grain.crystal, harmonic.energy_kev, grain.depth_um, direction
            )
        yield LightSources.of(
            row,
            column,
            grain.begin_um,
            grain.end_um,
            part * (harmonic.intensity * grain.width_um * passed),
            energy_kev=harmonic.energy_kev,
            grain=grain.number,
            hkl=harmonic.hkl,
        )


def spot_pixels(
    row: float, column: float, sigma_px: float, region: Region
) -> tuple[Integers, Integers, Floats]:
    """Return the image pixels that a Gaussian spot covers, and the fraction of it on each.

    Parameters
    ----------
    row, column : float
        Centre of the spot, unbinned detector pixels.
    sigma_px : float
        Standard deviation, unbinned pixels.
    region : Region

    Returns
    -------
    row, column : (n,) int32 arrays
        Image pixels.
    part : (n,) array
        The Gaussian integrated over each pixel's area.
    """
    along_rows = _shares(row, sigma_px, region.start[1], region.binning[1], region.shape[0])
    along_columns = _shares(column, sigma_px, region.start[0], region.binning[0], region.shape[1])
    rows, columns = np.meshgrid(along_rows[0], along_columns[0], indexing="ij")
    part = np.outer(along_rows[1], along_columns[1])
    return rows.ravel(), columns.ravel(), part.ravel()


def _shares(
    centre: float, sigma: float, start: int, binning: int, count: int
) -> tuple[Integers, Floats]:
    """Return indices of binned pixels near a centre and their share of a Gaussian."""
    reach = REACH_SIGMA * sigma
    first = max(0, int(np.floor((centre - reach + 0.5 - start) / binning)))
    last = min(count - 1, int(np.floor((centre + reach + 0.5 - start) / binning)))
    edges = start - 0.5 + binning * np.arange(first, max(last + 2, first))
    index = np.arange(first, max(last + 1, first), dtype=np.int32)
    if not index.size:
        return index, np.zeros(0)
    return index, np.diff(ndtr((edges - centre) / sigma))
