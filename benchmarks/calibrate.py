"""How surely and how exactly a calibration finds the pose, on simulated scans."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Final

import numpy as np
from rich.console import Console
from rich.table import Table
from tests.geometries import NORCADA, TWIN

from lauedepth.calibration import CalibrationReport, Scan, calibrate
from lauedepth.core.arrays import Floats
from lauedepth.core.decoding.decode import decode
from lauedepth.core.decoding.pixels import DecodeOptions
from lauedepth.core.errors import LaueDepthError
from lauedepth.core.instrument.experiment import Experiment, Pose
from lauedepth.core.instrument.geometry import pose_matrix
from lauedepth.simulation import Flaws, Footprints, quick_traces
from lauedepth.simulation.flaws import Timeline

NAME = "calibrate"


POSES: Final = 60
"""With 20, the fraction of parameters within their error would be uncertain by 7 %."""
PIXELS: Final = 50
SHIFTS_MM: Final = (0.0, -0.15)
OFF: Final = np.array([0.2, 0.2, 0.2, 1.0, 1.0, 1.0])
"""How far a start may be off: mm and degrees."""
FLAWS: Final = Flaws(jitter_um=0.1, drift=-0.05, flicker=0.005)
WRONG: Final = 0.05
TRIAL_POSES: Final = 1440
"""Poses that the published search decodes with."""
SAMPLE_PIXELS: Final = 60
SAMPLE_COUNTS: Final = 3000.0

GEOMETRIES: Final = {"norcada": NORCADA, "twin": TWIN}


@dataclass(frozen=True)
class Outcome:
    """One calibration against its truth.

    Attributes
    ----------
    found : bool
        Depths of the independent sample are right to a micron.
    depth_rms_um : float
        Error of the depths of the independent sample, decoded with the calibrated pose.
    pulls : (6,) array
        (Fitted - true) / error of the pose's parameters; NaN for those that are held.
    seconds : float
    """

    found: bool
    depth_rms_um: float
    pulls: Floats
    seconds: float


def simulated_scan(
    experiment: Experiment,
    shift_mm: float,
    rng: np.random.Generator,
    *,
    flaws: Flaws | None,
    energy_kev: float,
    peak: float = 500.0,
) -> Scan:
    """Return the traces of a silicon membrane, 2 µm thick, at depth 0."""
    row, column = rng.uniform(20, 2028, (2, PIXELS))
    motion = replace(experiment.motion, shift_mm=experiment.motion.shift_mm + shift_mm)
    moved = replace(experiment, motion=motion)
    depth, background = np.zeros(PIXELS), 20.0
    timeline = Timeline.of(flaws or Flaws(), len(moved.frames), motion.step_um, rng)
    if flaws is not None:
        wrong = rng.permutation(PIXELS)[: round(WRONG * PIXELS)]
        depth[wrong] = rng.uniform(-100, 100, wrong.size)
        background = 100.0
    light = Footprints(depth, 2.0, peak * rng.uniform(0.1, 1.0, PIXELS), energy_kev)
    expected = quick_traces(
        moved, row, column, light, background=background, frame=timeline.position
    )
    counts = rng.poisson(expected * timeline.current).astype(np.uint16)
    usable = np.ones(len(moved.frames), bool)
    return Scan(row, column, counts, usable, shift_mm, f"scan at {shift_mm:g} mm")


def depth_rms(truth: Experiment, calibrated: Experiment, rng: np.random.Generator) -> float:
    """Decode an independent sample, pixels at known depths, with the calibrated pose."""
    row, column = rng.uniform(20, 2028, (2, SAMPLE_PIXELS))
    middle = (truth.depths.start_um + truth.depths.stop_um) / 2
    depth = middle + rng.uniform(-80, 80, SAMPLE_PIXELS)
    light = Footprints(depth, 3.0, SAMPLE_COUNTS)
    counts = rng.poisson(quick_traces(truth, row, column, light, background=20.0))
    found = decode(calibrated, row, column, counts.astype(np.uint16), backend="cpu")
    first = np.unique(found.trace, return_index=True)[1]
    error = found.depth_um[first] - depth
    return float(np.sqrt(np.nanmean(error**2))) if np.isfinite(error).any() else np.inf


def slid(truth: Pose, start: Pose, fitted: Pose) -> Floats:
    """Return the true pose slid along its bars to where the calibration holds them."""
    bars, held = pose_matrix(truth)[:, 2], pose_matrix(fitted)[:, 2]
    centre = np.array([truth.cenx_mm, truth.dist_mm, truth.cenz_mm])
    begin = np.array([start.cenx_mm, start.dist_mm, start.cenz_mm])
    centre -= bars * ((centre - begin) @ held) / (bars @ held)
    return np.array([*centre, truth.anglex_deg, truth.angley_deg, truth.anglez_deg])


def campaign(start: Experiment, poses: int, flaws: Flaws | None, seed: int) -> Iterator[Outcome]:
    """Calibrate apertures that stand up to 1° and 0.2 mm from where they are thought to."""
    for number in range(poses):
        rng = np.random.default_rng([seed, number])
        values = np.array(list(vars(start.pose).values())) + OFF * rng.uniform(-1, 1, 6)
        truth = replace(start, pose=Pose(*values))
        energy = (np.nan, 12.0, 18.0)[number % 3]
        scans = [
            simulated_scan(truth, shift, rng, flaws=flaws, energy_kev=energy) for shift in SHIFTS_MM
        ]
        begin = perf_counter()
        try:
            found = calibrate(start, scans)
        except LaueDepthError:
            yield Outcome(False, np.inf, np.full(6, np.nan), perf_counter() - begin)
            continue
        seconds = perf_counter() - begin
        yield judged(truth, start, found, rng, seconds)


def judged(
    truth: Experiment,
    start: Experiment,
    found: CalibrationReport,
    rng: np.random.Generator,
    seconds: float,
) -> Outcome:
    """Compare a calibration with the truth."""
    right = slid(truth.pose, start.pose, found.experiment.pose)
    rms = depth_rms(truth, found.experiment, rng)
    pulls = (found.fit.values[:6] - right) / found.fit.errors[:6]
    return Outcome(rms < 1.0, rms, np.where(found.fit.determined[:6], pulls, np.nan), seconds)


def within_error(pulls: list[Floats]) -> str:
    """Return what fraction of the parameters lies within its error; those of a pose go together."""
    known = [one[np.isfinite(one)] for one in pulls]
    parts = np.array([np.mean(np.abs(one) < 1) for one in known if one.size])
    return f"{parts.mean():.0%} ± {parts.std() / np.sqrt(parts.size):.0%}"


def published_seconds(experiment: Experiment) -> float:
    """Return how long the published search would take, from one decode of its pixels."""
    rng = np.random.default_rng(0)
    scan = simulated_scan(experiment, 0.0, rng, flaws=None, energy_kev=np.nan)
    begin = perf_counter()
    decode(
        experiment,
        scan.row,
        scan.column,
        scan.counts,
        backend="reference",
        options=DecodeOptions(method="published"),
    )
    return TRIAL_POSES * (perf_counter() - begin)


def run(console: Console) -> None:
    """Run the campaign and show it."""
    table = Table(title=f"calibration of {POSES} poses per row, {PIXELS} pixels, two scans")
    for head in ("geometry", "flaws", "found", "depth rms µm", "worst", "within 1 σ", "seconds"):
        table.add_column(head, justify="right")
    seconds = []
    for name, start in GEOMETRIES.items():
        for flaws in (None, FLAWS):
            outcomes = list(campaign(start, POSES, flaws, seed=1))
            seconds += [one.seconds for one in outcomes]
            depth = np.array([one.depth_rms_um for one in outcomes])
            table.add_row(
                name,
                "none" if flaws is None else "jitter, drift, background, wrong pixels",
                f"{sum(one.found for one in outcomes)}/{POSES}",
                f"{np.sqrt(np.mean(depth**2)):.4f}",
                f"{depth.max():.4f}",
                within_error([one.pulls for one in outcomes]),
                f"{np.median([one.seconds for one in outcomes]):.1f}",
            )
    console.print(table)
    published = published_seconds(NORCADA)
    console.print(
        f"the published search, {TRIAL_POSES} decodes of {PIXELS} pixels of norcada: "
        f"approximately {published:.0f} s on one core "
        f"({published / statistics.median(seconds):.0f} times as long)"
    )
