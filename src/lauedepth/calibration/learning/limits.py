"""The numbers by which an instrument is learnt."""

from __future__ import annotations

from typing import Final

SUB_BOXES: Final = 4
"""Equal parts of a footprint, each of its own intensity. One box for a footprint that leans to a
side is taken for wider and thicker bars (0.1 to 0.5 µm, 12 %), on a perfect instrument."""

NARROWEST_UM: Final = 0.4
"""Narrowest footprint that is fitted."""

WIDEST_UM: Final = 80.0
"""Widest footprint that is fitted."""

ABSORPTION_RANGE: Final = (0.02, 12.0)
"""Least and greatest absorption through a whole bar."""

SHAPE_SPREAD: Final = 1.0
"""How far the sub-boxes' intensities spread about their mean, relative (standard deviation)."""

HUBER: Final = 4.0
"""Residuals beyond this many standard deviations count by their size, not by its square."""

LOCAL_ROUNDS: Final = 30
"""Most rounds of Fisher scoring for one pixel."""

CONVERGED: Final = 0.01
"""Gain in chi-square below which a pixel's fit stops."""

ROUNDS: Final = 4
"""Most rounds over all pixels."""

SETTLED: Final = 0.1
"""Largest change of the instrument, in its own standard errors (rms), that ends the rounds."""

POSITION_SCALE_UM: Final = 1.0
BEAM_SCALE: Final = 0.3
EDGE_SCALE_UM: Final = 0.3
WIDENING_SCALE_UM: Final = 1.0
THICKNESS_SCALE: Final = 0.2
STEP_SCALE: Final = 0.01
"""How far each part of an instrument departs before anything is known (standard deviations)."""

SIGNIFICANT: Final = 2.0
"""A part whose spread stands out by fewer standard errors is taken to be as designed."""

WIDENING_FLOOR_UM: Final = 0.05
THICKNESS_FLOOR: Final = 0.01
"""Systematic errors of widening and thickness: what footprints of other shapes than four even
sub-boxes, and spectra of other shapes than even, are taken for on a perfect instrument."""

NOTHING: Final = 1e-3
"""What the scale of such a part shrinks to, relative."""

EVIDENCE_ROUNDS: Final = 3
"""How often the scales are set anew after a step."""

HELD: Final = 1e-4
"""How closely means that the data cannot tell are held at zero."""

WORST: Final = 2.0
"""Pixels that misfit by more than this, relative to the median, are left out."""

SPREAD_OF_MISFITS: Final = 5.0
"""The same in robust standard deviations of the pixels' misfits: both must be exceeded."""

LAST_ROUNDS: Final = 2
"""Most rounds over all pixels when those that were held out have judged."""

KNOWN_ROUNDS: Final = 2
"""Most rounds where the aperture is known from other points."""

CONTRADICTED: Final = 1.1
"""Misfit of pixels held out from which on a known aperture is doubted, and learnt anew."""

LESS_MISFIT: Final = 0.95
"""What part of that misfit an aperture learnt anew may leave at most, to be taken instead."""

GAIN: Final = 3.0
"""Least gain on pixels held out, in its standard errors, for an instrument to be accepted."""

CODE_PLACES: Final = 24
"""Most places along the code for which the errors are told that an instrument adds to depths."""

MISFIT_PIXELS: Final = 10
"""Neighbours along the code that tell together what the instrument leaves over there."""

FEWEST_PIXELS: Final = 30
"""Fewest pixels from which to learn."""

FEWEST_SPOTS: Final = 3
FEWEST_EDGES: Final = 0.6
LARGE_POSITION_UM: Final = 1.0
LARGE_EDGE_UM: Final = 0.5
LARGE_WIDENING_UM: Final = 0.5
LARGE_STEP: Final = 1e-3
FEW_PHOTONS_UM: Final = 0.3
"""Beyond these, or below, the report warns."""

SPOT_MM: Final = 4.0
"""Pixels of one spot lie as close to each other as this."""
