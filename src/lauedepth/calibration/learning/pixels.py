"""The pixels from which an instrument is learnt, and their own unknowns."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from lauedepth.calibration.learning import limits
from lauedepth.calibration.learning._batch import Batch, add_range, fit_range
from lauedepth.calibration.learning._fit import Equations
from lauedepth.calibration.learning._model import (
    ABSORPTION,
    BACKGROUND,
    CENTRE,
    LIGHT,
    SIZE,
    WIDTH,
    Shared,
)
from lauedepth.core.arrays import Floats
from lauedepth.core.decoding.limits import SATURATED
from lauedepth.core.decoding.pixels import DecodedPixels
from lauedepth.core.instrument.energy import attenuation_per_um
from lauedepth.core.instrument.experiment import Aperture, Experiment
from lauedepth.core.instrument.raymap import RayMap
from lauedepth.core.threads import usable_threads

PIXELS_AT_ONCE: Final = 32
"""Pixels whose equations are summed together: a fixed number, so that sums come out the same
on any number of threads."""


@dataclass(frozen=True)
class Start:
    """Boxes of light that a decoder found.

    Attributes
    ----------
    depth_um, width_um, intensity, background : (n_pixels,) arrays
        As in `DecodedPixels`, the stronger depth of each pixel.
    """

    depth_um: Floats
    width_um: Floats
    intensity: Floats
    background: Floats


def start_from(found: DecodedPixels) -> tuple[npt.NDArray[np.int64], Start]:
    """Return the decoded traces, as numbers in their batch, and their stronger depths.

    A second depth keeps no pixel out: a departing instrument makes most of them up, and what a
    true one leaves over is judged with the other misfits.
    """
    first = np.concatenate([[True], np.diff(found.trace) > 0])[: len(found)]
    use = first & np.isfinite(found.depth_um)
    start = Start(
        found.depth_um[use], found.width_um[use], found.intensity[use], found.background[use]
    )
    return found.trace[use], start


@dataclass(frozen=True)
class PixelFits:
    """Pixels with their own unknowns as fitted.

    Attributes
    ----------
    batch : Batch
    sweep_um : (n_pixels,) array
        Window of each pixel for bars of the nominal thickness.
    code_um : (n_pixels,) array
        Where each pixel's ray is on the code at frame 0.
    theta : (n_pixels, SIZE) array
        See `_model`.
    loss : (n_pixels,) array
        Chi-square with bounded pull.
    """

    batch: Batch
    sweep_um: Floats
    code_um: Floats
    theta: Floats
    loss: Floats

    @classmethod
    def of(
        cls,
        experiment: Experiment,
        row: Floats,
        column: Floats,
        counts: npt.NDArray[np.generic],
        usable: npt.NDArray[np.bool_],
        start: Start,
        energy_kev: tuple[float, float],
    ) -> PixelFits:
        """Take pixels as measured, their unknowns where a decoder found them.

        Parameters
        ----------
        experiment : Experiment
        row, column : (n_pixels,) arrays
            Unbinned detector coordinates.
        counts : (n_pixels, n_frames) array
        usable : (n_frames,) bool array
        start : Start
        energy_kev : (float, float)
            Range of the beam's spectrum.
        """
        rays = RayMap.of(experiment, row, column)
        sweep = rays.window_um(start.depth_um)
        log_x, spread = log_absorption(experiment.aperture, rays.secant(start.depth_um), energy_kev)
        values = counts.astype(np.float64)
        with np.errstate(invalid="ignore"):
            measured = usable & (values >= 0) & (values < SATURATED)
        batch = Batch(
            np.ascontiguousarray(rays.pixel_mm),
            np.where(measured, values, 0.0),
            measured.astype(np.float64),
            np.array(sweep),
            log_x,
            np.full(len(row), spread**-2.0),
        )
        return cls(
            batch,
            sweep,
            rays.position_um(start.depth_um, 0),
            _first_guess(start, log_x),
            np.full(len(row), np.nan),
        )

    def __len__(self) -> int:
        return int(self.theta.shape[0])

    @property
    def freedom(self) -> Floats:
        """Degrees of freedom of each pixel's fit."""
        return np.asarray(self.batch.mask.sum(axis=1) - SIZE)

    @property
    def misfit(self) -> Floats:
        """Loss per degree of freedom."""
        return self.loss / self.freedom

    def modulation(self, *, opaque: bool) -> Floats:
        """Return the light that bars take away, squared and over the mean count: (n_pixels,).

        Times a variance relative to that light it is what a frame adds to chi-square.
        """
        light = self.theta[:, LIGHT:BACKGROUND].sum(axis=1)
        if not opaque:
            light = light * (1.0 - np.exp(-np.exp(self.theta[:, ABSORPTION])))
        level = self.batch.counts.sum(axis=1) / self.batch.mask.sum(axis=1)
        return np.asarray(light**2 / np.maximum(level, 1.0))

    def chosen(self, index: npt.NDArray[np.int64]) -> PixelFits:
        """Return some of the pixels."""
        batch = Batch(*(np.ascontiguousarray(part[index]) for part in self.batch))
        return PixelFits(
            batch,
            self.sweep_um[index],
            self.code_um[index],
            self.theta[index],
            self.loss[index],
        )

    @classmethod
    def joined(cls, one: PixelFits, other: PixelFits) -> PixelFits:
        """Return the pixels of two sets, one behind the other."""
        batch = Batch(*(np.concatenate(pair) for pair in zip(one.batch, other.batch, strict=True)))
        return cls(
            batch,
            np.concatenate([one.sweep_um, other.sweep_um]),
            np.concatenate([one.code_um, other.code_um]),
            np.concatenate([one.theta, other.theta]),
            np.concatenate([one.loss, other.loss]),
        )

    def fitted(self, shared: Shared, thickness: float) -> PixelFits:
        """Return the pixels fitted anew through an instrument.

        Parameters
        ----------
        shared : Shared
        thickness : float
            Factor on the bars' thickness.
        """
        batch = self.batch._replace(window=self.sweep_um * thickness)
        theta, loss = self.theta.copy(), np.empty(len(self))

        def work(part: slice) -> None:
            fit_range(_cut(batch, part), theta[part], shared, loss[part])

        _in_threads(work, len(self))
        return replace(self, batch=batch, theta=theta, loss=loss)

    def equations(
        self, shared: Shared, scales: Floats, unknowns: int
    ) -> tuple[list[Equations], Floats]:
        """Return the pixels' equations and the rows of `_fit.add_pixel`, (n_pixels, SIZE, .).

        Parameters
        ----------
        shared : Shared
            Through which they were fitted.
        scales : (n_pixels,) array
            What the weights of each are divided by; infinite to leave it out.
        unknowns : int
            How many unknowns pixels see of the instrument.
        """
        rows = np.empty((len(self), SIZE, unknowns + 2))
        sums: dict[int, Equations] = {}

        def work(part: slice) -> None:
            sums[part.start] = add_range(
                _cut(self.batch, part), self.theta[part], scales[part], shared, rows[part]
            )

        _in_threads(work, len(self))
        return [sums[begin] for begin in sorted(sums)], rows


