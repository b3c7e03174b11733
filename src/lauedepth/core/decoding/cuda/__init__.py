"""The decoder on an NVIDIA GPU, with numba-cuda (extra `[cuda]`)."""
