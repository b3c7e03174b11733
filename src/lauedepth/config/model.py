"""The native experiment file: one tree of checked sections."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, PrivateAttr, model_validator

from lauedepth.config import limits
from lauedepth.config.aperture import PREFER_SAME, Aperture
from lauedepth.config.decoding import Decode
from lauedepth.config.instrument import Instrument
from lauedepth.config.positions import positions_problem
from lauedepth.config.section import Section
from lauedepth.config.sections import (
    CalibrationBounds,
    Data,
    Depths,
    DetectorFromFile,
    DetectorSection,
    InlineDetector,
    Motion,
    Pose,
)
from lauedepth.config.selection import Selection
from lauedepth.core.decoding.pixels import DecodeOptions
from lauedepth.core.errors import ConfigurationError
from lauedepth.core.instrument import experiment as core
from lauedepth.core.instrument.aperture import prefer_same_code
from lauedepth.core.notices import Notice


class ExperimentConfig(Section):
    """A lauedepth experiment: everything needed to decode its points."""

    data: Data
    selection: Selection = Selection()
    detector: DetectorSection
    aperture: Aperture = Aperture()
    pose: Pose
    motion: Motion
    depths: Depths
    decode: Decode = Decode()
    instrument: Instrument = Instrument()
    beam_tilt: Annotated[float, Field(ge=-0.1, le=0.1)] = core.BEAM_TILT
    """Slope of the focused beam, dy/dx."""
    beam_intensity: tuple[Annotated[float, Field(gt=0)], ...] | None = None
    """Intensity of the incident beam at each frame of the file, relative, where it is known."""
    calibration: CalibrationBounds | None = None
    """The published layout's `geo.mask.calibrate` and `cal`; kept for a calibration."""

    # What a reader of the file noticed belongs to no experiment: it is neither written,
    # nor compared, nor part of a run's identity.
    _notices: tuple[Notice, ...] = PrivateAttr(default=())

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        motion = self.motion
        at_first = motion.shift_mm + 1e-3 * self.data.first_frame * motion.step_um
        try:
            limits.SHIFT.check(at_first)
        except ValueError as error:
            raise ValueError(f"motion.shift_mm: at data.first_frame {error}") from error
        return self

    @model_validator(mode="after")
    def _known_at_every_frame(self) -> Self:
        stop = self.data.stop_frame
        for name, values in (
            ("motion.positions_um", self.motion.positions_um),
            ("beam_intensity", self.beam_intensity),
        ):
            if values is not None and len(values) < stop:
                raise ValueError(f"{name} has {len(values)} values for {stop} frames of the file")
        return self

    @model_validator(mode="after")
    def _known_once(self) -> Self:
        stated = (
            ("beam_intensity", self.beam_intensity, "data.monitor", self.data.monitor),
            (
                "motion.positions_um",
                self.motion.positions_um,
                "data.positions",
                self.data.positions,
            ),
        )
        for name, values, key, dataset in stated:
            if values is not None and dataset:
                raise ValueError(f"{name} and {key} are both given: keep one of them")
        return self

    @model_validator(mode="after")
    def _positions_follow_the_step(self) -> Self:
        """Refuse positions that do not go with step_um, by which decoders search."""
        data, positions = self.data, self.motion.positions_um
        if positions is not None:
            used = range(data.first_frame, data.stop_frame, data.stride)
            problem = positions_problem(positions, used, self.motion.step_um)
            if problem is not None:
                raise ValueError(f"motion.positions_um {problem}")
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ExperimentConfig) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash(tuple(self.__dict__.values()))

    @property
    def notices(self) -> tuple[Notice, ...]:
        """Notes and warnings on the file that the experiment was read from."""
        return self._notices

    def with_notices(self, notices: Iterable[Notice]) -> ExperimentConfig:
        """Return this experiment with notes and warnings added."""
        copy = self.model_copy()
        copy._notices = (*self._notices, *notices)
        return copy

    def resolved(self, folder: Path) -> ExperimentConfig:
        """Return this experiment with the content of the files it names, so free of them."""
        detector = self.detector
        if isinstance(detector, DetectorFromFile):
            detector = detector.read(folder)
        detector = detector.located(folder)
        return self.model_copy(
            update={
                "detector": detector,
                "aperture": self.aperture.read(folder),
                "selection": self.selection.read(folder, detector.to_core()),
                "instrument": self.instrument.located(folder),
            }
        )

    def to_core(self) -> core.Experiment:
        """Return what maps a trace to a depth.

        Raises
        ------
        ConfigurationError
            The experiment still names files (see `resolved`; `load_experiment` does it).
        """
        if isinstance(self.detector, DetectorFromFile):
            raise ConfigurationError(
                "detector is still the name of a file",
                self.detector.geometry_file,
                "use load_experiment",
            )
        return core.Experiment(
            self.detector.to_core(),
            self.aperture.to_core(),
            self.pose.to_core(),
            self.motion.to_core(),
            self.data.to_core(),
            self.depths.to_core(),
            self.beam_tilt,
            self.beam_intensity,
        )

    def decode_options(self) -> DecodeOptions:
        """Return the decoder's options."""
        return self.decode.to_core()

    @classmethod
    def from_core(
        cls, experiment: core.Experiment, selection: Selection | None = None
    ) -> ExperimentConfig:
        """State an experiment, to be written with `dump_experiment`."""
        aperture, frames = experiment.aperture, experiment.frames
        known = aperture.code == prefer_same_code(8)
        return cls(
            data=Data(first_frame=frames.first, stop_frame=frames.stop, stride=frames.stride),
            selection=selection or Selection(),
            detector=InlineDetector.from_core(experiment.detector),
            aperture=Aperture(**(vars(aperture) | ({"code": PREFER_SAME} if known else {}))),
            pose=Pose(**vars(experiment.pose)),
            motion=Motion(**vars(experiment.motion)),
            depths=Depths(**vars(experiment.depths)),
            beam_tilt=experiment.beam_tilt,
            beam_intensity=experiment.beam_intensity,
        )
