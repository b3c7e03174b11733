"""How good a point's depths are, judged from what the decoder says of all its pixels.

The shares below are of *lit* pixels: those that hold coded light, whatever became of them. An
instrument that is described rightly decodes nearly all of them with residuals of about one. What
falls short of that is told; `diagnosis` then looks for the cause in some traces.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from lauedepth.core.decoding.pixels import PixelFlag, PixelStatus
from lauedepth.core.notices import Notice, warning

MINIMUM_LIT: Final = 20
"""Lit pixels below which shares tell nothing."""
MINIMUM_DECODED: Final = 0.75
"""Share of lit pixels that decode; good points with overlaps and faint pixels reach 0.9."""
MAXIMUM_RESIDUAL: Final = 2.0
"""Median chi-square per degree of freedom of decoded pixels."""
MINIMUM_RESIDUAL: Final = 0.8
"""The same: readings scatter less than photons do where they hold a pedestal or are averages."""
MAXIMUM_SECOND: Final = 0.4
"""Share of decoded pixels with a second depth: more means that a wrong model asks for them."""
MANY_SECOND: Final = 0.15
"""The same where fewer than `MOST_DECODED` decode at all: both together are no overlaps."""
MOST_DECODED: Final = 0.85
MAXIMUM_AT_END: Final = 0.25
"""Share of depths whose footprint is cut by an end of the depth range."""
MAXIMUM_AMBIGUOUS: Final = 0.2
MINIMUM_LIT_SHARE: Final = 0.002
"""Share of chosen pixels with coded light; noise alone gives one in ten thousand."""
MAXIMUM_INVALID: Final = 0.5
"""Share of chosen pixels without a measurement."""
RESIDUAL_STEPS: Final = np.geomspace(0.1, 1000.0, 401)
"""Bins in which residuals are counted, so that tallies of blocks add up: 2.3 % wide."""


class Rows(Protocol):
    """Rows of decoded pixels: those of a batch (`DecodedPixels`), or of a result's table."""

    @property
    def status(self) -> npt.NDArray[np.uint8]:
        """A `PixelStatus` each."""
        ...

    @property
    def flags(self) -> npt.NDArray[np.uint8]:
        """`PixelFlag` bits."""
        ...

    @property
    def residual(self) -> npt.NDArray[np.floating]:
        """Chi-square per degree of freedom."""
        ...


@dataclass(frozen=True)
class ResultRows:
    """Rows of a result's table, (n,) arrays as `Rows` describes them."""

    status: npt.NDArray[np.uint8]
    flags: npt.NDArray[np.uint8]
    residual: npt.NDArray[np.floating]


@dataclass(frozen=True)
class Tally:
    """Counts over decoded pixels; those of parts of a point add up.

    Attributes
    ----------
    statuses : (n_statuses,) int64 array
        Pixels of each `PixelStatus`.
    depths, second, at_end : int
        Rows with a depth, second depths, footprints at an end of the depth range.
    residuals : (n_bins + 1,) int64 array
        Decoded pixels by residual, in `RESIDUAL_STEPS`.
    """

    statuses: npt.NDArray[np.int64]
    depths: int
    second: int
    at_end: int
    residuals: npt.NDArray[np.int64]

    @classmethod
    def of(cls, rows: Rows) -> Tally:
        """Count the rows of a batch, or of a result."""
        first = rows.flags & PixelFlag.SECOND_DEPTH == 0
        found = rows.status == PixelStatus.DECODED
        bins = np.searchsorted(RESIDUAL_STEPS, rows.residual[first & found])
        return cls(
            statuses=np.bincount(rows.status[first], minlength=len(PixelStatus)),
            depths=int(found.sum()),
            second=int((found & ~first).sum()),
            at_end=int((found & (rows.flags & PixelFlag.AT_RANGE_END != 0)).sum()),
            residuals=np.bincount(bins, minlength=RESIDUAL_STEPS.size + 1),
        )

    @classmethod
    def nothing(cls) -> Tally:
        """Return the tally of no pixel."""
        statuses = np.zeros(len(PixelStatus), np.int64)
        return cls(statuses, 0, 0, 0, np.zeros(RESIDUAL_STEPS.size + 1, np.int64))

    @property
    def pixels(self) -> int:
        """How many pixels were counted."""
        return int(self.statuses.sum())

    def named(self) -> dict[str, int]:
        """Return pixels by the name of their status, in lower case; none that has none."""
        return {one.name.lower(): int(n) for one in PixelStatus if (n := self.statuses[one])}

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.statuses + other.statuses,
            self.depths + other.depths,
            self.second + other.second,
            self.at_end + other.at_end,
            self.residuals + other.residuals,
        )


@dataclass(frozen=True)
class Verdict:
    """What the pixels of a point say of its depths.

    Attributes
    ----------
    chosen, lit : int
        Pixels looked at, and those of them that hold coded light.
    decoded, ambiguous : float
        Shares of the lit pixels.
    second, at_end : float
        Shares of decoded pixels with a second depth, and of depths at an end of the range.
    residual : float
        Median chi-square per degree of freedom of decoded pixels, NaN where there is none.
    warnings : tuple of Notice
        What speaks against the depths.
    """

    chosen: int
    lit: int
    decoded: float
    ambiguous: float
    second: float
    at_end: float
    residual: float
    warnings: tuple[Notice, ...]

    def as_dict(self) -> dict[str, float | None]:
        """Return the numbers, for JSON and for the result file; None for what is not known."""
        numbers = {name: value for name, value in vars(self).items() if name != "warnings"}
        return {name: None if math.isnan(value) else value for name, value in numbers.items()}

    def __str__(self) -> str:
        if not self.chosen:
            return "no pixel to judge by"
        if not self.lit:
            return f"none of {self.chosen} pixels holds coded light"
        parts = [f"{self.decoded:.0%} of {self.lit} lit pixels decoded"]
        if not math.isnan(self.residual):
            parts.append(f"residual {self.residual:.2f}")
        for name, share in (("second depth", self.second), ("cut by the depth range", self.at_end)):
            if share >= 0.005:
                parts.append(f"{share:.0%} {name}")
        if self.ambiguous >= 0.005:
            parts.append(f"{self.ambiguous:.0%} ambiguous")
        return ", ".join(parts)


