"""The forward model: from a sample to the frames of a scan and the ground truth.

Arrays only; files are written by `lauedepth.tasks.simulate`.
"""

from lauedepth.simulation.built import BuiltAperture
from lauedepth.simulation.flaws import Flaws, Timeline
from lauedepth.simulation.forward import (
    Footprints,
    expected_traces,
    flawed_traces,
    quick_traces,
)
from lauedepth.simulation.image import SpotImage, place_image, segment_image, sources_from_image
from lauedepth.simulation.records import Records, monitor_of, positions_of
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
    "TRUTH",
    "BuiltAperture",
    "Column",
    "Exposure",
    "Flaws",
    "Footprints",
    "Grain",
    "LightSources",
    "Polycrystal",
    "Records",
    "Sample",
    "ScanPoint",
    "SimulatedPoint",
    "SpotImage",
    "Surface",
    "Timeline",
    "expected_traces",
    "flawed_traces",
    "grid_positions",
    "membrane",
    "monitor_of",
    "place_image",
    "positions_of",
    "quick_traces",
    "random_column",
    "segment_image",
    "simulate_scan",
    "sources_from_grains",
    "sources_from_image",
]