def log_absorption(
    aperture: Aperture, secant: Floats, energy_kev: tuple[float, float]
) -> tuple[Floats, float]:
    """Return mean and spread of the log of x over the beam's spectrum, taken as even.

    Parameters
    ----------
    aperture : Aperture
    secant : (n_pixels,) array
        Path per unit of thickness.
    energy_kev : (float, float)
        Range of the spectrum.

    Returns
    -------
    mean : (n_pixels,) array
    spread : float
        Standard deviation.
    """
    log_mu = np.log(attenuation_per_um(aperture, np.linspace(*energy_kev, 200)))
    low, high = np.log(limits.ABSORPTION_RANGE)
    mean = log_mu.mean() + np.log(aperture.thickness_um * secant)
    return np.clip(mean, low, high), float(log_mu.std())


def _first_guess(start: Start, log_x: Floats) -> Floats:
    """Turn boxes behind opaque bars into what absorbing bars would make of them."""
    through = np.exp(-np.exp(log_x))
    light = start.intensity / (1 - through)
    theta = np.empty((light.size, SIZE))
    theta[:, CENTRE] = start.depth_um
    theta[:, WIDTH] = np.clip(start.width_um, limits.NARROWEST_UM, limits.WIDEST_UM)
    theta[:, LIGHT:BACKGROUND] = light[:, None] / limits.SUB_BOXES
    theta[:, BACKGROUND] = np.maximum(start.background - light * through, 0.1)
    theta[:, ABSORPTION] = log_x
    return theta


def _cut(batch: Batch, part: slice) -> Batch:
    return Batch(*(field[part] for field in batch))


def _in_threads(work: Callable[[slice], None], count: int) -> None:
    parts = [
        slice(begin, min(begin + PIXELS_AT_ONCE, count))
        for begin in range(0, count, PIXELS_AT_ONCE)
    ]
    with ThreadPoolExecutor(usable_threads()) as pool:
        list(pool.map(work, parts))