def judge(tally: Tally) -> Verdict:
    """Return the verdict on the pixels of a point."""
    statuses = tally.statuses
    dark = int(statuses[PixelStatus.DARK])
    chosen = int(statuses.sum() - statuses[PixelStatus.INVALID] - statuses[PixelStatus.PENDING])
    found = int(statuses[PixelStatus.DECODED])
    lit = chosen - dark
    shares = {
        "decoded": found / max(lit, 1),
        "ambiguous": int(statuses[PixelStatus.AMBIGUOUS]) / max(lit, 1),
        "second": tally.second / max(found, 1),
        "at_end": tally.at_end / max(tally.depths, 1),
    }
    residual = _median_residual(tally)
    warnings = (
        *_invalid_warnings(tally.pixels, int(statuses[PixelStatus.INVALID])),
        *_dark_warnings(chosen, lit),
        *_lit_warnings(lit, int(statuses[PixelStatus.OUTSIDE]), shares),
        *(_decoded_warnings(shares, residual) if found >= MINIMUM_LIT else ()),
    )
    return Verdict(chosen, lit, residual=residual, warnings=warnings, **shares)


def _median_residual(tally: Tally) -> float:
    counted = np.cumsum(tally.residuals)
    if not counted[-1]:
        return float("nan")
    middle = int(np.searchsorted(counted, (counted[-1] + 1) // 2))
    return float(RESIDUAL_STEPS[min(middle, RESIDUAL_STEPS.size - 1)])


def _invalid_warnings(pixels: int, invalid: int) -> list[Notice]:
    """Return what pixels tell that hold no measurement."""
    if pixels < MINIMUM_LIT or invalid <= MAXIMUM_INVALID * pixels:
        return []
    return [
        warning(
            "pixels-without-measurement",
            f"{invalid / pixels:.0%} of {pixels} chosen pixels hold no measurement: readings are "
            "saturated, negative or NaN, or too few frames are usable",
            remedy="use at least 32 frames of which half are usable; see which frames are lost",
        )
    ]


def _dark_warnings(chosen: int, lit: int) -> list[Notice]:
    """Return what pixels without coded light tell."""
    if (lit and (chosen < MINIMUM_LIT or lit >= MINIMUM_LIT_SHARE * chosen)) or not chosen:
        return []
    return [
        warning(
            "no-coded-light",
            f"{'none' if not lit else f'only {lit}'} of {chosen} chosen pixels holds coded light",
            remedy="if the sample was lit, selection.min_mean_counts is below the background, the "
            "aperture was not in the path of the light, or readings are no counts",
        )
    ]


def _lit_warnings(lit: int, outside: int, shares: dict[str, float]) -> list[Notice]:
    """Return what lit pixels without a depth tell."""
    if lit < MINIMUM_LIT:
        return []
    found = []
    if outside > (1 - MINIMUM_DECODED) * lit:
        found.append(
            warning(
                "rays-miss-aperture",
                f"the rays of {outside / lit:.0%} of the lit pixels pass beside the aperture",
                remedy="see that pose, shift, detector and region are those of this scan",
            )
        )
    elif shares["decoded"] < MINIMUM_DECODED:
        found.append(
            warning(
                "few-pixels-decoded",
                f"only {shares['decoded']:.0%} of {lit} lit pixels have a depth",
                remedy="the instrument is not as the experiment describes it, or light comes "
                "from outside the depth range",
            )
        )
    if shares["ambiguous"] > MAXIMUM_AMBIGUOUS:
        found.append(
            warning(
                "ambiguous-pixels",
                f"several places on the code explain {shares['ambiguous']:.0%} of the lit pixels",
                remedy="use a longer scan or a narrower depth range",
            )
        )
    return found


def _decoded_warnings(shares: dict[str, float], residual: float) -> list[Notice]:
    """Return what decoded pixels tell."""
    found = []
    if residual > MAXIMUM_RESIDUAL:
        found.append(
            warning(
                "large-residuals",
                f"fits leave {residual:.1f} times the variance of counting noise",
                remedy="step, bar widths, beam or detector gain differ from what the "
                "experiment says; where the instrument was learnt (instrument: {learn: auto}), "
                "look at gain, code and pose",
            )
        )
    if residual < MINIMUM_RESIDUAL:
        found.append(
            warning(
                "small-residuals",
                f"fits leave {residual:.1f} times the variance of counting noise: readings are no "
                "plain counts of photons",
                remedy="give detector.offset and detector.counts_per_photon; faint pixels are "
                "lost, and errors too large, without",
            )
        )
    many = MAXIMUM_SECOND if shares["decoded"] > MOST_DECODED else MANY_SECOND
    if shares["second"] > many:
        found.append(
            warning(
                "many-second-depths",
                f"{shares['second']:.0%} of the decoded pixels ask for a second depth, more "
                "than grains overlap",
                remedy="step, bar widths or beam differ from what the experiment says; "
                "where it was learnt (instrument: {learn: auto}), look at code and pose",
            )
        )
    if shares["at_end"] > MAXIMUM_AT_END:
        found.append(
            warning(
                "light-at-range-end",
                f"the depth range cuts {shares['at_end']:.0%} of the footprints",
                remedy="widen depths.start_um and depths.stop_um",
            )
        )
    return found
