"""What points that were learnt from tell of the aperture that they share."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from lauedepth.core.arrays import Floats
from lauedepth.core.instrument.experiment import Aperture


@dataclass(frozen=True)
class KnownAperture:
    """What points told of an aperture; it adds up from point to point.

    The unknowns are the offset of each edge along the code (µm), the common widening (µm) and
    the logarithm of the factor on the thickness, n in all.

    Attributes
    ----------
    design : str
        The aperture as designed (`design_of`): what the unknowns depart from.
    opaque : bool
        Bars were taken to stop everything.
    points : tuple of str
        From which it was learnt, in order.
    matrix : (n, n) array
        Fisher information of the unknowns, all that differs between points left out.
    target : (n,) array
        It times the unknowns that the points would tell alone.
    """

    design: str
    opaque: bool
    points: tuple[str, ...]
    matrix: Floats
    target: Floats


def design_of(aperture: Aperture) -> str:
    """Return an aperture as text, the same for the same design."""
    return json.dumps(asdict(aperture), sort_keys=True)
