"""Effects of real instruments that the decoder does not model; each can be switched on alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from lauedepth.core.arrays import Floats
from lauedepth.core.errors import ConfigurationError
from lauedepth.core.instrument.experiment import Region

SATURATED: Final = 65535
"""The highest count that a uint16 file can store."""

BEAM_NODES: Final = 7
"""Number of quadrature nodes across a beam of finite size."""


def generator(seed: int, *key: int) -> np.random.Generator:
    """Return a random number generator that depends only on the seed and key."""
    sequence = np.random.SeedSequence(seed, spawn_key=key)
    return np.random.Generator(np.random.Philox(sequence))


@dataclass(frozen=True)
class Flaws:
    """Deviations from the ideal instrument; the default has none.

    Attributes
    ----------
    beam_sigma_um : float
        Size of the incident beam (standard deviation of a round Gaussian).
    blur_sigma_px : float
        Spread of light in the detector (Gaussian), image pixels.
    saturation : int
        Count at which the detector saturates.
    hot_fraction, hot_counts : float
        Fraction of hot pixels, and their mean counts per frame.
    dead_fraction : float
        Fraction of the pixels that read zero.
    drift : float
        Relative change of the beam current from the first frame to the last, linear.
    flicker : float
        Relative change of the beam current from frame to frame (standard deviation).
    dropped : tuple of int, or int
        Frames that were lost and read zero: which, or how many.
    jitter_um : float
        Error of the aperture's position from frame to frame (standard deviation).
    """

    beam_sigma_um: float = 0.0
    blur_sigma_px: float = 0.0
    saturation: int = SATURATED
    hot_fraction: float = 0.0
    hot_counts: float = 5000.0
    dead_fraction: float = 0.0
    drift: float = 0.0
    flicker: float = 0.0
    dropped: tuple[int, ...] | int = ()
    jitter_um: float = 0.0

    def __post_init__(self) -> None:
        limits = {
            "beam_sigma_um": (0.0, np.inf),
            "blur_sigma_px": (0.0, np.inf),
            "saturation": (1, SATURATED),
            "hot_fraction": (0.0, 1.0),
            "hot_counts": (0.0, np.inf),
            "dead_fraction": (0.0, 1.0),
            "drift": (-1.0, np.inf),
            "flicker": (0.0, np.inf),
            "jitter_um": (0.0, np.inf),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigurationError(
                    f"{value} is out of range",
                    f"flaws.{name}",
                    f"give a value from {low} to {high}",
                )


@dataclass(frozen=True)
class Timeline:
    """What happened at each frame of a point.

    Attributes
    ----------
    position : (n_frames,) array
        Actual position of the aperture, in steps from frame 0.
    current : (n_frames,) array
        Relative beam current.
    recorded : (n_frames,) bool array
        False for dropped frames.
    """

    position: Floats
    current: Floats
    recorded: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, flaws: Flaws, n_frames: int, step_um: float, rng: np.random.Generator) -> Timeline:
        """Draw the timeline of a point.

        Raises
        ------
        ConfigurationError
            If a frame to be dropped does not exist.
        """
        frames = np.arange(n_frames, dtype=np.float64)
        # All are drawn, used or not, so that one flaw does not change the effect of another.
        shake, flicker, order = (
            rng.normal(size=n_frames),
            rng.normal(size=n_frames),
            rng.random(n_frames),
        )
        current = 1 + flaws.drift * frames / max(n_frames - 1, 1) + flaws.flicker * flicker
        recorded = np.ones(n_frames, bool)
        recorded[_dropped(flaws, n_frames, order)] = False
        return cls(frames + flaws.jitter_um / step_um * shake, np.maximum(current, 0.0), recorded)


def _dropped(flaws: Flaws, n_frames: int, order: Floats) -> npt.NDArray[np.int64]:
    if isinstance(flaws.dropped, int):
        chosen = np.argsort(order)[: flaws.dropped]
        fits = 0 <= flaws.dropped <= n_frames
    else:
        chosen = np.asarray(flaws.dropped, np.int64)
        fits = bool(np.all((chosen >= 0) & (chosen < n_frames)))
    if not fits:
        raise ConfigurationError(
            f"{flaws.dropped} does not match {n_frames} frames",
            "flaws.dropped",
            "give frame numbers, counted from 0, or how many frames to drop",
        )
    return chosen


@dataclass(frozen=True)
class BadPixels:
    """Hot and dead pixels of an image.

    Attributes
    ----------
    hot, dead : (rows, columns) bool arrays
    """

    hot: npt.NDArray[np.bool_]
    dead: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, flaws: Flaws, region: Region, rng: np.random.Generator) -> BadPixels:
        """Choose bad pixels; a pixel is never both."""
        draw = rng.random(region.shape)
        return cls(draw < flaws.hot_fraction, draw > 1 - flaws.dead_fraction)


def blur(image: Floats, sigma_px: float) -> Floats:
    """Return an image blurred by the detector; light spread beyond its edge is lost."""
    return gaussian_filter(image, sigma_px, mode="constant")


def beam_offsets(flaws: Flaws) -> tuple[Floats, Floats]:
    """Return points across the beam (µm) and their weights (Gauss-Hermite)."""
    if flaws.beam_sigma_um == 0:
        return np.zeros(1), np.ones(1)
    nodes, weights = np.polynomial.hermite_e.hermegauss(BEAM_NODES)
    return nodes * flaws.beam_sigma_um, weights / weights.sum()
