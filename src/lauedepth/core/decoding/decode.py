"""Decode a batch of traces: the one entry to the numerics."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt

from lauedepth.core.decoding.answers import Traces, collect
from lauedepth.core.decoding.pixels import DecodedPixels, DecodeOptions
from lauedepth.core.decoding.registry import Backend, choose_backend
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.raymap import RayMap


def decode(
    experiment: Experiment,
    row: npt.NDArray[np.float64],
    column: npt.NDArray[np.float64],
    counts: npt.NDArray[np.generic],
    *,
    backend: str | Backend = "auto",
    options: DecodeOptions | None = None,
    usable: npt.NDArray[np.bool_] | None = None,
) -> DecodedPixels:
    """Find from which depths the light of each trace came.

    Parameters
    ----------
    experiment : Experiment
    row, column : (n_pixels,) arrays
        Unbinned detector coordinates of the traces (`Region.unbinned`).
    counts : (n_pixels, n_frames) array of uint16 or float32
        One trace a pixel, the experiment's frames in order. Negative values, NaN and
        readings of 65535 or more are not measurements.
    backend : str or Backend
        "auto", "reference", "cpu" or "cuda", or what `choose_backend` returned.
    options : DecodeOptions, optional
    usable : (n_frames,) bool array, optional
        False for frames that were lost.

    Returns
    -------
    DecodedPixels

    Raises
    ------
    BackendUnavailableError
        The backend asked for cannot run here; says why.
    ValueError
        Shapes that do not fit each other or the experiment.
    """
    return decode_in_two(
        experiment, row, column, counts, backend=backend, options=options, usable=usable
    )()


def decode_in_two(
    experiment: Experiment,
    row: npt.NDArray[np.float64],
    column: npt.NDArray[np.float64],
    counts: npt.NDArray[np.generic],
    *,
    backend: str | Backend = "auto",
    options: DecodeOptions | None = None,
    usable: npt.NDArray[np.bool_] | None = None,
) -> Callable[[], DecodedPixels]:
    """Do what `decode` does up to where the backend is free for other traces.

    Returns
    -------
    callable
        Does the rest, in any thread, and returns what `decode` does.
    """
    options = options or DecodeOptions()
    frames = len(experiment.frames)
    usable = np.ones(frames, bool) if usable is None else np.asarray(usable, bool)
    if counts.shape != (len(row), frames) or usable.shape != (frames,):
        raise ValueError(
            f"counts {counts.shape} and usable {usable.shape} do not fit "
            f"{len(row)} pixels of {frames} frames"
        )
    chosen = choose_backend(backend) if isinstance(backend, str) else backend
    if options.method == "published":
        from lauedepth.core.decoding.published.decoder import decode_published  # noqa: PLC0415

        published = decode_published(experiment, row, column, counts, usable, options)
        return lambda: published
    rays = RayMap.of(experiment, row, column)
    answers = chosen.decode(experiment, rays, Traces(counts, usable), options)
    return partial(collect, experiment, rays, answers, options)
