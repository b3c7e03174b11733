"""What departures of an instrument do to depths, and what learning it from the scan gives back.

Every number stands beside that of a perfect instrument on the same light, in the same run.
The forward model is the simulator's, which shares nothing with the learner but the geometry.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table
from tests.geometries import NORCADA, TWIN

from lauedepth.calibration.learning import InstrumentFit, LearnOptions, learn_from_traces
from lauedepth.core.decoding.decode import decode
from lauedepth.core.decoding.pixels import DecodedPixels, DecodeOptions, PixelFlag
from lauedepth.core.instrument.experiment import Depths, Experiment, Frames, Pose
from lauedepth.simulation import Flaws, Footprints, Timeline, flawed_traces
from lauedepth.simulation.flaws import TIMELINE, generator

NAME = "learning"
PIXELS: Final = 600
SPOTS: Final = 80
PARTS: Final = 12
ENERGY_KEV: Final = (8.0, 22.0)
BACKGROUND: Final = 20.0
MONITOR_NOISE: Final = 0.002

GEOMETRIES: Final = {
    "norcada": NORCADA,
    "twin": TWIN,
    "far": replace(
        NORCADA,
        pose=Pose(0.2, 2.4, 0.6, 0.5, 1.0, 40.0),
        motion=replace(NORCADA.motion, step_um=0.75, shift_mm=0.2),
        frames=Frames(0, 401),
        depths=Depths(-150.0, 250.0),
    ),
    "thick": replace(
        TWIN,
        aperture=replace(TWIN.aperture, open_width_um=12.0, bar_width_um=10.0, thickness_um=5.0),
        pose=Pose(0.5, 1.3, 0.8, -0.5, -1.0, 46.0),
        frames=Frames(0, 300),
        depths=Depths(-100.0, 200.0),
    ),
}

BEAM_HALF: Final = ((150, 0.5), (180, 1.0))
DEPARTURES: Final = {
    "none": Flaws(),
    "together": Flaws(
        edges_um=0.2,
        widening_um=0.5,
        jitter_um=0.2,
        motor_drift_um=1.0,
        step_error=0.002,
        top_up=0.05,
        thickness=0.1,
    ),
    "five times": Flaws(
        edges_um=1.0,
        widening_um=2.5,
        jitter_um=1.0,
        motor_drift_um=5.0,
        step_error=0.01,
        top_up=0.25,
        thickness=0.3,
    ),
    "edges 0.2": Flaws(edges_um=0.2),
    "widening 0.5": Flaws(widening_um=0.5),
    "jitter 0.2": Flaws(jitter_um=0.2),
    "drift 1": Flaws(motor_drift_um=1.0),
    "step 0.2 %": Flaws(step_error=0.002),
    "thickness 10 %": Flaws(thickness=0.1),
    "beam sawtooth 5 %": Flaws(top_up=0.05),
    "beam drift 10 %": Flaws(drift=-0.1),
    "beam step 10 %": Flaws(beam_steps=((130, 0.9),)),
    "beam half": Flaws(beam_steps=BEAM_HALF),
    "corners 0.5": Flaws(corner_radius_um=0.5),
    "profile 10 %": Flaws(thickness_profile=0.1),
    "backlash 2": Flaws(backlash_um=2.0),
    "fly scan": Flaws(smear=1.0),
}


@dataclass(frozen=True)
class Light:
    """Pixels of spots: where they are, their footprints, and which have two depths."""

    row: npt.NDArray[np.float64]
    column: npt.NDArray[np.float64]
    footprints: Footprints
    centroid_um: npt.NDArray[np.float64]
    second_um: npt.NDArray[np.float64]
    overlaps: npt.NDArray[np.bool_]


def light_of(experiment: Experiment, counts: float, seed: int) -> Light:
    """Draw skewed footprints of 2 to 12 µm in spots of 8 to 22 keV, a tenth with two depths."""
    rng = np.random.default_rng(seed)
    low, high = experiment.depths.start_um + 30, experiment.depths.stop_um - 30
    centre, width = rng.uniform(low, high, SPOTS), rng.uniform(2, 12, SPOTS)
    energy, skew = rng.uniform(*ENERGY_KEV, SPOTS), rng.uniform(-3, 3, SPOTS)
    spot = np.arange(PIXELS) % SPOTS
    row, column = rng.uniform(150, 1900, (2, SPOTS))[:, spot] + rng.normal(0, 3, (2, PIXELS))
    place = (np.arange(PARTS) + 0.5) / PARTS - 0.5
    depth = centre[spot, None] + width[spot, None] * place
    share = np.exp(skew[spot, None] * place)
    share /= share.sum(axis=1, keepdims=True)
    total = counts * np.exp(rng.normal(0, 0.5, PIXELS))
    second = np.clip(
        centre[spot] + rng.choice([-1, 1], PIXELS) * rng.uniform(15, 80, PIXELS), low, high
    )
    overlaps = (rng.random(PIXELS) < 0.1) & (np.abs(second - centre[spot]) > 12 + width[spot])
    first = np.where(overlaps, 0.6, 1.0) * total
    return Light(
        row,
        column,
        Footprints(
            np.column_stack([depth, second]),
            np.column_stack(
                [np.repeat(width[spot, None] / PARTS, PARTS, axis=1), np.full(PIXELS, 4.0)]
            ),
            np.column_stack([first[:, None] * share, np.where(overlaps, 0.4 * total, 0.0)]),
            np.repeat(energy[spot, None], PARTS + 1, axis=1),
        ),
        (depth * share).sum(axis=1),
        second,
        overlaps,
    )


def measured(
    experiment: Experiment, light: Light, flaws: Flaws, seed: int
) -> npt.NDArray[np.uint16]:
    """Return noisy counts; a mean error of the aperture's position is the pose's, and taken out."""
    rng = generator(seed, TIMELINE)
    motion, numbers = experiment.motion, experiment.frames.indices
    timeline = Timeline.of(flaws, experiment.frames.stop, motion.step_um, rng)
    mean_um = float(np.mean(timeline.position[numbers] - numbers)) * motion.step_um
    calibrated = replace(motion, shift_mm=motion.shift_mm - 1e-3 * mean_um)
    expected, _, _ = flawed_traces(
        replace(experiment, motion=calibrated),
        light.row,
        light.column,
        light.footprints,
        flaws,
        background=BACKGROUND,
        seed=seed,
    )
    return np.random.default_rng(seed + 1000).poisson(expected).astype(np.uint16)


def monitored(experiment: Experiment, flaws: Flaws, seed: int) -> Experiment:
    """Return the experiment with what a monitor, not quite exact, reads of the beam."""
    rng = generator(seed, TIMELINE)
    timeline = Timeline.of(flaws, experiment.frames.stop, experiment.motion.step_um, rng)
    noise = np.random.default_rng(seed + 2000).normal(1.0, MONITOR_NOISE, timeline.current.size)
    beam = timeline.current * noise
    return replace(experiment, beam_intensity=tuple((beam / np.median(beam)).tolist()))


@dataclass(frozen=True)
class Score:
    """How well pixels of known light were decoded.

    `median_um` and `high_um` (90 %) are errors of first depths, without what all have in common.
    """

    decoded: float
    false_seconds: float
    kept: int
    overlaps: int
    median_um: float
    high_um: float
    common_um: float
    pull: float
    misfit: float

    @classmethod
    def of(cls, light: Light, found: DecodedPixels) -> Score:
        """Compare a table of results with the truth."""
        first = np.concatenate([[True], np.diff(found.trace) > 0])
        second = (found.flags & PixelFlag.SECOND_DEPTH) > 0
        single = ~light.overlaps[found.trace]
        has_second = np.isin(found.trace, found.trace[second])
        use = first & np.isfinite(found.depth_um) & single & ~has_second
        error = found.depth_um[use] - light.centroid_um[found.trace[use]]
        common = float(np.median(error))
        error -= common
        kept = sum(
            _both_right(light, found, int(pixel)) for pixel in np.flatnonzero(light.overlaps)
        )
        pulls = np.clip(error / found.depth_error_um[use], -10, 10)
        return cls(
            float(np.isfinite(found.depth_um[first]).mean()),
            float((second & single).sum() / (~light.overlaps).sum()),
            kept,
            int(light.overlaps.sum()),
            float(np.median(np.abs(error))),
            float(np.percentile(np.abs(error), 90)),
            common,
            float(np.sqrt(np.mean(pulls**2))),
            float(np.nanmedian(found.residual[first])),
        )


def _both_right(light: Light, found: DecodedPixels, pixel: int) -> bool:
    depths = np.sort(found.depth_um[found.trace == pixel])
    truth = np.sort([light.centroid_um[pixel], light.second_um[pixel]])
    return bool(depths.size == 2 and np.abs(depths - truth).max() < 4.0)


@dataclass(frozen=True)
class Case:
    """One instrument: what a perfect one would give, and what it gives as designed, with a
    monitor of the beam, and as learnt without one."""

    perfect: Score
    designed: Score
    monitored: Score
    learnt: Score
    fit: InstrumentFit
    seconds: float


def run_case(experiment: Experiment, flaws: Flaws, counts: float, seed: int) -> Case:
    """Measure one departure on one geometry."""
    light = light_of(experiment, counts, seed)
    options = LearnOptions(energy_kev=ENERGY_KEV)

    ideal = measured(experiment, light, Flaws(), seed)
    traces = measured(experiment, light, flaws, seed)
    found = decode(experiment, light.row, light.column, traces, backend="cpu")
    begin = time.process_time()
    fit = learn_from_traces(
        experiment, light.row, light.column, traces, decoder="cpu", options=options
    )
    assert fit is not None
    seconds = time.process_time() - begin
    designed = Score.of(light, found)
    instrument = fit.applied_to(experiment) if fit.accepted else experiment
    judged = DecodeOptions(model_error=fit.model_error)
    found = decode(instrument, light.row, light.column, traces, backend="cpu", options=judged)
    learnt = Score.of(light, fit.with_error(found) if fit.accepted else found)
    known = monitored(experiment, flaws, seed)
    return Case(
        Score.of(light, decode(experiment, light.row, light.column, ideal, backend="cpu")),
        designed,
        Score.of(light, decode(known, light.row, light.column, traces, backend="cpu")),
        learnt,
        fit,
        seconds,
    )


def rows_of(
    counts: float, seeds: range, geometries: list[str], wanted: list[str]
) -> Iterator[list[str]]:
    """Yield one line of the table for each geometry and departure, over all seeds."""
    for name in wanted:
        for geometry in geometries:
            cases = [
                run_case(GEOMETRIES[geometry], DEPARTURES[name], counts, seed) for seed in seeds
            ]
            yield [geometry, name, *_summary(cases)]


def _summary(cases: list[Case]) -> list[str]:
    def mean(values: list[float]) -> float:
        return float(np.mean(values))

    kept = sum(case.learnt.kept for case in cases) / max(
        sum(case.perfect.kept for case in cases), 1
    )
    return [
        f"{sum(case.fit.accepted for case in cases)}/{len(cases)}",
        f"{mean([case.fit.gain_sigma for case in cases]):.1f}",
        f"{100 * mean([case.designed.false_seconds for case in cases]):.1f}",
        f"{100 * mean([case.learnt.false_seconds for case in cases]):.1f}"
        f" ({100 * mean([case.perfect.false_seconds for case in cases]):.1f})",
        f"{100 * mean([case.monitored.false_seconds for case in cases]):.1f}, "
        f"{mean([case.monitored.median_um / case.perfect.median_um for case in cases]):.2f}, "
        f"{mean([case.monitored.high_um / case.perfect.high_um for case in cases]):.2f}",
        f"{100 * kept:.0f}",
        f"{mean([case.designed.median_um / case.perfect.median_um for case in cases]):.2f}"
        f" → {mean([case.learnt.median_um / case.perfect.median_um for case in cases]):.2f}",
        f"{mean([case.designed.high_um / case.perfect.high_um for case in cases]):.2f}"
        f" → {mean([case.learnt.high_um / case.perfect.high_um for case in cases]):.2f}",
        f"{mean([case.learnt.common_um for case in cases]):+.3f}",
        f"{mean([case.learnt.pull for case in cases]):.2f}"
        f" ({mean([case.perfect.pull for case in cases]):.2f})",
        f"{mean([case.designed.misfit for case in cases]):.2f}"
        f" → {mean([case.learnt.misfit for case in cases]):.2f}",
        f"{100 * mean([case.learnt.decoded for case in cases]):.1f}",
        f"{mean([case.seconds for case in cases]):.1f}",
    ]


def run(console: Console) -> None:
    """Measure departures; LEARNING_ONLY, _GEOMETRIES, _SEEDS and _COUNTS choose which."""
    geometries = os.environ.get("LEARNING_GEOMETRIES", ",".join(GEOMETRIES)).split(",")
    wanted = os.environ.get("LEARNING_ONLY", ",".join(DEPARTURES)).split(",")
    seeds = range(1, 1 + int(os.environ.get("LEARNING_SEEDS", "2")))
    counts = float(os.environ.get("LEARNING_COUNTS", "500"))
    table = Table(title=f"{PIXELS} pixels, {counts:g} counts, {len(seeds)} seeds")
    for heading in (
        "geometry", "departure", "accepted", "gain σ", "false 2nd %", "learnt (perfect)",
        "monitor: 2nd %, median ×, 90 % ×", "kept %",
        "median ×", "90 % ×", "common µm", "pull (perfect)", "χ²/dof", "decoded %", "CPU s",
    ):  # fmt: skip
        table.add_column(heading)
    for row in rows_of(counts, seeds, geometries, wanted):
        table.add_row(*row)
        print(" | ".join(row), flush=True)
    console.print(table)
