"""The section of an experiment file that says whether the instrument is learnt from the scan."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from lauedepth.config import limits
from lauedepth.config.named_files import find_file
from lauedepth.config.section import Section
from lauedepth.core.errors import ConfigurationError

EnergyKev = Annotated[float, Field(gt=0), AfterValidator(limits.ENERGY.check)]


class Instrument(Section):
    """Bars, motion and beam as they are, learnt from the point's own pixels."""

    learn: Literal["auto", "off"] = "auto"
    """auto: learn, and use it where pixels that were held out fit significantly better."""
    file: Annotated[str, Field(pattern=r"\.(h5|hdf5|hdf|nxs)$")] | None = None
    """What other points told of the aperture (`lauedepth learn`); then each point learns motion
    and beam anew, and what it tells of the bars is added to it."""
    spectrum_kev: tuple[EnergyKev, EnergyKev] = (7.0, 25.0)
    """Range of the beam's spectrum, lowest and highest energy."""

    def located(self, folder: Path) -> Instrument:
        """Return this section with where its file is, if it names one.

        Raises
        ------
        ConfigurationError
            There is no such file.
        """
        if self.file is None:
            return self
        lookup = find_file(self.file, folder)
        if lookup.found is None:
            raise ConfigurationError(
                f"there is no such file: {lookup.told}",
                "instrument.file",
                "write it with `lauedepth learn`, or remove the key",
            )
        return self.model_copy(update={"file": str(lookup.found.resolve())})

    @model_validator(mode="before")
    @classmethod
    def _false_is_off(cls, data: Any) -> Any:
        """Take false for off: other programs that rewrite the file read ``off`` as false."""
        if isinstance(data, dict) and data.get("learn") is False:
            return {**data, "learn": "off"}
        return data
