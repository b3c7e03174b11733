"""The native experiment file: one tree of checked sections."""

from __future__ import annotations

from pathlib import Path

from lauedepth.config.sections import (
    PREFER_SAME,
    Aperture,
    Data,
    Decode,
    Depths,
    DetectorFromFile,
    DetectorSection,
    InlineDetector,
    Motion,
    Pose,
    Section,
    Selection,
)
from lauedepth.core.decoding.pixels import DecodeOptions
from lauedepth.core.errors import ConfigurationError
from lauedepth.core.instrument import experiment as core
from lauedepth.core.instrument.aperture import prefer_same_code


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
    beam_tilt: float = core.BEAM_TILT
    """Slope of the focused beam, dy/dx."""

    def resolved(self, folder: Path) -> ExperimentConfig:
        """Return this experiment with the content of the files it names, so free of them."""
        detector = self.detector
        if isinstance(detector, DetectorFromFile):
            detector = detector.read(folder)
        return self.model_copy(
            update={"detector": detector, "aperture": self.aperture.read(folder)}
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
        )
