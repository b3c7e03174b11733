"""Crystals, and the Laue spots that they give in a white beam.

The simulator stands on this room, and so does indexing; it knows neither of them.
"""

from lauedepth.crystals.crystal import CRYSTALS, Atom, Crystal, crystal_by_name
from lauedepth.crystals.spots import Harmonic, Spot, WhiteBeam, laue_spots

__all__ = [
    "CRYSTALS",
    "Atom",
    "Crystal",
    "Harmonic",
    "Spot",
    "WhiteBeam",
    "crystal_by_name",
    "laue_spots",
]
