"""The decoder on a GPU against the paper's two kernels on the same card: ``make bench-gpu``."""
