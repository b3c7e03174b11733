"""What the numbers of an instrument can be; beyond that a message names the likely unit.

The limits lie far outside of any real instrument and well inside of a slip by a factor of
1000, so they catch metres for millimetres and never a beamline.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Final

from pydantic import AfterValidator

from lauedepth.core.instrument.experiment import Vector

MM: Final = {"micrometres": 1e-3, "metres": 1e3, "nanometres": 1e-6}
"""Units that are mistaken for mm, and mm in one of each."""

UM: Final = {"millimetres": 1e3, "nanometres": 1e-3, "metres": 1e6}
"""Units that are mistaken for µm, and µm in one of each."""


@dataclass(frozen=True)
class Limits:
    """Between what a quantity lies, whatever its sign.

    Attributes
    ----------
    what : str
        The quantity.
    low, high : float
        Its size in `unit`; a size of zero passes where `low` is zero or `zero` is set.
    unit : str
    mistaken : dict of str to float
        Other units it may have been given in, and what one of each is in `unit`.
    zero : bool
        Zero is a value too.
    """

    what: str
    low: float
    high: float
    unit: str
    mistaken: dict[str, float] = field(default_factory=dict)
    zero: bool = False

    def holds(self, value: float) -> bool:
        """Return whether a value lies within the limits."""
        return self.low <= abs(value) <= self.high or (self.zero and value == 0)

    def check(self, value: float) -> float:
        """Return the value.

        Raises
        ------
        ValueError
            Beyond the limits; says in which unit the value would lie within.
        """
        if not self.holds(value):
            raise ValueError(self._refusal(value, f"{value:g}"))
        return value

    def check_vector(self, value: Vector) -> Vector:
        """Return a vector whose length lies within the limits."""
        length = math.hypot(*value)
        if not self.holds(length):
            raise ValueError(self._refusal(length, f"of length {length:g}"))
        return value

    def check_pair(self, value: tuple[float, float]) -> tuple[float, float]:
        """Return two values that lie within the limits."""
        return self.check(value[0]), self.check(value[1])

    def _refusal(self, value: float, told: str) -> str:
        span = f"{self.what} cannot be {told} {self.unit} ({self.low:g} to {self.high:g})"
        for name, factor in self.mistaken.items():
            if self.holds(value * factor):
                return f"{span}: {name}? give {value * factor:g} {self.unit}"
        return span


POSITION_ADVANCE: Final = (0.5, 2.0)
"""Of stated positions, from frame to frame, in steps."""

POSITION_DEPARTURE_UM: Final = 1000.0
"""Of a stated position from even steps."""

SIZE: Final = Limits("detector size", 1.0, 3000.0, "mm", MM)
TRANSLATION: Final = Limits("detector translation", 5.0, 5000.0, "mm", MM)
ROTATION: Final = Limits(
    "a rotation", 0.0, 2.0 * math.pi + 1e-6, "rad", {"degrees": math.pi / 180.0}
)
CENTRE: Final = Limits("the aperture's centre", 0.0, 60.0, "mm", MM)
DISTANCE: Final = Limits("dist", 0.02, 60.0, "mm", MM)
ANGLE: Final = Limits("an angle", 0.0, 360.0, "degrees")
SHIFT: Final = Limits("the aperture's shift", 0.0, 60.0, "mm", MM)
STEP: Final = Limits("step", 0.01, 100.0, "µm", UM, zero=True)
THICKNESS: Final = Limits("thickness", 0.05, 200.0, "µm", UM, zero=True)
BIT_WIDTH: Final = Limits("the width of a bit", 0.1, 1000.0, "µm", UM)
DEPTH_UM: Final = Limits("a depth", 0.0, 50_000.0, "µm", UM)
DEPTH_MM: Final = Limits("a depth", 0.0, 50.0, "mm", MM)
DEPTH_STEP_UM: Final = Limits("the step of depth", 0.01, 1000.0, "µm", UM)
DEPTH_STEP_MM: Final = Limits("the step of depth", 1e-5, 1.0, "mm", MM)
DENSITY: Final = Limits("density", 0.1, 25.0, "g/cm³", {"kg/m³": 1e-3})
ENERGY: Final = Limits("photon energy", 0.1, 300.0, "keV", {"eV": 1e-3})

MOST_DEPTHS: Final = 20_000
"""Depths of a result."""

MOST_FRAMES: Final = 10_000_000
"""Frames of a file or a folder, whose points lie one behind the other."""

MOST_USED: Final = 100_000
"""Frames of a point that are used."""

MOST_BITS: Final = 65_536
"""Bits of a code."""


def _above_the_beam(value: float) -> float:
    if value < 0:
        raise ValueError(
            f"dist is negative ({value:g}): the aperture stands above the beam, between sample "
            f"and detector; give {-value:g} if the sign was slipped"
        )
    return DISTANCE.check(value)


SizeMm = Annotated[tuple[float, float], AfterValidator(SIZE.check_pair)]
TranslationMm = Annotated[Vector, AfterValidator(TRANSLATION.check_vector)]
RotationRad = Annotated[Vector, AfterValidator(ROTATION.check_vector)]
CentreMm = Annotated[float, AfterValidator(CENTRE.check)]
DistanceMm = Annotated[float, AfterValidator(_above_the_beam)]
AngleDeg = Annotated[float, AfterValidator(ANGLE.check)]
ShiftMm = Annotated[float, AfterValidator(SHIFT.check)]
StepUm = Annotated[float, AfterValidator(STEP.check)]
DepthUm = Annotated[float, AfterValidator(DEPTH_UM.check)]
DepthStepUm = Annotated[float, AfterValidator(DEPTH_STEP_UM.check)]


def check_depths(start: float, stop: float, step: float) -> None:
    """Refuse depths that are none or too many to hold, given in one unit.

    Raises
    ------
    ValueError
        Says how many there are.
    """
    count = (stop - start) / step
    if round(count) < 1:
        raise ValueError("the last depth must lie at least one step beyond the first")
    if count > MOST_DEPTHS:
        raise ValueError(
            f"{count:.0f} depths are more than {MOST_DEPTHS}: widen the step or narrow the range"
        )
