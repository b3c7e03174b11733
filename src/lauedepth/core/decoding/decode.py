"""Decode a batch of traces: the one entry to the numerics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from lauedepth.core.arrays import Flags, Floats
from lauedepth.core.decoding.answers import Answers, Traces, collect
from lauedepth.core.decoding.background import Background
from lauedepth.core.decoding.decoder import Decoder
from lauedepth.core.decoding.pixels import DecodedPixels, DecodeOptions
from lauedepth.core.decoding.registry import choose_decoder
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.raymap import RayMap


class Decoding(Protocol):
    """What a configuration says of how pixels are decoded."""

    @property
    def background_counts(self) -> float | None:
        """Counts per frame that do not pass the aperture, where they are known."""
        ...

    def to_core(self) -> DecodeOptions:
        """Return the options."""
        ...


class Configured(Protocol):
    """An experiment as a file describes it: what `lauedepth.load_experiment` returns."""

    @property
    def decode(self) -> Decoding:
        """How pixels are decoded."""
        ...

    def to_core(self) -> Experiment:
        """Return what maps a trace to a depth."""
        ...


@dataclass(frozen=True)
class Solved:
    """Traces that a decoder has solved, not yet a table.

    Attributes
    ----------
    experiment : Experiment
    rays : RayMap
    answers : Answers
    options : DecodeOptions
    background : Background or None
    """

    experiment: Experiment
    rays: RayMap
    answers: Answers
    options: DecodeOptions
    background: Background | None = None

    def collect(self) -> DecodedPixels:
        """Return the table of results; in any thread, the decoder is not needed for it."""
        return collect(self.experiment, self.rays, self.answers, self.options, self.background)


def decode(
    experiment: Experiment | Configured,
    row: Floats,
    column: Floats,
    counts: npt.NDArray[np.generic],
    *,
    backend: str | Decoder = "auto",
    options: DecodeOptions | None = None,
    usable: Flags | None = None,
    background: Background | float | None = None,
) -> DecodedPixels:
    """Find the depths from which the light of each trace came.

    Parameters
    ----------
    experiment : Experiment or ExperimentConfig
        With an `ExperimentConfig`, its section ``decode`` gives the options and the background
        that are not given here.
    row, column : (n_pixels,) arrays
        Unbinned detector coordinates of the traces (`Region.unbinned`).
    counts : (n_pixels, n_frames) array of uint16 or float32
        One trace per pixel, the experiment's frames in order. Negative values, NaN and
        whole readings of 65535 or more are not measurements.
    backend : str or Decoder
        "auto", "reference", "cpu" or "cuda", or the decoder that `choose_decoder` returned.
    options : DecodeOptions, optional
    usable : (n_frames,) bool array, optional
        False for frames that were lost.
    background : Background or float, optional
        Counts per frame that do not pass the aperture, where they are known. Without it, light
        that passes the bars is taken for background: intensities of hard X-rays come out too
        low, and there are no energies.

    Returns
    -------
    DecodedPixels

    Raises
    ------
    BackendUnavailableError
        The backend asked for cannot run here; says why.
    ValueError
        Shapes that do not fit each other or the experiment, or a decoder of another method.

    Examples
    --------
    A pixel lit from 38 to 42 µm, and one that is dark; the traces are simulated, with counting
    noise:

    >>> from lauedepth import PixelStatus, load_experiment
    >>> from lauedepth.simulation.forward import Footprints, expected_traces
    >>> experiment = load_experiment("examples/experiment.yml").to_core()
    >>> row, column = np.array([900.0, 900.0]), np.array([1000.0, 1001.0])
    >>> light = Footprints(depth_um=40.0, width_um=4.0, intensity=[500.0, 0.0])
    >>> expected = expected_traces(experiment, row, column, light, background=20.0)
    >>> counts = np.random.default_rng(1).poisson(expected).astype(np.uint16)
    >>> pixels = decode(experiment, row, column, counts, backend="reference")
    >>> [PixelStatus(status).name for status in pixels.status]
    ['DECODED', 'DARK']
    >>> bool(abs(pixels.depth_um[0] - 40.0) < 3 * pixels.depth_error_um[0])
    True
    """
    if not isinstance(experiment, Experiment):
        stated = experiment.decode
        options = options or stated.to_core()
        background = stated.background_counts if background is None else background
        experiment = experiment.to_core()
    return solve(
        experiment,
        row,
        column,
        counts,
        backend=backend,
        options=options,
        usable=usable,
        background=background,
    ).collect()


def solve(
    experiment: Experiment,
    row: Floats,
    column: Floats,
    counts: npt.NDArray[np.generic],
    *,
    backend: str | Decoder = "auto",
    options: DecodeOptions | None = None,
    usable: Flags | None = None,
    background: Background | float | None = None,
) -> Solved:
    """Do what needs the decoder; parameters and errors are those of `decode`.

    What remains, `Solved.collect`, may run while the decoder solves other traces.
    """
    options = options or DecodeOptions()
    frames = len(experiment.frames)
    usable = np.ones(frames, bool) if usable is None else np.asarray(usable, bool)
    if counts.shape != (len(row), frames) or usable.shape != (frames,):
        raise ValueError(
            f"counts {counts.shape} and usable {usable.shape} do not fit "
            f"{len(row)} pixels of {frames} frames"
        )
    if isinstance(background, float | int):
        background = Background.of(float(background), len(row))
    if background is not None and len(background) != len(row):
        raise ValueError(f"background of {len(background)} pixels for {len(row)} traces")
    if isinstance(backend, str):
        backend = choose_decoder(backend, options.method).decoder
    if backend.method != options.method:
        raise ValueError(
            f"the decoder '{backend.name}' implements the method '{backend.method}', "
            f"not '{options.method}'; choose_decoder(method=...) returns one that does"
        )
    rays = RayMap.of(experiment, row, column)
    answers = backend.solve(experiment, rays, Traces(counts, usable, background), options)
    return Solved(experiment, rays, answers, options, background)
