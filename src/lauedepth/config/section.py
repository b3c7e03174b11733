"""What every section of a configuration is."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[float, Field(gt=0)]


class Section(BaseModel):
    """A part of a configuration: no unknown keys, no change, no infinities."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    @model_validator(mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, data: Any) -> Any:
        """Refuse true and false where a number is wanted: they would pass for 1 and 0."""
        if isinstance(data, dict):
            for name, value in data.items():
                known = cls.model_fields.get(name)
                if known and _holds_truth(value) and not _takes_truth(known.annotation):
                    raise ValueError(f"{name}: {value} holds true or false, which are no numbers")
        return data


def _holds_truth(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(isinstance(item, bool) for item in value)
    return isinstance(value, bool)


def _takes_truth(annotation: Any) -> bool:
    if annotation is Any:
        return True
    return (
        annotation is bool
        or isinstance(annotation, bool)
        or any(_takes_truth(part) for part in get_args(annotation))
    )
