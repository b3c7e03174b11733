"""Figures of what results and calibrations hold; they compute nothing."""
