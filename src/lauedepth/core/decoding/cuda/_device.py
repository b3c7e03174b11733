"""Turning plain functions into functions of the device."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any, ParamSpec, TypeVar

from numba import cuda

P = ParamSpec("P")
R = TypeVar("R")


def device(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function for use in kernels.

    What was compiled for the CPU (`compiled`) is taken over with all that it calls, so that
    decisions are written once.
    """
    plain = getattr(function, "py_func", None)
    taken: Callable[P, R] = cuda.jit(device=True)(function) if plain is None else _take_over(plain)
    return taken


def _take_over(plain: Any) -> Any:
    """Compile a function whose globals hold functions of the CPU: those of the device instead."""
    called = {
        name: _take_over(value.py_func)
        for name, value in plain.__globals__.items()
        if name in plain.__code__.co_names and hasattr(value, "py_func")
    }
    if called:
        names = {**plain.__globals__, **called}
        plain = FunctionType(plain.__code__, names, plain.__name__, plain.__defaults__)
    return cuda.jit(device=True)(plain)
