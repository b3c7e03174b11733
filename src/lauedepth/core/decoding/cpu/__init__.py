"""The decoder compiled for CPUs with Numba, spread over threads."""
