"""Simulated scans as files: points as the beamline writes them, and the ground truth."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final, Literal

import h5py
import numpy as np
import numpy.typing as npt

from lauedepth.config import ExperimentConfig, dump_experiment
from lauedepth.core.arrays import Floats
from lauedepth.core.errors import InputError, OutputError
from lauedepth.core.instrument.experiment import Experiment, Region
from lauedepth.core.progress import Progress, no_progress
from lauedepth.io import publish, publish_hdf5, read_image, write_point, write_series
from lauedepth.io.hdf5 import open_input, put_attribute
from lauedepth.io.tree import damage_told
from lauedepth.simulation import (
    TRUTH,
    Records,
    ScanPoint,
    SimulatedPoint,
    monitor_of,
    place_image,
    positions_of,
    segment_image,
    simulate_scan,
    sources_from_image,
)
from lauedepth.tasks.simulate.config import SimulationConfig
from lauedepth.tasks.simulate.earlier import (
    CREATOR,
    EXPERIMENT_FILE,
    TRUTH_FOLDER,
    refuse_foreign,
    remove_frames,
)

Storage = Literal["stack", "series"]
"""How a point is stored: in one file, or with one file per frame."""

MONITOR: Final = "entry1/monitor/I0"
POSITIONS: Final = "entry1/aperture/position"
"""Where monitor and encoder are written."""

MOST_LIT_PIXELS: Final = 2**26
"""More rows than any detector has pixels: a ground truth of more is damaged."""

TRUTH_UNITS: Final = {
    "depth_um": "micron",
    "width_um": "micron",
    "second_depth_um": "micron",
    "second_width_um": "micron",
    "intensity": "counts",
    "second_intensity": "counts",
    "background": "counts",
    "energy_kev": "keV",
}


def simulated_points(
    simulation: SimulationConfig,
    experiment: Experiment,
    *,
    folder: Path = Path(),
    image: Path | None = None,
) -> Iterator[ScanPoint]:
    """Yield the points of a simulated scan.

    Parameters
    ----------
    simulation : SimulationConfig
    experiment : Experiment
    folder : Path
        Folder of the crystal file.
    image : Path, optional
        A measured frame to use as the light source, instead of a crystal's pattern.
    """
    if image is not None:
        yield ScanPoint(0, (0.0, 0.0), _point_of_image(simulation, experiment, image))
        return
    yield from simulate_scan(
        simulation.to_sample(folder),
        simulation.scan.positions_um(),
        experiment,
        simulation.to_region(experiment.detector),
        exposure=simulation.to_exposure(),
        beam=simulation.to_beam(),
        surface=simulation.to_surface(),
        flaws=simulation.to_flaws(),
        opaque_bars=simulation.opaque_bars,
        seed=simulation.seed,
    )


def _point_of_image(
    simulation: SimulationConfig, experiment: Experiment, path: Path
) -> SimulatedPoint:
    """Return a point whose spots are those of a measured frame, each at some depth."""
    settings = simulation.image
    placed, region = place_image(read_image(path), experiment.detector, settings.start_px)
    if simulation.region is not None:
        placed, region = _crop(placed, region, simulation.to_region(experiment.detector), path)
    spots = segment_image(
        placed.astype(np.float64) * settings.counts_scale,
        region,
        threshold_sigma=settings.threshold_sigma,
    )
    if not spots.n_spots:
        raise InputError("contains no spots", str(path), "lower image.threshold_sigma")
    sources = sources_from_image(
        spots,
        depths_um=settings.depths_um or _inner_depths(experiment),
        widths_um=settings.widths_um,
        seed=simulation.seed,
    )
    return SimulatedPoint(
        experiment,
        sources,
        region,
        background=spots.background,
        flaws=simulation.to_flaws(),
        opaque_bars=True,
        seed=simulation.seed,
    )


def _inner_depths(experiment: Experiment) -> tuple[float, float]:
    start, stop = experiment.depths.start_um, experiment.depths.stop_um
    margin = (stop - start) / 10
    return start + margin, stop - margin


def _crop(
    image: npt.NDArray[np.generic], region: Region, wanted: Region, path: Path
) -> tuple[npt.NDArray[np.float64], Region]:
    """Crop a placed image to the region that is read out."""
    rows, columns = wanted.shape
    top, left = wanted.start[1] - region.start[1], wanted.start[0] - region.start[0]
    inside = top >= 0 and left >= 0
    inside = inside and top + rows <= image.shape[0] and left + columns <= image.shape[1]
    if not inside or wanted.binning != (1, 1):
        raise InputError(
            f"covers rows {region.start[1]}...{region.start[1] + image.shape[0] - 1} and columns "
            f"{region.start[0]}...{region.start[0] + image.shape[1] - 1} of the detector",
            str(path),
            "choose a region inside it, without binning",
        )
    return np.asarray(image[top : top + rows, left : left + columns], np.float64), wanted


def write_scan(
    points: Iterator[ScanPoint],
    folder: Path | str,
    config: ExperimentConfig,
    *,
    name: str = "point",
    storage: Storage = "stack",
    compression: int | None = None,
    records: Records | None = None,
    progress: Progress = no_progress,
) -> list[Path]:
    """Write a scan: ``NAME_0001.h5`` ..., ``truth/NAME_0001.h5`` ... and ``experiment.yml``.

    Parameters
    ----------
    points : iterator of ScanPoint
    folder : Path or str
        Created if missing.
    config : ExperimentConfig
        What the points are reconstructed with.
    name : str
    storage : {"stack", "series"}
        One file per point, or a folder ``NAME_0001`` of one-frame files.
    compression : int, optional
        Level of gzip.
    records : Records, optional
        What is recorded beside the frames; nothing by default.
    progress : callable, optional
        Called with (point, frames done, total frames).

    Returns
    -------
    list of Path
        The points.

    Raises
    ------
    OutputError
        It cannot be written, or would replace a file that was not simulated.
    """
    folder = Path(folder)
    refuse_foreign(folder, name)
    try:
        (folder / TRUTH_FOLDER).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot be created: {(error.strerror or str(error)).lower()}", str(folder)
        ) from error
    with publish(folder / EXPERIMENT_FILE) as unfinished:
        unfinished.write_text(dump_experiment(config, CREATOR), encoding="utf-8")
    written = []
    for one in points:
        title = f"{name}_{one.number + 1:04d}"
        write_truth(folder / TRUTH_FOLDER / f"{title}.h5", one.point.truth)
        written.append(
            _write(
                one,
                folder / title,
                storage,
                compression=compression,
                per_frame=_recorded(one.point, records or Records()),
                progress=progress,
            )
        )
    return written


def _write(
    one: ScanPoint,
    path: Path,
    storage: Storage,
    *,
    compression: int | None,
    per_frame: dict[str, Floats],
    progress: Progress,
) -> Path:
    """Write a point as PATH.h5 or as files in the folder PATH; return which."""
    point, n_frames = one.point, one.point.shape[0]

    def frames() -> Iterator[npt.NDArray[np.uint16] | None]:
        for number, frame in enumerate(point.frames()):
            yield frame if point.timeline.recorded[number] else None
            progress(path.name, number + 1, n_frames)

    remove_frames(path)
    write = partial(write_series, path, path.name)
    if storage == "stack":
        path = path.with_name(f"{path.name}.h5")
        write = partial(write_point, path)
    write(
        frames(),
        n_frames,
        region=point.region,
        detector=point.experiment.detector,
        sample_xyz=(*one.position_um, 0.0),
        metadata={"@creator": CREATOR},
        per_frame=per_frame,
        compression=compression,
    )
    return path


def _recorded(point: SimulatedPoint, records: Records) -> dict[str, Floats]:
    values = {MONITOR: monitor_of(point, records), POSITIONS: positions_of(point, records)}
    return {path: array for path, array in values.items() if array is not None}


def write_truth(path: Path | str, truth: npt.NDArray[np.void]) -> None:
    """Write the ground truth (`simulation.TRUTH`), one dataset ``truth/COLUMN`` per column."""
    with publish_hdf5(path) as file:
        put_attribute(file, "creator", CREATOR)
        group = file.create_group("truth")
        for name in TRUTH.names or ():
            column = group.create_dataset(name, data=truth[name])
            if name in TRUTH_UNITS:
                column.attrs["units"] = np.bytes_(TRUTH_UNITS[name])


def read_truth(path: Path | str) -> npt.NDArray[np.void]:
    """Read a file written by `write_truth`: a structured array of dtype `simulation.TRUTH`.

    Raises
    ------
    InputError
        If it is not such a file.
    """
    path = Path(path)
    with open_input(path) as file, damage_told(file):
        columns = {name: file.get(f"truth/{name}") for name in TRUTH.names or ()}
        sizes = {data.shape[:1] for data in columns.values() if isinstance(data, h5py.Dataset)}
        if len(sizes) != 1 or not all(_is_column(name, data) for name, data in columns.items()):
            raise InputError("is not the ground truth of a simulated point", str(path))
        truth = np.zeros(sizes.pop(), TRUTH)
        for name, data in columns.items():
            truth[name] = data[()]
    return truth


def _is_column(name: str, data: object) -> bool:
    """Return whether this can be a column of a ground truth."""
    if not isinstance(data, h5py.Dataset) or data.dtype.kind not in "iuf" or not data.shape:
        return False
    return bool(data.shape[0] <= MOST_LIT_PIXELS and data.shape[1:] == TRUTH[name].shape)
