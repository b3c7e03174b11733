"""The method of the published program, to compare with."""
