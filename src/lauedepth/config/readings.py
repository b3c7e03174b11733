"""What a detector's readings are, and which images correct them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field

from lauedepth.config.named_files import find_file
from lauedepth.config.section import Section
from lauedepth.core.errors import ConfigurationError

_FILES = ("mask", "dark", "flat")


class DetectorReadings(Section):
    """From readings to counts: (reading - offset - dark) / (counts_per_photon * flat)."""

    counts_per_photon: Annotated[float, Field(gt=0, le=1e6)] = 1.0
    """Reading per photon of an integrating detector; counts everywhere else are photons."""
    offset: Annotated[float, Field(ge=-1e6, le=1e6)] = 0.0
    """Reading without light, the same in all pixels."""
    saturation_counts: Annotated[float, Field(gt=0)] | None = None
    """Reading from which on a pixel is full; the most its number type holds by default."""
    mask: str | None = None
    """Image of the detector, not zero where a pixel is no good; .npy or what fabio reads."""
    dark: str | None = None
    """Image without light, beside the offset; .npy or what fabio reads."""
    flat: str | None = None
    """Image of even light, for what each pixel reads of a photon; .npy or what fabio reads."""

    def located(self, folder: Path) -> Self:
        """Return the same with whole paths to its images.

        Raises
        ------
        ConfigurationError
            One is not there; names the places looked at.
        """
        found: dict[str, str] = {}
        for key in _FILES:
            given = getattr(self, key)
            if given is None:
                continue
            lookup = find_file(given, folder)
            if lookup.found is None:
                raise ConfigurationError(
                    f"there is no such file: {lookup.told}", f"detector.{key}", "check the path"
                )
            found[key] = str(lookup.found.resolve())
        return self.model_copy(update=found) if found else self
