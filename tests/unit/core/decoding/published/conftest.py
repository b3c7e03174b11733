"""The geometry of these tests."""

from __future__ import annotations

import pytest

from lauedepth.core.instrument.aperture import prefer_same_code
from lauedepth.core.instrument.experiment import (
    Aperture,
    Depths,
    Detector,
    Experiment,
    Frames,
    Motion,
    Pose,
)


@pytest.fixture(scope="session")
def experiment() -> Experiment:
    """A 34-ID-E geometry, numbers rounded."""
    return Experiment(
        detector=Detector(
            (2048, 2048), (409.6, 409.6), (-1.2016, -1.2140, -1.2185), (28.8, 2.7, 513.0)
        ),
        aperture=Aperture(prefer_same_code()),
        pose=Pose(0.4433, 1.6041, 0.9355, 0.0, -0.66, 43.3),
        motion=Motion(step_um=1.0, shift_mm=0.22),
        frames=Frames(0, 261),
        depths=Depths(-100.0, 300.0),
    )
