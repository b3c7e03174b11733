"""Grains from decoded pixels: the spots that pixels form, and whose they are. Arrays only."""

from lauedepth.grains.spots import FoundPixels, Spots, join_pixels

__all__ = ["FoundPixels", "Spots", "join_pixels"]
