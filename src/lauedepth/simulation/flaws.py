"""Effects of real instruments that the decoder does not model; each can be switched on alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from lauedepth.core.arrays import Floats
from lauedepth.core.errors import ConfigurationError
from lauedepth.core.instrument.experiment import Experiment, Region

SATURATED: Final = 65535
"""The highest count that a uint16 file can store."""

BEAM_NODES: Final = 7
"""Number of quadrature nodes across a beam of finite size."""


EXPOSURE_NODES: Final = 6
"""Points over an exposure during which the aperture moves."""

TIMELINE, NOISE, DETECTOR, APERTURE, RECORDS = 0, 1, 2, 3, 4
"""Streams of random numbers."""


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
    edges_um : float
        Error of each bar edge, drawn edge by edge (standard deviation).
    widening_um : float
        How much wider the bars are than the experiment says.
    thickness : float
        How much thicker they are, relative.
    thickness_profile : float
        How much thicker they grow towards the ends of the code (parabola), relative.
    corner_radius_um : float
        Radius to which the upper corners of the bars are rounded.
    motor_drift_um : float
        Slow wander of the aperture's position over the scan, peak to peak.
    backlash_um : float
        Travel that the motor loses at the start of the scan.
    step_error : float
        How much longer the steps are than the experiment says, relative.
    beam_steps : tuple of (int, float)
        From each frame named on the beam has this intensity, relative.
    top_up, top_up_frames : float, int
        Sawtooth of the beam current: relative loss between two fills, and frames between
        them.
    smear : float
        Part of a step that the aperture moves on while a frame is exposed (fly scan); the
        frame's own position is the middle of it.
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
    edges_um: float = 0.0
    widening_um: float = 0.0
    thickness: float = 0.0
    thickness_profile: float = 0.0
    corner_radius_um: float = 0.0
    motor_drift_um: float = 0.0
    backlash_um: float = 0.0
    step_error: float = 0.0
    beam_steps: tuple[tuple[int, float], ...] = ()
    top_up: float = 0.0
    top_up_frames: int = 60
    smear: float = 0.0

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
            "edges_um": (0.0, np.inf),
            "widening_um": (-np.inf, np.inf),
            "thickness": (-1.0, np.inf),
            "thickness_profile": (-1.0, np.inf),
            "corner_radius_um": (0.0, np.inf),
            "motor_drift_um": (0.0, np.inf),
            "backlash_um": (0.0, np.inf),
            "step_error": (-1.0, np.inf),
            "top_up": (0.0, 1.0),
            "top_up_frames": (1, np.inf),
            "smear": (0.0, 1.0),
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
        wander = _wander(frames / max(n_frames - 1, 1), rng)
        recorded = np.ones(n_frames, bool)
        recorded[_dropped(flaws, n_frames, order)] = False
        moved = flaws.jitter_um * shake + flaws.motor_drift_um * wander
        position = _driven(flaws, frames, step_um) + moved / step_um
        current = _ring_current(flaws, frames) + flaws.flicker * flicker
        return cls(position, np.maximum(current, 0.0), recorded)

    @classmethod
    def of_point(cls, experiment: Experiment, flaws: Flaws, rng: np.random.Generator) -> Timeline:
        """Draw the timeline of a point whose experiment may state positions and beam."""
        step_um, every = experiment.motion.step_um, slice(0, experiment.frames.stop)
        drawn = cls.of(flaws, experiment.frames.stop, step_um, rng)
        position, current = drawn.position, drawn.current
        if experiment.motion.positions_um is not None:
            stated = np.asarray(experiment.motion.positions_um)[every] / step_um
            position = position + stated - np.arange(stated.size)
        if experiment.beam_intensity is not None:
            current = current * np.asarray(experiment.beam_intensity)[every]
        return cls(position, current, drawn.recorded)


def _driven(flaws: Flaws, frames: Floats, step_um: float) -> Floats:
    """Return how far the motor drives the aperture, in steps."""
    travel = frames * (1 + flaws.step_error) - flaws.backlash_um / step_um
    return np.maximum(travel, 0.0) if flaws.backlash_um else travel


def _wander(part: Floats, rng: np.random.Generator) -> Floats:
    """Return a slow curve from peak to peak of 1 and mean 0, three waves over the scan."""
    phase, height = rng.random(3), rng.normal(size=3)
    waves = np.arange(1, 4)
    curve = np.sin(2 * np.pi * (waves * part[:, None] + phase)) @ (height / waves)
    return np.asarray((curve - curve.mean()) / max(float(np.ptp(curve)), 1e-12))


def _ring_current(flaws: Flaws, frames: Floats) -> Floats:
    """Return the beam's intensity at each frame, relative, without its flicker."""
    current = 1 + flaws.drift * frames / max(frames.size - 1, 1)
    current -= flaws.top_up * (frames % flaws.top_up_frames) / flaws.top_up_frames
    factor = np.ones(frames.size)
    for first, level in sorted(flaws.beam_steps):
        factor[first:] = level
    return np.asarray(current * factor)


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


def exposure_nodes(flaws: Flaws) -> tuple[Floats, Floats]:
    """Return where in steps an exposure is looked at, from its middle, and the weights."""
    if flaws.smear == 0:
        return np.zeros(1), np.ones(1)
    nodes, weights = np.polynomial.legendre.leggauss(EXPOSURE_NODES)
    return nodes * flaws.smear / 2, weights / 2
