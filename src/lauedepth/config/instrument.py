"""The section of an experiment file that says whether the instrument is learnt from the scan."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from lauedepth.config import limits
from lauedepth.config.section import Section

EnergyKev = Annotated[float, Field(gt=0), AfterValidator(limits.ENERGY.check)]


class Instrument(Section):
    """Bars, motion and beam as they are, learnt from the point's own pixels."""

    learn: Literal["auto", "off"] = "off"
    """auto: learn, and use it where pixels that were held out fit significantly better."""
    spectrum_kev: tuple[EnergyKev, EnergyKev] = (7.0, 25.0)
    """Range of the beam's spectrum, lowest and highest energy."""

    @model_validator(mode="before")
    @classmethod
    def _false_is_off(cls, data: Any) -> Any:
        """Take false for off: other programs that rewrite the file read ``off`` as false."""
        if isinstance(data, dict) and data.get("learn") is False:
            return {**data, "learn": "off"}
        return data
