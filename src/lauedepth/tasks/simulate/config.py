"""The simulation file: the sample, the scan and the flaws of the instrument."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from lauedepth.config.checking import validated
from lauedepth.config.crystal_xml import read_crystal
from lauedepth.config.section import Positive, Section
from lauedepth.config.yaml_text import read_yaml
from lauedepth.core.errors import ConfigurationError
from lauedepth.core.instrument.experiment import Detector, Region
from lauedepth.crystals import Crystal, WhiteBeam, crystal_by_name
from lauedepth.simulation import (
    Exposure,
    Flaws,
    Polycrystal,
    Records,
    Sample,
    Surface,
    grid_positions,
    membrane,
    random_column,
)

Fraction = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]


class PolycrystalSection(Section):
    """Grains with random positions and orientations."""

    kind: Literal["polycrystal"] = "polycrystal"
    grain_um: Positive = 20.0
    """Cube root of the mean grain volume."""
    depths_um: tuple[float, float] = (0.0, 100.0)
    """Depth range of the material."""

    def to_sample(self, crystal: Crystal, extent_um: tuple[float, float], seed: int) -> Sample:
        """Return the sample, which covers ``extent_um`` across the beam."""
        return Polycrystal.random(
            crystal,
            grain_um=self.grain_um,
            extent_um=extent_um,
            depths_um=self.depths_um,
            seed=seed,
        )


class ColumnSection(Section):
    """Grains of given sizes along the beam, each with a random orientation."""

    kind: Literal["column"]
    sizes_um: Annotated[tuple[Positive, ...], Field(min_length=1)]
    """Path length of the beam in each grain."""
    start_um: float = 0.0
    """Depth at which the first grain starts."""

    def to_sample(self, crystal: Crystal, extent_um: tuple[float, float], seed: int) -> Sample:
        """Return the sample."""
        del extent_um
        return random_column(crystal, self.sizes_um, start_um=self.start_um, seed=seed)


class MembraneSection(Section):
    """A thin single crystal, for calibration."""

    kind: Literal["membrane"]
    depth_um: float = 0.0
    """Depth of its centre."""
    thickness_um: Positive = 0.5
    """Path length of the beam in it."""

    def to_sample(self, crystal: Crystal, extent_um: tuple[float, float], seed: int) -> Sample:
        """Return the sample."""
        del extent_um, seed
        return membrane(crystal, self.depth_um, self.thickness_um)


class ScanSection(Section):
    """The raster of points."""

    n_x: Count = 1
    """Number of points along x, the fast axis."""
    n_y: Count = 1
    """Number of points along y."""
    step_um: Positive = 2.0
    """Distance between neighbouring points."""

    def positions_um(self) -> list[tuple[float, float]]:
        """Return the positions of the beam on the sample."""
        return grid_positions(self.n_x, self.n_y, self.step_um)


class RegionSection(Section):
    """The part of the detector that is read out."""

    start_px: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]] = (0, 0)
    """First unbinned column and row."""
    shape_px: tuple[Count, Count]
    """Columns and rows of the image, binned pixels."""
    binning: tuple[Count, Count] = (1, 1)
    """Unbinned pixels per image pixel, along columns and rows."""

    def to_core(self, detector: Detector) -> Region:
        """Return the region, which must lie on the detector."""
        for axis, start, size, binning, total in zip(
            ("column", "row"),
            self.start_px,
            self.shape_px,
            self.binning,
            detector.shape,
            strict=True,
        ):
            if start + size * binning > total:
                raise ConfigurationError(
                    f"extends to {axis} {start + size * binning - 1}, but the detector has {total}",
                    "region",
                    "choose a smaller shape_px or start_px",
                )
        return Region(self.shape_px[::-1], self.start_px, self.binning)


class ExposureSection(Section):
    """The exposure of a frame."""

    peak_counts: Positive = Exposure.peak_counts
    """Counts per frame of the brightest pixel with no bar in the beam."""
    background: NotNegative = Exposure.background
    """Counts per frame and unbinned pixel that do not pass through the aperture."""
    spot_sigma_px: Positive = Exposure.spot_sigma_px
    """Size of the spots, unbinned pixels."""
    least_counts: Positive = Exposure.least_counts
    """Fainter contributions to a pixel are omitted."""


class BeamSection(Section):
    """The incident beam."""

    start_kev: Positive = WhiteBeam.start_kev
    """Minimum photon energy."""
    stop_kev: Positive = WhiteBeam.stop_kev
    """Maximum photon energy."""


class FlawsSection(Section):
    """Effects that the decoder does not model; none by default."""

    beam_sigma_um: NotNegative = 0.0
    """Size of the incident beam (standard deviation)."""
    blur_sigma_px: NotNegative = 0.0
    """Spread of light in the detector."""
    saturation: Annotated[int, Field(ge=1, le=Flaws.saturation)] = Flaws.saturation
    """Count at which the detector saturates."""
    hot_fraction: Fraction = 0.0
    """Fraction of hot pixels."""
    hot_counts: NotNegative = Flaws.hot_counts
    """Mean counts per frame of hot pixels."""
    dead_fraction: Fraction = 0.0
    """Fraction of the pixels that read zero."""
    drift: Annotated[float, Field(ge=-1)] = 0.0
    """Relative change of the beam current over the scan."""
    flicker: NotNegative = 0.0
    """Relative change of the beam current from frame to frame."""
    dropped: Annotated[int, Field(ge=0)] | tuple[Annotated[int, Field(ge=0)], ...] = 0
    """Frames that are lost: how many, or which."""
    jitter_um: NotNegative = 0.0
    """Error of the aperture's position from frame to frame."""
    edges_um: NotNegative = 0.0
    """Error of each bar edge (standard deviation)."""
    widening_um: float = 0.0
    """How much wider the bars are than the experiment says."""
    thickness: Annotated[float, Field(gt=-1)] = 0.0
    """How much thicker the bars are than the experiment says, relative."""
    thickness_profile: Annotated[float, Field(gt=-1)] = 0.0
    """How much thicker they grow towards the ends of the code, relative."""
    corner_radius_um: NotNegative = 0.0
    """Rounding of the bars' upper corners."""
    motor_drift_um: NotNegative = 0.0
    """Slow wander of the aperture's position, peak to peak."""
    backlash_um: NotNegative = 0.0
    """Travel that the motor loses at the start of the scan."""
    step_error: Annotated[float, Field(gt=-1)] = 0.0
    """How much longer the steps are than the experiment says, relative."""
    beam_steps: tuple[tuple[Annotated[int, Field(ge=0)], NotNegative], ...] = ()
    """From each frame named on, the beam has this intensity, relative."""
    top_up: Fraction = 0.0
    """Relative loss of the beam current between two fills of the ring."""
    top_up_frames: Annotated[int, Field(ge=1)] = Flaws.top_up_frames
    """Frames between two fills."""
    smear: Fraction = 0.0
    """Part of a step that the aperture moves during an exposure (fly scan)."""


