"""The kernels compiled for this CPU, one thread a block: fast enough for many pixels.

``python one_thread.py TRACES`` decodes a pickle of (experiment, rows, columns, counts), and
writes the differences from `reference` as JSON. Types and arithmetic are those of compiled
code, float32 included; what the threads of a block do together is for the simulator to prove.
Compiling takes minutes.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import njit


class Index(NamedTuple):
    x: int
    y: int


class Launched:
    """A compiled kernel that is called with a launch configuration."""

    def __init__(self, function: Any) -> None:
        self.compiled = function

    def __getitem__(self, configuration: object) -> Any:
        return self.compiled


class HostArray(np.ndarray[Any, Any]):
    """An array that is asked to copy itself."""

    def copy_to_device(self, values: Any, stream: object = None) -> None:
        np.copyto(self, values)

    def copy_to_host(self, target: Any = None, stream: object = None) -> Any:
        if target is None:
            return np.array(self)
        np.copyto(target, self)
        return target


def jit(function: Any = None, *, device: bool = False, **_: object) -> Any:
    if function is None:
        return lambda one: jit(one, device=device)
    compiled = njit(error_model="numpy")(function)
    return compiled if device else Launched(compiled)


@njit
def _nothing() -> None:
    pass


@njit
def _array(shape: Any, dtype: Any) -> Any:
    return np.empty(shape, dtype)


@njit
def _add(array: Any, at: int, value: int) -> Any:
    before = array[at]
    array[at] += value
    return before


def _module(name: str, **members: object) -> ModuleType:
    module = ModuleType(name)
    for key, value in members.items():
        setattr(module, key, value)
    return module


def empty(shape: Any, dtype: Any) -> Any:
    return np.empty(shape, dtype).view(HostArray)


def install() -> None:
    """Put a stand-in in the place of `numba.cuda`: one block of one thread."""
    fake = _module(
        "numba.cuda",
        jit=jit,
        threadIdx=Index(0, 0),
        blockIdx=Index(0, 0),
        blockDim=Index(1, 1),
        gridDim=Index(1, 1),
        syncthreads=_nothing,
        shared=_module("shared", array=_array),
        local=_module("local", array=_array),
        atomic=_module("atomic", add=_add),
        stream=lambda: SimpleNamespace(synchronize=lambda: None),
        pinned_array=empty,
        device_array=empty,
        to_device=lambda values: np.array(values).view(HostArray),
    )
    sys.modules["numba.cuda"] = fake
    numba.cuda = fake


def main() -> None:
    assert os.environ.get("NUMBA_OPT") == "1", "more takes many minutes to compile"
    install()
    cases = import_module("simulator_cases")
    experiment, rows, columns, counts = pickle.loads(Path(sys.argv[1]).read_bytes())
    plan = cases.plan(77, streams=2, blocks=1, columns=24, threads=1)
    json.dump(cases.compare(experiment, rows, columns, counts, plan, cases.ENERGY), sys.stdout)


if __name__ == "__main__":
    main()
