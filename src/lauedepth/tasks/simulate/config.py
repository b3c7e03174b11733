"""The simulation file: what sample is scanned, how, and with which flaws."""

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
from lauedepth.simulation import (
    Crystal,
    Exposure,
    Flaws,
    Polycrystal,
    Sample,
    Surface,
    WhiteBeam,
    crystal_by_name,
    grid_positions,
    membrane,
    random_column,
)

Fraction = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]


class PolycrystalSection(Section):
    """Grains of random place and orientation."""

    kind: Literal["polycrystal"] = "polycrystal"
    grain_um: Positive = 20.0
    """Cube root of a grain's mean volume."""
    depths_um: tuple[float, float] = (0.0, 100.0)
    """Where the material begins and ends."""

    def to_sample(self, crystal: Crystal, extent_um: tuple[float, float], seed: int) -> Sample:
        """Return the sample; it covers ``extent_um`` across the beam."""
        return Polycrystal.random(
            crystal,
            grain_um=self.grain_um,
            extent_um=extent_um,
            depths_um=self.depths_um,
            seed=seed,
        )


class ColumnSection(Section):
    """Grains of given sizes one behind the other, each turned at random."""

    kind: Literal["column"]
    sizes_um: Annotated[tuple[Positive, ...], Field(min_length=1)]
    """Length of the beam's path in each."""
    start_um: float = 0.0
    """Depth at which the first begins."""

    def to_sample(self, crystal: Crystal, extent_um: tuple[float, float], seed: int) -> Sample:
        """Return the sample."""
        del extent_um
        return random_column(crystal, self.sizes_um, start_um=self.start_um, seed=seed)


class MembraneSection(Section):
    """One thin single crystal, for calibration."""

    kind: Literal["membrane"]
    depth_um: float = 0.0
    """Depth of its middle."""
    thickness_um: Positive = 0.5
    """Length of the beam's path in it."""

    def to_sample(self, crystal: Crystal, extent_um: tuple[float, float], seed: int) -> Sample:
        """Return the sample."""
        del extent_um, seed
        return membrane(crystal, self.depth_um, self.thickness_um)


class ScanSection(Section):
    """The raster of points."""

    n_x: Count = 1
    """Points along x, which runs fastest."""
    n_y: Count = 1
    """Points along y."""
    step_um: Positive = 2.0
    """Distance of neighbouring points."""

    def positions_um(self) -> list[tuple[float, float]]:
        """Return where the beam falls."""
        return grid_positions(self.n_x, self.n_y, self.step_um)


class RegionSection(Section):
    """The part of the detector that is read out."""

    start_px: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]] = (0, 0)
    """First unbinned column and row."""
    shape_px: tuple[Count, Count]
    """Columns and rows of the image, binned pixels."""
    binning: tuple[Count, Count] = (1, 1)
    """Unbinned pixels per image pixel along columns and rows."""

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
                    f"reaches {axis} {start + size * binning - 1} of a detector with {total}",
                    "region",
                    "choose a smaller shape_px or start_px",
                )
        return Region(self.shape_px[::-1], self.start_px, self.binning)


class ExposureSection(Section):
    """How much light a frame gets."""

    peak_counts: Positive = Exposure.peak_counts
    """Counts a frame of the brightest pixel with no bar in the way."""
    background: NotNegative = Exposure.background
    """Counts a frame and unbinned pixel that do not pass the aperture."""
    spot_sigma_px: Positive = Exposure.spot_sigma_px
    """Size of the spots, unbinned pixels."""
    least_counts: Positive = Exposure.least_counts
    """Fainter contributions to a pixel are left out."""


class BeamSection(Section):
    """The incident beam."""

    start_kev: Positive = WhiteBeam.start_kev
    """Least photon energy."""
    stop_kev: Positive = WhiteBeam.stop_kev
    """Greatest photon energy."""


