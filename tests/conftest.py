"""Fixtures shared by all tests: the reference data, and the published geometries."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import settings
from tests.geometries import NORCADA, TWIN

from lauedepth.core.instrument.experiment import (
    Aperture,
    Depths,
    Detector,
    Experiment,
    Frames,
    Motion,
    Pose,
)

# How long an example takes says more of the machine than of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference and real data beside the project; skips where it is absent."""
    folder = Path(__file__).resolve().parents[1].parent / "shared"
    if not folder.is_dir():
        pytest.skip("reference data not beside the project")
    return folder


@pytest.fixture(scope="session")
def norcada() -> Experiment:
    return NORCADA


@pytest.fixture(scope="session")
def twin() -> Experiment:
    return TWIN


Array = npt.NDArray[Any]


@dataclass(frozen=True)
class ReferenceTraces:
    """Traces with known truth, and what the published program made of them.

    Attributes
    ----------
    row, column : (n_pixels,) float64
    counts : (n_pixels, n_frames) uint16
    kind : (n_pixels,) str
        clean, faint, absorbing, overlap or dark.
    truth, peer : dict of arrays
        Named as in the file's groups.
    peer_seconds_per_pixel : float
    """

    row: Array
    column: Array
    counts: Array
    kind: Array
    truth: dict[str, Array]
    peer: dict[str, Array]
    peer_seconds_per_pixel: float


ReferenceLoader = Callable[[str], tuple[Experiment, ReferenceTraces]]


def experiment_of(instrument: dict[str, Any], n_frames: int) -> Experiment:
    """Turn the `instrument` attribute of a reference file into an `Experiment`."""
    mask, scanner = instrument["mask"], instrument["scanner"]
    detector, focus = instrument["detector"], instrument["mask"]["focus"]
    open_um, bar_um = mask["bitsizes"]
    start, stop, step = (1e3 * edge for edge in instrument["source"]["grid"])
    code = instrument["code"][:: -1 if mask["reversed"] else 1]
    return Experiment(
        detector=Detector(
            shape=tuple(detector["shape"]),
            size_mm=tuple(detector["size"]),
            rotation_rad=tuple(detector["rot"]),
            translation_mm=tuple(detector["pos"]),
        ),
        aperture=Aperture(
            code=tuple(code),
            open_width_um=open_um,
            bar_width_um=bar_um,
            thickness_um=mask["thickness"],
            widening_um=mask["widening"],
        ),
        pose=Pose(
            cenx_mm=focus["cenx"],
            dist_mm=focus["dist"],
            cenz_mm=focus["cenz"],
            anglex_deg=focus["anglex"],
            angley_deg=focus["angley"],
            anglez_deg=focus["anglez"],
        ),
        motion=Motion(
            step_um=scanner["step"],
            shift_mm=mask["shift"],
            axis=tuple(scanner["axis"]),
            rotation_rad=tuple(scanner["rot"]),
        ),
        frames=Frames(0, n_frames),
        depths=Depths(start, stop, step),
    )


@pytest.fixture(scope="session")
def reference_set(shared: Path) -> ReferenceLoader:
    """Load ``norcada`` or ``twin`` from the reference data: (Experiment, ReferenceTraces)."""

    @cache
    def load(name: str) -> tuple[Experiment, ReferenceTraces]:
        with h5py.File(shared / "reference" / f"{name}.h5") as file:
            counts = file["counts"][()]
            experiment = experiment_of(json.loads(file.attrs["instrument"]), counts.shape[1])
            return experiment, ReferenceTraces(
                row=file["row"][()].astype(np.float64),
                column=file["column"][()].astype(np.float64),
                counts=counts,
                kind=file["kind"][()].astype(str),
                truth={key: item[()] for key, item in file["truth"].items()},
                peer={key: item[()] for key, item in file["peer"].items()},
                peer_seconds_per_pixel=float(file["peer"].attrs["seconds_per_pixel"]),
            )

    return load
