"""What the decoders compiled for CPUs and for GPUs share.

Decisions, small linear algebra, rays along the code and the layout of arrays are written once,
as functions that Numba compiles for the CPU and that `cuda` compiles again for the device. Inner
loops over frames are not here: each decoder has its own.
"""