class RecordsSection(Section):
    """What is recorded beside the frames, as the beamline does; nothing by default."""

    monitor: bool = False
    """Whether each frame's incident beam is, in entry1/monitor/I0."""
    monitor_noise: NotNegative = 0.0
    """Error of the monitor from frame to frame, relative (standard deviation)."""
    monitor_offset: float = 0.0
    """What it reads without beam, relative to a full one."""
    positions: bool = False
    """Whether each frame's position of the aperture is, in entry1/aperture/position, µm."""
    position_noise_um: NotNegative = 0.0
    """Error of a position (standard deviation)."""
    position_offset_um: float = 0.0
    """Where the encoder has its zero."""
    position_at: Literal["start", "middle", "end"] = "middle"
    """Part of the exposure at which it is read; matters in a fly scan (flaws.smear)."""


class ImageSection(Section):
    """A measured frame as the light source, instead of a crystal."""

    start_px: tuple[int, int] | None = None
    """Detector column and row of the image's first pixel; centred by default."""
    depths_um: tuple[float, float] | None = None
    """Range of the spots' depths; by default the experiment's, less a tenth at each end."""
    widths_um: tuple[Positive, Positive] = (2.0, 20.0)
    """Range of the spots' lengths in depth."""
    threshold_sigma: Positive = 6.0
    """Threshold of a spot above the background, in units of the noise."""
    counts_scale: Positive = 1.0
    """Factor by which the image's counts are multiplied."""


SampleSection = Annotated[
    PolycrystalSection | ColumnSection | MembraneSection, Field(discriminator="kind")
]


class SimulationConfig(Section):
    """A simulated scan. Everything has a default."""

    crystal: str = "Ni"
    """Al, Cu, Ni, Si, Ti, W, or a crystal file (.xtal, .xml) in the folder of this file."""
    sample: SampleSection = PolycrystalSection()
    scan: ScanSection = ScanSection()
    region: RegionSection | None = None
    """By default the whole detector is read out."""
    exposure: ExposureSection = ExposureSection()
    beam: BeamSection = BeamSection()
    absorb_in_sample: bool = False
    """Whether the sample absorbs on the way in and out, its surface at 45° to the beam."""
    opaque_bars: bool = False
    """Whether bars are opaque; otherwise they absorb like gold."""
    flaws: FlawsSection = FlawsSection()
    records: RecordsSection = RecordsSection()
    image: ImageSection = ImageSection()
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of all random numbers."""

    def to_crystal(self, folder: Path) -> Crystal:
        """Return the crystal; crystal files are read from ``folder``."""
        if Path(self.crystal).suffix:
            return read_crystal(folder / self.crystal)
        return crystal_by_name(self.crystal)

    def to_sample(self, folder: Path) -> Sample:
        """Return the sample that is scanned."""
        across = self.scan.n_x * self.scan.step_um, self.scan.n_y * self.scan.step_um
        return self.sample.to_sample(self.to_crystal(folder), across, self.seed)

    def to_region(self, detector: Detector) -> Region:
        """Return the region of a detector that is read out."""
        if self.region is None:
            return Region(detector.shape[::-1])
        return self.region.to_core(detector)

    def to_exposure(self) -> Exposure:
        """Return the exposure."""
        return Exposure(**self.exposure.model_dump())

    def to_beam(self) -> WhiteBeam:
        """Return the beam."""
        return WhiteBeam(**self.beam.model_dump())

    def to_flaws(self) -> Flaws:
        """Return the flaws."""
        return Flaws(**self.flaws.model_dump())

    def to_records(self) -> Records:
        """Return what is recorded beside the frames."""
        return Records(**self.records.model_dump())

    def to_surface(self) -> Surface | None:
        """Return the surface behind which the sample absorbs, or None if it does not."""
        return Surface(self.sample_start_um()) if self.absorb_in_sample else None

    def sample_start_um(self) -> float:
        """Return the depth at which the sample starts."""
        if isinstance(self.sample, PolycrystalSection):
            return self.sample.depths_um[0]
        if isinstance(self.sample, ColumnSection):
            return self.sample.start_um
        return self.sample.depth_um - self.sample.thickness_um / 2


def load_simulation(path: Path | str) -> SimulationConfig:
    """Read a simulation file.

    Raises
    ------
    ConfigurationError
        The message names the file, the key and, for an unknown key, the nearest valid one.
    """
    return validated(SimulationConfig, read_yaml(Path(path)), path)


def simulation_schema() -> str:
    """Return the JSON Schema of simulation files."""
    schema = SimulationConfig.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
