"""The section of an experiment file that says how pixels are decoded."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from lauedepth.config import limits
from lauedepth.config.section import Section
from lauedepth.core.decoding.pixels import DecodeOptions, EnergySearch, PublishedNumbers

MOST_SAMPLES: Final = 4_096
"""Samples of a signal: each is an unknown of a dense system."""

EnergyKev = Annotated[float, Field(gt=0), AfterValidator(limits.ENERGY.check)]


class Energy(Section):
    """The search for photon energies."""

    start_kev: EnergyKev = 5.0
    """Lowest energy tried."""
    stop_kev: EnergyKev = 30.0
    """Highest energy tried."""

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if self.stop_kev <= self.start_kev:
            raise ValueError("stop_kev must be greater than start_kev")
        return self

    def to_core(self) -> EnergySearch:
        """Return the search."""
        return EnergySearch(self.start_kev, self.stop_kev)


class PublishedMethod(Section):
    """The numbers of the published method, under the published program's meanings."""

    resolution_um: Annotated[float, Field(gt=0.01, le=10.0)] = 0.5
    """Spacing of the code's samples (`resolution`)."""
    pad_um: Annotated[float, Field(ge=0, le=10_000.0)] = 300.0
    """Open stretch added before and after the code (`pad`)."""
    signal_um: Annotated[float, Field(gt=0, le=2_000.0)] = 64.0
    """Length of code over which a signal is recovered (`maxsize`)."""
    nominal_um: Annotated[float, Field(gt=0, le=2_000.0)] = 10.0
    """Stretch of depth that the search takes to be lit (`avgsize`)."""
    spline_order: Annotated[int, Field(ge=0, le=20)] = 5
    """Degree of the splines that a signal is made of (`order`)."""
    knot_spacing: Annotated[int, Field(ge=1, le=1_000)] = 1
    """Samples of the code from one knot of the splines to the next (`scale`)."""
    regularisation: Annotated[float, Field(ge=0)] = 0.0
    """Weight of the squared position in the search's sum of differences (`regpar`)."""

    @model_validator(mode="after")
    def _splines_fit(self) -> Self:
        numbers = self.to_core()
        if numbers.signal_samples > MOST_SAMPLES:
            raise ValueError(
                f"signal_um and resolution_um make a signal of {numbers.signal_samples} samples, "
                f"more than {MOST_SAMPLES}"
            )
        if numbers.spline_count < 1:
            raise ValueError(
                f"a signal of {numbers.signal_samples} samples holds no spline of order "
                f"{self.spline_order} with knots {self.knot_spacing} samples apart"
            )
        return self

    def to_core(self) -> PublishedNumbers:
        """Return the numbers."""
        return PublishedNumbers(**self.model_dump())


class Decode(Section):
    """How pixels are decoded."""

    method: Literal["footprint", "published"] = "footprint"
    """Solve for the footprint in depth, or the published program's own way."""
    background_counts: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """Counts per frame that do not pass the aperture; measured between lit pixels by default."""
    energy: Energy | None = None
    """Search for photon energies; leave out for none."""
    difference: Literal["squared", "absolute"] = "squared"
    """What the published method's search averages."""
    published: PublishedMethod = PublishedMethod()
    """Numbers of the published method; the footprint method knows none of them."""

    def to_core(self) -> DecodeOptions:
        """Return the decoder's options."""
        energy = None if self.energy is None else self.energy.to_core()
        return DecodeOptions(
            method=self.method,
            energy=energy,
            difference=self.difference,
            published=self.published.to_core(),
        )
