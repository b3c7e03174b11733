"""Whether a result agrees with the pose that it was made with."""

from __future__ import annotations

import json
import os
from glob import escape
from pathlib import Path

import numpy as np

from lauedepth.calibration import DecodedTable, ResultCheck, check_residuals
from lauedepth.config import ExperimentConfig
from lauedepth.config.checking import validated
from lauedepth.core.decoding.pixels import PixelFlag
from lauedepth.core.decoding.verdict import Verdict, judge
from lauedepth.core.errors import ConfigurationError, InputError
from lauedepth.io import ResultFile
from lauedepth.io.hdf5 import open_input
from lauedepth.io.layout import RECONSTRUCTION
from lauedepth.io.region import region_in, region_of
from lauedepth.tasks.reconstruct.identity import POINT_ATTRIBUTE
from lauedepth.tasks.reconstruct.summary import tally_of


def is_result(path: Path) -> bool:
    """Return whether a path is a result, and not a point."""
    if not path.is_file():
        return False
    try:
        with open_input(path) as file:
            return RECONSTRUCTION in file
    except InputError:
        return False


def config_of(result: ResultFile) -> ExperimentConfig:
    """Return the experiment that a result was made with.

    Raises
    ------
    InputError
        It is not there, or cannot be understood.
    """
    where = f"{result.path}: {RECONSTRUCTION}/configuration"
    try:
        data = json.loads(result.provenance.configuration)
        return validated(ExperimentConfig, data, where)
    except (ValueError, ConfigurationError) as error:
        raise InputError(
            "holds no experiment that this version reads", where, "reconstruct its point again"
        ) from error


def point_of(result: ResultFile) -> Path | None:
    """Return the point that a result was made from, if it names one that is still there."""
    name = result.metadata.get(POINT_ATTRIBUTE)
    if name is None or name.dtype.kind != "S" or name.size != 1:
        return None
    path = Path(os.fsdecode(name.item()))
    there = path.exists() or any(path.parent.glob(f"{escape(path.name)}_*.h5"))
    return path if there else None


def verdict_of(result: ResultFile) -> Verdict:
    """Return how good the depths of a result are, by its table alone."""
    return judge(tally_of(result))


def check_result(result: ResultFile, config: ExperimentConfig) -> ResultCheck:
    """Check whether a result agrees with the pose that it was made with.

    Parameters
    ----------
    result : ResultFile
    config : ExperimentConfig
        The result's own.
    """
    experiment = config.to_core()
    stated = region_in(result.metadata, result.path)
    region = region_of(stated, result.shape[1:], experiment.detector, result.path)
    first = result.pixels[result.pixels["flags"] & PixelFlag.SECOND_DEPTH == 0]
    row, column = region.unbinned(first["row"], first["column"])
    names = ("depth", "width", "intensity", "background", "residual")
    depth, width, intensity, background, residual = (
        first[name].astype(np.float64) for name in names
    )
    table = DecodedTable(
        row=row,
        column=column,
        status=first["status"],
        flags=first["flags"],
        depth_um=depth,
        width_um=width,
        intensity=intensity,
        background=background,
        residual=residual,
    )
    return check_residuals(experiment, table)
