"""What the threads of a block do together: broadcast, reduce, scan.

Every function is called by all threads of a block with the same arguments but for values of
their own, waits for all of them, and returns the same to each, so that what follows from it
is decided alike.
"""

from __future__ import annotations

import numpy as np
from numba import cuda

from lauedepth.core.decoding.compiled.types import Array
from lauedepth.core.decoding.cuda._device import device
from lauedepth.core.decoding.cuda._types import MOST_SUMS, THREADS, Block


@device
def new_block() -> Block:
    """Return this thread's place in its block, and the memory that the block shares."""
    partial = cuda.shared.array((MOST_SUMS, THREADS), np.float64)
    sums = cuda.shared.array(MOST_SUMS, np.float64)
    word = cuda.shared.array(1, np.float64)
    return Block(cuda.threadIdx.x, cuda.blockDim.x, partial, sums, word)


@device
def clear_sums(block: Block, count: int) -> None:
    """Set this thread's parts of the first sums to zero."""
    for entry in range(count):
        block.partial[entry, block.thread] = 0.0


@device
def reduce(block: Block, count: int) -> None:
    """Reduce the threads' parts of the first sums to `block.sums`."""
    cuda.syncthreads()
    for entry in range(block.thread, count, block.threads):
        total = 0.0
        for other in range(block.threads):
            # Begun at a place of its own, each thread reads another bank of the memory.
            place = other + block.thread
            if place >= block.threads:
                place -= block.threads
            total += block.partial[entry, place]
        block.sums[entry] = total
    cuda.syncthreads()


@device
def total_of(block: Block, value: float) -> float:
    """Return the sum of the threads' values."""
    block.partial[0, block.thread] = value
    reduce(block, 1)
    return float(block.sums[0])


@device
def broadcast(block: Block, value: float) -> float:
    """Return the first thread's value to all."""
    cuda.syncthreads()
    if block.thread == 0:
        block.word[0] = value
    cuda.syncthreads()
    return float(block.word[0])


@device
def argmax(block: Block, value: float, at: int) -> tuple[float, int]:
    """Return the maximum of the threads' values and where it is; of equals the first."""
    block.partial[0, block.thread] = value
    block.partial[1, block.thread] = at
    cuda.syncthreads()
    most, where = block.partial[0, 0], block.partial[1, 0]
    for other in range(1, block.threads):
        value, place = block.partial[0, other], block.partial[1, other]
        if value > most or (value == most and place < where):
            most, where = value, place
    cuda.syncthreads()
    return most, int(where)


@device
def chunk_of(block: Block, size: int) -> tuple[int, int]:
    """Return the stretch (begin, end) of so many items that is this thread's."""
    length = (size + block.threads - 1) // block.threads
    begin = min(block.thread * length, size)
    return begin, min(begin + length, size)


@device
def inclusive_scan(block: Block, values: Array, size: int) -> None:
    """Replace values by their running sums."""
    cuda.syncthreads()
    begin, end = chunk_of(block, size)
    total = 0.0
    for index in range(begin, end):
        total += values[index]
        values[index] = total
    block.partial[0, block.thread] = total
    cuda.syncthreads()
    before = 0.0
    for other in range(block.thread):
        before += block.partial[0, other]
    for index in range(begin, end):
        values[index] += before
    cuda.syncthreads()
