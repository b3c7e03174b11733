"""Decoding: from measured traces to footprints over depth."""
