"""What a beamline records beside its frames: the incident beam, and where the aperture was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lauedepth.core.arrays import Floats
from lauedepth.simulation.flaws import RECORDS, generator
from lauedepth.simulation.scan import SimulatedPoint

MONITOR_COUNTS = 50_000.0
"""What the monitor reads of a full beam."""


@dataclass(frozen=True)
class Records:
    """What is recorded of each frame, and how well; nothing by default.

    Attributes
    ----------
    monitor : bool
        Whether the incident beam is.
    monitor_noise : float
        Error of the monitor from frame to frame, relative (standard deviation).
    monitor_offset : float
        What it reads without beam, relative to a full one.
    positions : bool
        Whether the aperture's positions are.
    position_noise_um : float
        Error of a position (standard deviation).
    position_offset_um : float
        Where the encoder has its zero.
    position_at : {"start", "middle", "end"}
        Part of the exposure at which it is read; all the same unless the aperture moves then.
    """

    monitor: bool = False
    monitor_noise: float = 0.0
    monitor_offset: float = 0.0
    positions: bool = False
    position_noise_um: float = 0.0
    position_offset_um: float = 0.0
    position_at: Literal["start", "middle", "end"] = "middle"


def monitor_of(point: SimulatedPoint, records: Records) -> Floats | None:
    """Return what a monitor reads at each frame, (n_frames,) counts; None without one."""
    if not records.monitor:
        return None
    current = point.timeline.current
    rng = generator(point.seed, RECORDS, point.number, 0)
    noisy = current * (1 + records.monitor_noise * rng.normal(size=current.size))
    return MONITOR_COUNTS * (noisy + records.monitor_offset)


def positions_of(point: SimulatedPoint, records: Records) -> Floats | None:
    """Return what an encoder reads at each frame, (n_frames,) µm; None without one."""
    if not records.positions:
        return None
    part = {"start": -0.5, "middle": 0.0, "end": 0.5}[records.position_at]
    motion = point.experiment.motion
    place = point.timeline.position + motion.lead_steps + part * point.flaws.smear
    rng = generator(point.seed, RECORDS, point.number, 1)
    noise = records.position_noise_um * rng.normal(size=place.size)
    return motion.step_um * place + noise + records.position_offset_um
