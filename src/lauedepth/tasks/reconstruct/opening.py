"""Points opened as an experiment says."""

from __future__ import annotations

from pathlib import Path

from lauedepth.config import ExperimentConfig
from lauedepth.io import Point, open_point


def open_for(config: ExperimentConfig, path: Path | str) -> Point:
    """Open a point whose files, frames and detector are those of an experiment.

    Raises
    ------
    InputError
        It cannot be read, or does not fit.
    """
    core = config.to_core()
    return open_point(
        path,
        config.data.key,
        core.frames,
        detector=core.detector,
        first_number=config.data.first_number,
    )
