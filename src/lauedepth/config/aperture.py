"""The section of an experiment file that describes the coded aperture."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import AfterValidator, Field, field_validator, model_validator

from lauedepth.config import limits
from lauedepth.config.array_file import read_array
from lauedepth.config.section import Section
from lauedepth.core.errors import ConfigurationError
from lauedepth.core.instrument import experiment as core
from lauedepth.core.instrument.aperture import prefer_same_code

Bit = Annotated[int, Field(ge=0, le=1)]
Bits = Annotated[tuple[Bit, ...], Field(min_length=2, max_length=limits.MOST_BITS)]
CodeFile = Annotated[str, Field(pattern=r"\.npy$")]
BitWidthUm = Annotated[float, Field(gt=0), AfterValidator(limits.BIT_WIDTH.check)]
ThicknessUm = Annotated[float, Field(ge=0), AfterValidator(limits.THICKNESS.check)]
Density = Annotated[float, Field(gt=0), AfterValidator(limits.DENSITY.check)]
PREFER_SAME: Literal["prefer-same-8"] = "prefer-same-8"


class Aperture(Section):
    """The coded aperture."""

    code: Bits | Literal["prefer-same-8"] | CodeFile = PREFER_SAME
    """Bits (1 absorbs), the name of a known code, or a .npy file beside the experiment."""
    reversed: bool = False
    """The code stands the other way round."""
    open_width_um: BitWidthUm = 15.0
    """Width of a 0."""
    bar_width_um: BitWidthUm = 7.5
    """Width of a 1."""
    thickness_um: ThicknessUm = 3.7
    """Thickness of the bars."""
    widening_um: float = 0.0
    """How much wider each bar is than designed."""
    material: str = "Au"
    """What the bars are made of."""
    density_g_cm3: Density = 19.32
    """Density of the bars."""
    edges_um: Annotated[tuple[float, ...], Field(min_length=2)] | None = None
    """Begin and end of each bar in order along the code, where known; widening included."""

    @field_validator("code", mode="before")
    @classmethod
    def _is_a_code(cls, code: object) -> object:
        """Say in one sentence what is wrong, instead of what each kind of code would need."""
        if isinstance(code, str):
            known = code == PREFER_SAME or code.endswith(".npy")
        else:
            known = isinstance(code, list | tuple) and all(bit in (0, 1) for bit in code)
        if not known:
            raise ValueError(f"is no code: give {PREFER_SAME}, a .npy file, or bits, each 0 or 1")
        return code

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if isinstance(self.code, tuple) and len(set(self.code)) < 2:
            raise ValueError("the code needs both bars (1) and openings (0)")
        if not -self.bar_width_um < self.widening_um < self.open_width_um:
            raise ValueError(
                f"widening_um {self.widening_um} leaves no bar of {self.bar_width_um} or no "
                f"opening of {self.open_width_um}"
            )
        if self.edges_um is not None and (len(self.edges_um) % 2 or not _rises(self.edges_um)):
            raise ValueError("edges_um needs a begin and an end for each bar, each beyond the last")
        return self

    def bits(self) -> tuple[int, ...]:
        """Return the bits in the order in which they stand on the aperture."""
        if isinstance(self.code, str) and self.code != PREFER_SAME:
            raise ConfigurationError(
                "code is still the name of a file", self.code, "use load_experiment"
            )
        code = prefer_same_code(8) if isinstance(self.code, str) else self.code
        return code[::-1] if self.reversed else code

    def read(self, folder: Path) -> Aperture:
        """Return this aperture with the bits of its code file, if it names one."""
        if isinstance(self.code, tuple) or self.code == PREFER_SAME:
            return self
        code = read_code(folder / self.code)
        known = code == prefer_same_code(8)
        return self.model_copy(update={"code": PREFER_SAME if known else code})

    def to_core(self) -> core.Aperture:
        """Return the aperture."""
        return core.Aperture(
            self.bits(),
            self.open_width_um,
            self.bar_width_um,
            self.thickness_um,
            self.widening_um,
            self.material,
            self.density_g_cm3,
            self.edges_um,
        )


def _rises(values: tuple[float, ...]) -> bool:
    return all(one < other for one, other in pairwise(values))


def read_code(path: Path) -> tuple[int, ...]:
    """Read the bits of a code from a ``.npy`` file.

    Raises
    ------
    ConfigurationError
        No such file, not one-dimensional, not binary, or without bars or openings.
    """
    try:
        code = read_array(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError(f"code cannot be read: {reason}", str(path)) from error
    if code.ndim != 1 or code.dtype.kind not in "buif" or not np.isin(code, (0, 1)).all():
        raise ConfigurationError(
            f"code does not fit its two bit widths: {code.dtype} {code.shape}",
            str(path),
            "a code is a one-dimensional array of 0 (open) and 1 (bar)",
        )
    if np.unique(code).size < 2:
        raise ConfigurationError("the code needs both bars (1) and openings (0)", str(path))
    return tuple(int(bit) for bit in code)
