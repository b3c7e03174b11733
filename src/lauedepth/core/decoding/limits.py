"""The numbers by which decoders judge, one set for all of them."""

from __future__ import annotations

from typing import Final

DETECTION: Final = 28.0
"""Minimum gain in chi-square for coded light to count as seen. A dark pixel offers several
hundred independent places on the code, each a one-sided normal deviate: 5.3 standard errors
leave fewer than one false depth in ten thousand dark pixels."""

EXPLAINED: Final = 0.8
"""Minimum fraction of a trace's excess variance that a match must explain."""

DISTINCT: Final = 9.0
"""Minimum gain in chi-square of the best position over another one on the code."""

LEAST_FRAMES: Final = 32
"""Minimum number of usable frames."""

LEAST_USABLE: Final = 0.5
"""Minimum fraction of the frames that must be usable."""

SATURATED: Final = 65535
"""Reading at which the detector's 16-bit counter stops."""

SEARCH_SPACING_UM: Final = 2.0
"""Frames closer than this along the code are summed for the search: well below the
narrowest bar, and within the reach of the fit that follows."""

MAXIMUM_POSITION_UM: Final = 2.5e4
"""Farthest from the code's first bit that a ray may lie: a quarter of what the open code reaches
in the decoders' tables, so that a search never leaves them."""

MINIMUM_TRAVEL_UM: Final = 4 * SEARCH_SPACING_UM
"""Minimum motion of a ray along the code over all frames: about a bar."""

LEAST_EDGES: Final = 2
"""Fewest edges of bars that a ray must cross. One alone may be any step of the intensity, and
where it lies depends on how much light the bars let through, which it does not tell."""

SEARCH_WIDTHS: Final = (1, 3, 5, 7, 9, 13, 19, 31)
"""Extents of the source tried in the search, in search steps (odd numbers)."""

CANDIDATES: Final = 3
"""Places on the code that are fitted for each pixel."""

CANDIDATE_SCORE: Final = 0.7
"""Minimum search score of a further place, as a fraction of the best."""

LEAST_WIDTH_UM: Final = 0.2
"""Narrowest source the box fit distinguishes from a point."""

FIT_ROUNDS: Final = 12
"""Maximum number of rounds of Fisher scoring in a box fit."""

SECOND_INTENSITY: Final = 0.02
"""Minimum intensity of a second depth, as a fraction of the first."""

LEAST_GAP_UM: Final = 1.5
"""Boxes closer than this are one footprint with a shape of its own, not two depths."""

FOOTPRINT_BIN_UM: Final = 1.0
"""Finest footprint bins; finer depth grids share them."""

EDGE_INTENSITY: Final = 0.05
"""A footprint whose outermost bin holds more than this part of its peak is widened."""

WIDENINGS: Final = 3
"""How often a footprint's support may be widened."""

MARGIN_UM: Final = 2.0
"""Minimum margin of footprint bins beyond the fitted box."""

MARGIN_PART: Final = 0.2
"""The same as a fraction of the box's width."""

MISFIT: Final = 5.0
"""Chi-square above its expectation by this many of its standard deviations is a misfit."""

ABSORPTION_RANGE: Final = (0.05, 10.0)
"""Minimum and maximum absorption through a whole bar."""

ABSORPTION_START: Final = 2.0
"""Where the fit of the absorption begins."""

WANDER_INSIDE: Final = 0.35
"""How far a footprint wanders from its box over a micron, as a part of the box's height: halves
then differ by a third of their light, as those of an exponential over its own length do."""

WANDER_AT_ENDS: Final = 0.7
"""The same across an end of the box."""

WANDER_OUTSIDE: Final = 0.1
"""The same over a micron outside of it."""

BOX_KNOWN: Final = (0.5, 1.0, 0.5)
"""How well centre and width of a box, in µm, and its intensity, as a part of itself, count as
known before the counts are seen, where even light is weighed against any shape."""

REACH_UM: Final = 4.0
"""How far, beyond its width, a box may move from where the search found it."""

DAMPING_START: Final = 1e-3
"""Damping with which a box fit begins, as a part of the Fisher matrix's diagonal."""

DAMPING_RETRY: Final = 1e-2
"""Minimum damping after a step that did not help."""

CONVERGED: Final = 1e-3
"""A box fit ends where a step promises less than this in chi-square."""

LOG_STEP: Final = 1e-3
"""Step of the logarithm of the absorption from which derivatives by it are taken."""

TINY: Final = 1e-9
"""Added to the Fisher matrix's diagonal, so that it can be inverted."""
