"""The instrument as it is believed to be while it is learnt: one vector of unknowns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lauedepth.calibration.learning._model import Shared
from lauedepth.core.arrays import Floats
from lauedepth.core.instrument.aperture import bar_edges
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.raymap import RayMap


@dataclass(frozen=True)
class Layout:
    """Where each part of an instrument stands in the vector of unknowns.

    Attributes
    ----------
    frames, edges : int
        How many there are.
    step_um : float
        How far the aperture goes from frame to frame.
    """

    frames: int
    edges: int
    step_um: float = 1.0

    @property
    def position(self) -> slice:
        """Departures of the aperture's position, µm, one a frame."""
        return slice(0, self.frames)

    @property
    def beam(self) -> slice:
        """Log of the beam's relative intensity, one a frame."""
        return slice(self.frames, 2 * self.frames)

    @property
    def edge(self) -> slice:
        """Departures of the edges along the code, µm."""
        return slice(2 * self.frames, 2 * self.frames + self.edges)

    @property
    def widening(self) -> slice:
        """Common widening of the bars, µm."""
        return slice(self.size - 2, self.size - 1)

    @property
    def window(self) -> slice:
        """Log of the factor on the bars' thickness."""
        return slice(self.size - 1, self.size)

    @property
    def aperture(self) -> slice:
        """All that belongs to the aperture, and not to a point: edges, widening, window."""
        return slice(self.edge.start, self.size)

    @property
    def size(self) -> int:
        """Number of unknowns."""
        return 2 * self.frames + self.edges + 2

    @property
    def stretch(self) -> Floats:
        """How far each position moves for a unit of relative error of the step: (n_frames,)."""
        place = np.arange(self.frames, dtype=np.float64)
        return np.asarray(self.step_um * (place - place.mean()))

    @property
    def outward(self) -> Floats:
        """How far each edge moves for a unit of widening: (n_edges,) array."""
        return np.where(np.arange(self.edges) % 2 == 0, -0.5, 0.5)


@dataclass(frozen=True)
class Nominal:
    """The experiment as designed, as the compiled functions take it.

    Attributes
    ----------
    geometry : (8,) array
        See `_model.Shared`.
    frames : (n_frames,) array
        Positions in steps.
    beam : (n_frames,) array
        Relative intensity.
    step_um : float
    edges_um : (n_edges,) array
        Begin and end of each bar in order.
    """

    geometry: Floats
    frames: Floats
    beam: Floats
    step_um: float
    edges_um: Floats

    @classmethod
    def of(cls, experiment: Experiment) -> Nominal:
        """Take what all pixels share from an experiment."""
        rays = RayMap.of(experiment, np.zeros(1), np.zeros(1))
        step_um = experiment.motion.step_um
        geometry = np.array(
            [
                *rays.centre_mm[:2],
                *rays.step_mm[:2],
                *rays.beam[:2],
                rays.half_length_um,
                step_um,
            ]
        )
        edges = np.stack(bar_edges(experiment.aperture), axis=1).ravel()
        return cls(
            geometry, experiment.frame_positions, experiment.frame_intensities, step_um, edges
        )

    @property
    def layout(self) -> Layout:
        """Where each part stands in the vector of unknowns."""
        advance = float(np.ptp(self.frames)) / max(self.frames.size - 1, 1)
        return Layout(self.frames.size, self.edges_um.size, advance * self.step_um)

    def with_departures(self, departures: Floats, *, opaque: bool) -> Shared:
        """Return the instrument that departs by a vector of unknowns from its design."""
        layout = self.layout
        edges = self.edges_um + departures[layout.edge]
        edges = edges + departures[layout.widening] * layout.outward
        return Shared(
            self.geometry,
            self.frames + departures[layout.position] / self.step_um,
            self.beam * np.exp(departures[layout.beam]),
            edges,
            opaque,
        )
