"""Experiments and geometries: what a user writes down, checked and turned into the core's."""

from __future__ import annotations

from lauedepth.config.files import dump_experiment, load_experiment
from lauedepth.config.geometry_xml import Geometry, Wire, read_geometry, write_geometry
from lauedepth.config.model import ExperimentConfig
from lauedepth.config.selection import Selection

__all__ = [
    "ExperimentConfig",
    "Geometry",
    "Selection",
    "Wire",
    "dump_experiment",
    "load_experiment",
    "read_geometry",
    "write_geometry",
]
