"""How each pixel's rays move along the code: closed forms shared by every backend.

With a the code axis, n the normal and v = P - S the ray, the coordinate along the code is

    u_k(s) = L/2 + (C_k - S).a - m(s) (C_k - S).n,    m(s) = (v.a)/(v.n),

so that a pixel enters only through its coordinates along the aperture's own axes, u is
exactly linear in the frame number, and nothing needs the full vectors again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lauedepth.core.arrays import Floats
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.geometry import (
    aperture_centres,
    pixel_positions,
    pose_matrix,
    scan_direction,
    source_positions,
)


@dataclass(frozen=True)
class RayMap:
    """Coordinates of an experiment along the aperture's axes (code, normal, bar).

    Attributes
    ----------
    pixel_mm : (n_pixels, 3) array
        Pixels.
    centre_mm : (3,) array
        The aperture's centre at frame 0.
    step_mm : (3,) array
        Its motion from one frame to the next.
    beam : (3,) array
        Displacement of the source point per unit of depth.
    half_length_um : float
        Half the length of the code.
    thickness_um : float
        Thickness of the bars.

    Examples
    --------
    Where on the code the ray from a depth of 40 µm to the pixel in row 900 and column 1000 is at
    frames 0 and 1; and back, from which depth it came:

    >>> from lauedepth import load_experiment
    >>> experiment = load_experiment("examples/experiment.yml").to_core()
    >>> rays = RayMap.of(experiment, [900.0], [1000.0])
    >>> first, second = rays.position_um(40.0, [0, 1])
    >>> bool(abs(second - first - rays.advance_um(40.0)[0]) < 1e-9)
    True
    >>> rays.depth_um(first, 0).round(6).tolist()
    [40.0]
    """

    pixel_mm: Floats
    centre_mm: Floats
    step_mm: Floats
    beam: Floats
    half_length_um: float
    thickness_um: float

    @classmethod
    def of(cls, experiment: Experiment, row: npt.ArrayLike, column: npt.ArrayLike) -> RayMap:
        """Map the pixels at unbinned detector coordinates (row, column)."""
        axes = pose_matrix(experiment.pose)
        step_mm = experiment.motion.step_um * 1e-3 * scan_direction(experiment.motion)
        return cls(
            pixel_mm=pixel_positions(experiment.detector, row, column) @ axes,
            centre_mm=aperture_centres(experiment, 0.0) @ axes,
            step_mm=step_mm @ axes,
            beam=source_positions(1e3, experiment.beam_tilt) @ axes,
            half_length_um=experiment.aperture.length_um / 2,
            thickness_um=experiment.aperture.thickness_um,
        )

    def __len__(self) -> int:
        return int(self.pixel_mm.shape[0])

    def ray(self, depth_um: npt.ArrayLike) -> Floats:
        """Return v = P - S, (..., 3) in mm, for depths that broadcast with the pixels."""
        s = np.asarray(depth_um, np.float64)[..., None] * 1e-3
        return self.pixel_mm - s * self.beam

    def slope(self, depth_um: npt.ArrayLike) -> Floats:
        """Return m: how far along the code a ray moves per unit of thickness."""
        v = self.ray(depth_um)
        return np.asarray(v[..., 0] / v[..., 1])

    def window_um(self, depth_um: npt.ArrayLike) -> Floats:
        """Return w = |m| t, the part of the code a ray sweeps in the bars' thickness."""
        return np.abs(self.slope(depth_um)) * self.thickness_um

    def secant(self, depth_um: npt.ArrayLike) -> Floats:
        """Return |v|/|v.n|: path per unit of thickness."""
        v = self.ray(depth_um)
        return np.asarray(np.linalg.norm(v, axis=-1) / np.abs(v[..., 1]))

    def position_um(self, depth_um: npt.ArrayLike, frame: npt.ArrayLike) -> Floats:
        """Return u_k(s) in µm, for depths and frame numbers that broadcast with the pixels."""
        s = np.asarray(depth_um, np.float64) * 1e-3
        constant, linear = self._moebius(frame)
        u_mm = (constant + linear * s) / (self.pixel_mm[..., 1] - self.beam[1] * s)
        return np.asarray(self.half_length_um + 1e3 * u_mm)

    def depth_um(self, position_um: npt.ArrayLike, frame: npt.ArrayLike) -> Floats:
        """Return the depth whose ray meets a coordinate of the code in a given frame."""
        u_mm = (np.asarray(position_um, np.float64) - self.half_length_um) * 1e-3
        constant, linear = self._moebius(frame)
        s = (u_mm * self.pixel_mm[..., 1] - constant) / (linear + u_mm * self.beam[1])
        return np.asarray(1e3 * s)

    def advance_um(self, depth_um: npt.ArrayLike) -> Floats:
        """Return how far u moves from one frame to the next."""
        advance = self.step_mm[0] - self.slope(depth_um) * self.step_mm[1]
        return np.asarray(1e3 * advance)

    def _moebius(self, frame: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Return alpha, beta of u - L/2 = (alpha + beta s) / (P.n - s beam.n), in mm.

        The terms in s² of (C_k - S).a (v.n) - (v.a) (C_k - S).n cancel.
        """
        k = np.asarray(frame, np.float64)
        centre_a = self.centre_mm[0] + k * self.step_mm[0]
        centre_n = self.centre_mm[1] + k * self.step_mm[1]
        pixel_a, pixel_n = self.pixel_mm[..., 0], self.pixel_mm[..., 1]
        beam_a, beam_n = self.beam[0], self.beam[1]
        constant = centre_a * pixel_n - pixel_a * centre_n
        linear = beam_a * (centre_n - pixel_n) + beam_n * (pixel_a - centre_a)
        return np.asarray(constant), np.asarray(linear)

    def pick(self, index: int | slice | npt.NDArray[np.int64]) -> RayMap:
        """Return the map of some of the pixels."""
        return replace(self, pixel_mm=self.pixel_mm[index])
