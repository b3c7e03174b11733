"""Crystals and the Laue spots that they give."""
