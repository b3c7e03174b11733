"""Scan points as the beamline writes them: a stack of frames, or a folder of frame files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from lauedepth.core.errors import InputError
from lauedepth.core.instrument.experiment import Detector, Frames, Region
from lauedepth.core.notices import Notice, note, warning
from lauedepth.io.frame_list import FrameList, numbers_of
from lauedepth.io.hdf5 import SUFFIXES, Array
from lauedepth.io.kinds import refuse_own
from lauedepth.io.layout import DATA, DETECTOR
from lauedepth.io.metadata import read_with_gaps
from lauedepth.io.opening import open_file
from lauedepth.io.point import Point
from lauedepth.io.readings import Readings, conversion
from lauedepth.io.region import region_metadata, region_of, stated_region
from lauedepth.io.series import SeriesSource
from lauedepth.io.stacks import FrameSource, MappedSource, StackSource

_SHOWN: Final = 3


def open_point(
    path: Path | str,
    config_key: str = DATA,
    frames: Frames | None = None,
    *,
    detector: Detector | None = None,
    first_number: int | None = None,
    region: Region | None = None,
    scan: FrameList | None = None,
    readings: Readings | None = None,
) -> Point:
    """Open a scan point.

    Parameters
    ----------
    path : Path or str
        A stack file, a folder with one series of frames, or ``folder/NAME`` of a series.
    config_key : str
        Path of the image dataset in the file or files, or of the group that holds ``data_N``.
    frames : Frames, optional
        Frames that the experiment needs.
    detector : Detector, optional
        What the image's ROI must lie in.
    first_number : int, optional
        Number of a series' first file; the smallest there is by default. Numbers that are
        missing after it are lost frames.
    region : Region, optional
        What the experiment says of images whose file does not say their region.
    scan : FrameList, optional
        Frames that were lost, and images that are none of the scan's.
    readings : Readings, optional
        How readings become counts.

    Returns
    -------
    Point
        Close it, or use it in a ``with``.

    Raises
    ------
    InputError
        What is wrong with the file, and what to do.

    Examples
    --------
    A point of five frames, of which the detector lost the second:

    >>> from tempfile import TemporaryDirectory
    >>> from lauedepth import load_experiment
    >>> from lauedepth.io import write_point
    >>> detector = load_experiment("examples/experiment.yml").to_core().detector
    >>> region = Region(shape=(4, 6), start=(100, 50))
    >>> frame = np.full(region.shape, 7, np.uint16)
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "point_0001.h5"
    ...     frames = [frame, None, frame, frame, frame]
    ...     write_point(
    ...         path, frames, 5, region=region, detector=detector, sample_xyz=(0.0, 0.0, 0.0)
    ...     )
    ...     with open_point(path, detector=detector) as point:
    ...         point.shape, point.region.start, point.usable.tolist()
    ...         point.read_rows(0, 2).sum(axis=(1, 2)).tolist()
    ((5, 4, 6), (100, 50), [True, False, True, True, True])
    [84, 0, 84, 84, 84]
    """
    path = Path(path)
    scan = scan or FrameList()
    source = _open_source(path, config_key, first_number)
    try:
        with open_file(source.first_file) as file:
            refuse_own(file)
            source = _rearranged(source, scan, path)
            _need_frames(source, frames, path, known_start=first_number is not None)
            metadata, gaps = read_with_gaps(file, skip=(config_key.strip("/"),))
            stated = stated_region(file)
        where = source.first_file
        found = region_of(stated, source.shape[1:], detector, where, region)
        settings = readings or Readings()
        if detector is not None:
            settings = settings.cut(found, detector.shape, str(path))
            metadata |= _as_arrays(region_metadata(found, detector))
        return Point(
            path,
            source,
            metadata,
            found,
            frames,
            conversion(source.dtype, settings),
            ignored=numbers_of(scan.ignored),
            notices=[
                *_about_gaps(gaps, where),
                *_about_region(found, region, where),
                *_about_detector(stated, detector, where),
            ],
        )
    except BaseException:
        source.close()
        raise


def _open_source(path: Path, key: str, first_number: int | None) -> FrameSource:
    if path.is_file():
        return StackSource(path, key)
    if path.is_dir() or path.parent.is_dir():
        if path.suffix.lower() in SUFFIXES and not path.is_dir():
            raise InputError("there is no such file", str(path), "check the path")
        return SeriesSource(path, key, first_number)
    raise InputError("there is no such file or folder", str(path), "check the path")


def _rearranged(source: FrameSource, scan: FrameList, path: Path) -> FrameSource:
    if not scan.rearranges:
        return source
    return MappedSource(source, scan.slots(source.shape[0], str(path)))


def _need_frames(
    source: FrameSource, frames: Frames | None, path: Path, *, known_start: bool
) -> None:
    """Refuse a point with fewer frames than needed."""
    if not source.present.any():
        raise InputError("all frames are lost: none was stored", str(path), "copy the point again")
    if frames is None or frames.stop <= source.shape[0]:
        return
    if isinstance(source, SeriesSource) and known_start:
        source.extend(frames.stop)
        return
    has, needs = source.shape[0], frames.stop
    numbered = isinstance(source, SeriesSource)
    series = "set data.first_number, or " if numbered else ""
    raise InputError(
        f"has {has} frames, the experiment needs {needs}",
        str(path),
        f"where were {needs - has} lost? {series}state them: data.lost_frames: [[{has}, {needs}]] "
        f"for the last, [[0, {needs - has}]] for the first; a smaller data.stop_frame is right "
        "only for a scan that was planned shorter",
    )


def _about_gaps(gaps: list[str], where: Path) -> Iterator[Notice]:
    if gaps:
        more = f" and {len(gaps) - _SHOWN} more" if len(gaps) > _SHOWN else ""
        yield note(
            "metadata-unread",
            f"cannot be read and are not copied: {', '.join(gaps[:_SHOWN])}{more}",
            str(where),
            "nothing to do if the result does not need them",
        )


def _about_region(found: Region, given: Region | None, where: Path) -> Iterator[Notice]:
    if given is not None and given.shape == found.shape and given != found:
        yield warning(
            "region-differs",
            f"the file says that the image begins at row {found.start[1]}, column "
            f"{found.start[0]}, binned {found.binning[1]} × {found.binning[0]}; data.region says "
            f"row {given.start[1]}, column {given.start[0]}, binned {given.binning[1]} × "
            f"{given.binning[0]}; the file's is taken",
            f"{where}: {DETECTOR}",
            "mend the one that is wrong",
        )


def _about_detector(
    stated: dict[str, int], detector: Detector | None, where: Path
) -> Iterator[Notice]:
    for axis, total in zip("xy", detector.shape if detector else (), strict=False):
        own = stated.get(f"N{axis}")
        if own is not None and own != total:
            yield warning(
                "detector-size-differs",
                f"the file says that the detector has {own} pixels along {axis}, the "
                f"experiment says {total}",
                f"{where}: {DETECTOR}/N{axis}",
                "check that the experiment's detector is the one that measured",
            )


def _as_arrays(values: dict[str, int]) -> dict[str, Array]:
    return {path: np.asarray(value, np.int32) for path, value in values.items()}
