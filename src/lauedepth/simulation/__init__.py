"""The forward model: crystals and samples to the frames of a scan, and their truth.

Arrays only; files are written by `lauedepth.io`.
"""

from lauedepth.crystals.crystal import CRYSTALS, Atom, Crystal, crystal_by_name
from lauedepth.crystals.laue import Harmonic, Spot, WhiteBeam, laue_spots
from lauedepth.simulation.flaws import Flaws
from lauedepth.simulation.forward import Footprints, expected_traces, quick_traces
from lauedepth.simulation.image import SpotImage, place_image, segment_image, sources_from_image
from lauedepth.simulation.sample import (
    Column,
    Grain,
    Polycrystal,
    Sample,
    Surface,
    membrane,
    random_column,
)
from lauedepth.simulation.scan import ScanPoint, SimulatedPoint, grid_positions, simulate_scan
from lauedepth.simulation.sources import Exposure, LightSources, sources_from_grains
from lauedepth.simulation.truth import TRUTH

__all__ = [
    "CRYSTALS",
    "TRUTH",
    "Atom",
    "Column",
    "Crystal",
    "Exposure",
    "Flaws",
    "Footprints",
    "Grain",
    "Harmonic",
    "LightSources",
    "Polycrystal",
    "Sample",
    "ScanPoint",
    "SimulatedPoint",
    "Spot",
    "SpotImage",
    "Surface",
    "WhiteBeam",
    "crystal_by_name",
    "expected_traces",
    "grid_positions",
    "laue_spots",
    "membrane",
    "place_image",
    "quick_traces",
    "random_column",
    "segment_image",
    "simulate_scan",
    "sources_from_grains",
    "sources_from_image",
]
