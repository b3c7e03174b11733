"""Whether a GPU can be used here: asked of the driver itself, without numba-cuda."""

from __future__ import annotations

import ctypes
import os
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Final

LIBRARY: Final = "libcuda.so.1"

FAILURES: Final = {
    100: "the driver finds no GPU (is one visible? see CUDA_VISIBLE_DEVICES)",
    802: "the driver is not ready yet",
    803: "the driver does not fit the machine's kernel module; install one version of both",
    804: "the GPU does not support the installed forward-compatibility package",
    999: "the driver fails; see `nvidia-smi`",
}


def why_unavailable() -> str | None:
    """Return why no GPU can be used here, or None where one can."""
    if os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in {"", "0"}:
        return "NUMBA_ENABLE_CUDASIM is set, and the simulator is for tests"
    try:
        driver = ctypes.CDLL(LIBRARY)
    except OSError:
        return f"no NVIDIA driver is installed ({LIBRARY} was not found)"
    failure = int(driver.cuInit(0))
    if failure:
        return FAILURES.get(failure, f"the driver fails to start (CUDA error {failure})")
    if not is_installed():
        return "numba-cuda is not installed; install 'lauedepth[cuda]'"
    supported = ctypes.c_int(0)
    driver.cuDriverGetVersion(ctypes.byref(supported))
    return why_too_old(supported.value, _toolkit_major())


def is_installed() -> bool:
    """Return whether the packages of the extra `[cuda]` are there."""
    return find_spec("numba_cuda") is not None


def why_too_old(supported: int, toolkit: int | None) -> str | None:
    """Return why a driver cannot run what the toolkit compiles, or None where it can.

    Parameters
    ----------
    supported : int
        Newest CUDA version of the driver, as 1000 x major + 10 x minor.
    toolkit : int or None
        Major version of the toolkit installed, if known.
    """
    major, minor = supported // 1000, supported % 1000 // 10
    if toolkit is None or major >= toolkit:
        return None
    return (
        f"the driver is too old: it supports CUDA {major}.{minor}, and the toolkit installed is "
        f"{toolkit}; update the driver or install 'numba-cuda[cu{major}]'"
    )


def _toolkit_major() -> int | None:
    try:
        return int(version("cuda-toolkit").split(".", maxsplit=1)[0])
    except PackageNotFoundError:
        return None
