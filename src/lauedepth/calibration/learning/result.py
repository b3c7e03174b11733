"""What was learnt of an instrument."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from lauedepth.core.arrays import Floats
from lauedepth.core.decoding.pixels import DecodedPixels, ModelError
from lauedepth.core.instrument.experiment import Experiment
from lauedepth.core.instrument.known import KnownAperture


@dataclass(frozen=True)
class InstrumentFit:
    """An instrument as a scan tells it, beside its design.

    Attributes
    ----------
    edges_um : (n_edges,) array
        Begin and end of each bar in order, as learnt, widening included: µm along the code.
    edge_offset_um, edge_error_um : (n_edges,) arrays
        How far each edge lies from its design beyond the common widening, and the standard
        error. Their mean and their own widening are held at zero.
    widening_um, widening_error_um : float
        How much wider the bars are than the experiment says.
    thickness_factor, thickness_error : float
        How much thicker they are, as a factor, and its standard error.
    position_um, position_error_um : (n_frames,) arrays
        How far the aperture was from where the experiment has it, along the scan, at each
        frame used. The mean is held at zero: it cannot be told from a shift of all depths.
    log_beam, log_beam_error : (n_frames,) arrays
        Log of the beam's intensity at each frame used, relative; mean zero.
    opaque : bool
        The bars were taken to stop everything, since that explained more.
    departed : frozenset of str
        What stands out of its errors: "position", "beam", "edge", "widening", "window" (the
        bars' thickness). All else is as designed.
    misfit_before, misfit_after : float
        Chi-square per degree of freedom of the pixels held out, as designed and as learnt.
    gain_sigma : float
        Gain in chi-square on the pixels held out, in its standard errors.
    accepted : bool
        Whether to decode with it.
    edges_seen : float
        Part of the edges that the traces tell to half of what they may depart, or better.
    pixels_used, pixels_held_out : int
    rounds : int
    code_um, depth_error_um : (n_places,) arrays
        What is not known of the instrument, as a standard error of depths: at places along the
        code, as in `DecodedPixels.mask_position_um`. A shift that all depths have in common is
        not in it.
    model_error : ModelError
        What is left over in many pixels: through this instrument where it is accepted, else
        through the one designed.
    aperture : KnownAperture
        What is known of the aperture, by this point and by those before it.
    told : KnownAperture
        What this point tells of it alone.
    contradicted : bool
        An aperture was known, and this point's pixels contradict it: it was learnt anew.
    warnings : tuple of str
    held_out_before, held_out_after : (pixels_held_out,) arrays
        Chi-square per degree of freedom of each pixel held out, as designed and as learnt.
    """

    edges_um: Floats
    edge_offset_um: Floats
    edge_error_um: Floats
    widening_um: float
    widening_error_um: float
    thickness_factor: float
    thickness_error: float
    position_um: Floats
    position_error_um: Floats
    log_beam: Floats
    log_beam_error: Floats
    opaque: bool
    departed: frozenset[str]
    misfit_before: float
    misfit_after: float
    gain_sigma: float
    accepted: bool
    edges_seen: float
    pixels_used: int
    pixels_held_out: int
    rounds: int
    code_um: Floats
    depth_error_um: Floats
    model_error: ModelError
    aperture: KnownAperture
    told: KnownAperture
    contradicted: bool = False
    warnings: tuple[str, ...] = ()
    held_out_before: Floats = field(default_factory=lambda: np.zeros(0))
    held_out_after: Floats = field(default_factory=lambda: np.zeros(0))

    def applied_to(self, experiment: Experiment) -> Experiment:
        """Return an experiment with what was learnt: edges, thickness, positions and beam.

        Frames that were not used stay where the experiment has them.
        """
        aperture = replace(
            experiment.aperture,
            edges_um=tuple(self.edges_um.tolist()),
            thickness_um=experiment.aperture.thickness_um * self.thickness_factor,
        )
        numbers = experiment.frames.indices
        positions = experiment.motion.step_um * np.arange(experiment.frames.stop, dtype=np.float64)
        positions[numbers] = experiment.motion.step_um * experiment.frame_positions
        positions[numbers] += self.position_um
        intensity = np.ones(experiment.frames.stop)
        intensity[numbers] = experiment.frame_intensities * self.beam
        return replace(
            experiment,
            aperture=aperture,
            motion=replace(experiment.motion, positions_um=tuple(positions.tolist())),
            beam_intensity=tuple(intensity.tolist()),
        )

    def with_error(self, found: DecodedPixels) -> DecodedPixels:
        """Return results whose depth errors hold what is not known of the instrument."""
        own = np.interp(found.mask_position_um, self.code_um, self.depth_error_um)
        return replace(found, depth_error_um=np.hypot(found.depth_error_um, own))

    @property
    def shown(self) -> dict[str, Floats | float]:
        """What is known of the aperture, in numbers for people to read."""
        names = (
            "edges_um",
            "edge_offset_um",
            "edge_error_um",
            "widening_um",
            "widening_error_um",
            "thickness_factor",
            "thickness_error",
            "edges_seen",
        )
        return {name: getattr(self, name) for name in names}

    @property
    def departures(self) -> Floats:
        """All of it as one vector, in the order of `instrument.Layout`."""
        return np.concatenate(
            [
                self.position_um,
                self.log_beam,
                self.edge_offset_um,
                [self.widening_um, np.log(self.thickness_factor)],
            ]
        )

    @property
    def beam(self) -> Floats:
        """The beam's intensity at each frame used, relative to its mean."""
        intensity = np.exp(self.log_beam)
        return np.asarray(intensity / intensity.mean())