class FlawsSection(Section):
    """What the decoder does not model; none by default."""

    beam_sigma_um: NotNegative = 0.0
    """Size of the incident beam (standard deviation)."""
    blur_sigma_px: NotNegative = 0.0
    """Spread of light in the detector."""
    saturation: Annotated[int, Field(ge=1, le=Flaws.saturation)] = Flaws.saturation
    """Count at which the detector reads full."""
    hot_fraction: Fraction = 0.0
    """Part of the pixels that give counts of their own."""
    hot_counts: NotNegative = Flaws.hot_counts
    """Their mean rate a frame."""
    dead_fraction: Fraction = 0.0
    """Part of the pixels that read zero."""
    drift: Annotated[float, Field(ge=-1)] = 0.0
    """Relative change of the beam current over the scan."""
    flicker: NotNegative = 0.0
    """Relative change of the beam current from frame to frame."""
    dropped: Annotated[int, Field(ge=0)] | tuple[Annotated[int, Field(ge=0)], ...] = 0
    """Frames that are lost: how many, or which."""
    jitter_um: NotNegative = 0.0
    """Error of the aperture's position from frame to frame."""


class ImageSection(Section):
    """A measured frame as the light, instead of a crystal's."""

    start_px: tuple[int, int] | None = None
    """Detector column and row of the image's first pixel; centred by default."""
    depths_um: tuple[float, float] | None = None
    """Where the spots' depths lie; the experiment's depths without a tenth at each end."""
    widths_um: tuple[Positive, Positive] = (2.0, 20.0)
    """Range of the spots' lengths along the beam."""
    threshold_sigma: Positive = 6.0
    """How far a spot stands above the noise."""
    counts_scale: Positive = 1.0
    """Factor on the image's counts, to make frames brighter or fainter."""


SampleSection = Annotated[
    PolycrystalSection | ColumnSection | MembraneSection, Field(discriminator="kind")
]


class SimulationConfig(Section):
    """A simulated scan. Everything has a default."""

    crystal: str = "Ni"
    """Al, Cu, Ni, Si, W, or a crystal file (.xtal, .xml) beside this file."""
    sample: SampleSection = PolycrystalSection()
    scan: ScanSection = ScanSection()
    region: RegionSection | None = None
    """Without it the whole detector is read out."""
    exposure: ExposureSection = ExposureSection()
    beam: BeamSection = BeamSection()
    absorb_in_sample: bool = False
    """Absorb on the way in and out, the surface standing at 45° to the beam."""
    opaque_bars: bool = False
    """Bars stop all light; otherwise they absorb as gold does."""
    flaws: FlawsSection = FlawsSection()
    image: ImageSection = ImageSection()
    seed: Annotated[int, Field(ge=0)] = 0
    """Of all random numbers."""

    def to_crystal(self, folder: Path) -> Crystal:
        """Return the crystal; files are looked for in ``folder``."""
        if Path(self.crystal).suffix:
            return read_crystal(folder / self.crystal)
        return crystal_by_name(self.crystal)

    def to_sample(self, folder: Path) -> Sample:
        """Return the sample under the scan."""
        across = self.scan.n_x * self.scan.step_um, self.scan.n_y * self.scan.step_um
        return self.sample.to_sample(self.to_crystal(folder), across, self.seed)

    def to_region(self, detector: Detector) -> Region:
        """Return what is read out of a detector."""
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

    def to_surface(self) -> Surface | None:
        """Return the surface behind which the sample absorbs, if it does."""
        return Surface(self.sample_start_um()) if self.absorb_in_sample else None

    def sample_start_um(self) -> float:
        """Return the depth at which the sample begins."""
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
        Names the file, the key and, for an unknown key, the nearest valid one.
    """
    return validated(SimulationConfig, read_yaml(Path(path)), path)


def simulation_schema() -> str:
    """Return the JSON Schema of simulation files."""
    schema = SimulationConfig.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
