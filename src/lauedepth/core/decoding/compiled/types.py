"""The arrays that compiled functions hand to each other, and what their entries are."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy.typing as npt

from lauedepth.core.decoding.pixels import PixelStatus

Array = npt.NDArray[Any]

Line = tuple[float, float]
"""A ray along the code: u = a + b k."""

Size = tuple[int, int, int]
"""Of a search: frames per step, candidates, steps in the trace."""

PENDING = int(PixelStatus.PENDING)
DECODED = int(PixelStatus.DECODED)
DARK = int(PixelStatus.DARK)
NO_MATCH = int(PixelStatus.NO_MATCH)
AMBIGUOUS = int(PixelStatus.AMBIGUOUS)
INVALID = int(PixelStatus.INVALID)
OUTSIDE_CODE = int(PixelStatus.OUTSIDE)

MOST_PARAMETERS = 8
"""Two boxes, a background and an absorption."""

BOX = 3
"""Parameters of each box. They come first in `Fit.theta`: box i begins at BOX * i."""

CENTRE, WIDTH, INTENSITY = range(3)
"""Parameters of a box, in order."""

BACKGROUND, LOG_ABSORPTION = range(2)
"""Parameters that follow the boxes: BOX * boxes + BACKGROUND and BOX * boxes + LOG_ABSORPTION."""

CHI_SQUARE, FREEDOM, BOXES, CENTROID_VARIANCE, NARROWING = range(5)
"""Entries of `Fit.state`."""

STATES = 5
"""How many there are."""

BEGIN, END, CENTROID, VARIANCE, TOTAL = range(5)
"""Entries of a source: a stretch of depth in µm, its centroid, that one's variance, its light."""

SOURCE = 5
"""How many there are."""

FIRST, COUNT = range(2)
"""Entries of a support: its first footprint bin and number of bins."""

CANDIDATE, EXTENT, SCORE = range(3)
"""Entries of a place that the search found: which candidate, its extent in steps, its score."""

START, STEP = range(2)
"""Entries of `Space.line`: the first candidate's position, and the step to the next."""


class Fit(NamedTuple):
    """A box fit: parameters, their variances, expected trace.

    `theta` holds centre, width and intensity of each box, then the background and the logarithm
    of the absorption; `state` chi-square, degrees of freedom, the number of boxes, the
    variance of the centroid of all boxes, and `centroid.log_narrowing`.
    """

    theta: Array
    variance: Array
    expected: Array
    state: Array
