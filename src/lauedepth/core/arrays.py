"""Types of arrays, named once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
"""Real numbers, of whatever shape the docstring gives."""

Flags = npt.NDArray[np.bool_]
"""Yes or no for each element, of whatever shape the docstring gives."""
