"""Turning plain functions into functions of the device."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from numba import cuda

P = ParamSpec("P")
R = TypeVar("R")


def device(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function for use in kernels.

    What the `cpu` backend compiled is taken over: decisions are written down once.
    """
    compiled: Callable[P, R] = cuda.jit(device=True)(getattr(function, "py_func", function))
    return compiled
