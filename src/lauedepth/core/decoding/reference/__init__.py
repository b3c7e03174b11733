"""The definition of right: readable NumPy, one pixel at a time, in float64."""
