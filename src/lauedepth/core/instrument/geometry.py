"""Rays from the sample through the aperture to the detector, in the beam frame.

The formulas are those of the design page, section 2; the pixel map reproduces the measured
silicon pattern of 34-ID-E (see the tests).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lauedepth.core.arrays import Floats
from lauedepth.core.instrument.experiment import Detector, Experiment, Motion, Pose


def lab_to_beam(vectors: Floats) -> Floats:
    """Turn 34-ID-E lab vectors (X outboard, Y up, Z along the beam) into the beam frame.

    Parameters
    ----------
    vectors : (..., 3) array

    Returns
    -------
    (..., 3) array
        (Z, Y, -X) of each vector.

    Examples
    --------
    >>> lab_to_beam(np.array([1.0, 2.0, 3.0])).tolist()
    [3.0, 2.0, -1.0]
    """
    return np.stack([vectors[..., 2], vectors[..., 1], -vectors[..., 0]], axis=-1)


def rotation_matrix(rotation_rad: npt.ArrayLike) -> Floats:
    """Return the matrix of a rotation, by Rodrigues' formula.

    SciPy's would do, but every process would start later for loading it.

    Parameters
    ----------
    rotation_rad : (3,) array_like
        Along the axis, as long as the angle in radians.
    """
    vector = np.asarray(rotation_rad, np.float64)
    angle = float(np.linalg.norm(vector))
    if angle == 0:
        return np.eye(3)
    x, y, z = vector / angle
    across = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    # 1 - cos without its cancellation
    turn = np.eye(3) + np.sin(angle) * across + 2 * np.sin(angle / 2) ** 2 * (across @ across)
    return np.asarray(turn)


def pixel_positions(detector: Detector, row: npt.ArrayLike, column: npt.ArrayLike) -> Floats:
    """Return where pixels stand in space.

    Parameters
    ----------
    detector : Detector
    row, column : array_like, broadcastable
        Unbinned pixel coordinates; whole numbers are pixel centres.

    Returns
    -------
    (..., 3) array
        Positions in the beam frame, mm.
    """
    rows, columns = np.broadcast_arrays(np.asarray(row, np.float64), np.asarray(column, np.float64))
    (nx, ny), (size_x, size_y) = detector.shape, detector.size_mm
    flat = np.stack(
        [
            (columns - (nx - 1) / 2) * size_x / nx,
            (rows - (ny - 1) / 2) * size_y / ny,
            np.zeros_like(rows),
        ],
        axis=-1,
    ) + np.asarray(detector.translation_mm)
    return lab_to_beam(flat @ rotation_matrix(detector.rotation_rad).T)


def source_positions(depth_um: npt.ArrayLike, beam_tilt: float) -> Floats:
    """Return the points on the beam at given depths: (..., 3) array in mm."""
    s = np.asarray(depth_um, np.float64) * 1e-3
    return np.stack([s, beam_tilt * s, np.zeros_like(s)], axis=-1)


def pose_matrix(pose: Pose) -> Floats:
    """Return the aperture's rotation; its columns are code axis, normal, bar direction."""
    about_x, about_y, about_z = np.eye(3)
    return np.asarray(
        rotation_matrix(np.deg2rad(pose.angley_deg) * about_y)
        @ rotation_matrix(np.deg2rad(pose.anglez_deg) * about_z)
        @ rotation_matrix(np.deg2rad(pose.anglex_deg) * about_x)
    )


def scan_direction(motion: Motion) -> Floats:
    """Return the unit vector along which the aperture is scanned."""
    axis = np.asarray(motion.axis, np.float64)
    return np.asarray(rotation_matrix(motion.rotation_rad) @ (axis / np.linalg.norm(axis)))


def aperture_centres(experiment: Experiment, frame: npt.ArrayLike) -> Floats:
    """Return the aperture's centre at the middle of each exposure: (n_frames, 3) array in mm."""
    pose, motion = experiment.pose, experiment.motion
    centre = np.array([pose.cenx_mm, pose.dist_mm, pose.cenz_mm])
    steps = np.asarray(frame, np.float64) + motion.lead_steps
    travel = motion.shift_mm + steps * motion.step_um * 1e-3
    return centre + travel[..., None] * scan_direction(motion)


def code_coordinate(
    experiment: Experiment,
    pixel_mm: Floats,
    depth_um: npt.ArrayLike,
    frame: npt.ArrayLike,
) -> Floats:
    """Return where rays cross the aperture, in µm along the code from its first bit.

    Parameters
    ----------
    experiment : Experiment
    pixel_mm : (..., 3) array
        Pixel positions in the beam frame.
    depth_um, frame : array_like
        Depth of the source points and frame numbers, broadcastable with the pixels.

    Returns
    -------
    (...) array
        u_k(s) = L/2 - (X - C_k) . a
    """
    axes = pose_matrix(experiment.pose)
    code_axis, normal = axes[:, 0], axes[:, 1]
    source = source_positions(depth_um, experiment.beam_tilt)
    centre = aperture_centres(experiment, frame)
    ray = pixel_mm - source
    reach = ((centre - source) @ normal) / (ray @ normal)
    crossing = source + reach[..., None] * ray
    offset_um = ((crossing - centre) @ code_axis) * 1e3
    return np.asarray(experiment.aperture.length_um / 2 - offset_um, np.float64)


def ray_slopes(
    experiment: Experiment, pixel_mm: Floats, depth_um: npt.ArrayLike
) -> tuple[Floats, Floats]:
    """Return how rays cross the thickness of the aperture.

    Returns
    -------
    slope : (...) array
        m = (v.a)/(v.n), how far along the code a ray moves per unit of thickness.
    secant : (...) array
        |v|/|v.n|, length of path per unit of thickness.
    """
    axes = pose_matrix(experiment.pose)
    ray = pixel_mm - source_positions(depth_um, experiment.beam_tilt)
    along_normal = ray @ axes[:, 1]
    slope = (ray @ axes[:, 0]) / along_normal
    secant = np.linalg.norm(ray, axis=-1) / np.abs(along_normal)
    return np.asarray(slope), np.asarray(secant)


def pixel_of_direction(
    detector: Detector, direction: Floats, origin_mm: npt.ArrayLike = (0.0, 0.0, 0.0)
) -> tuple[Floats, Floats]:
    """Return where rays meet the detector's plane; the inverse of `pixel_positions`.

    Parameters
    ----------
    detector : Detector
    direction : (..., 3) array
        Of the rays, beam frame, any length.
    origin_mm : (..., 3) array_like
        Where the rays start, beam frame.

    Returns
    -------
    row, column : (...) arrays
        Unbinned pixel coordinates; NaN where a ray leads away from the plane.
    """
    (nx, ny), (size_x, size_y) = detector.shape, detector.size_mm
    turn = rotation_matrix(detector.rotation_rad)
    # Columns of `axes` are the detector's own axes in the beam frame.
    axes = lab_to_beam(turn.T).T
    start = np.asarray(origin_mm, np.float64) @ axes
    along = np.asarray(direction, np.float64) @ axes
    shift = np.asarray(detector.translation_mm, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = (shift[2] - start[..., 2]) / along[..., 2]
        reach = np.where(reach > 0, reach, np.nan)
    flat = start[..., :2] + reach[..., None] * along[..., :2] - shift[:2]
    row = flat[..., 1] * ny / size_y + (ny - 1) / 2
    column = flat[..., 0] * nx / size_x + (nx - 1) / 2
    return np.asarray(row), np.asarray(column)
