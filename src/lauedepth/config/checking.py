"""Turn what a configuration file says into a checked model, and failures into one line."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from lauedepth.core.errors import ConfigurationError

Model = TypeVar("Model", bound=BaseModel)
Location = tuple[int | str, ...]

_SHOWN = 3
_LONGEST = 60


def validated(model: type[Model], data: Any, source: Path | str) -> Model:
    """Check data against a model.

    Parameters
    ----------
    model : type of pydantic model
    data : mapping
        What a file held.
    source : Path or str
        The file, named in errors.

    Raises
    ------
    ConfigurationError
        Names the file, the path of the key and, for an unknown key, the nearest valid one.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        details = sorted(error.errors(), key=lambda item: item["type"] != "extra_forbidden")
        told = list(dict.fromkeys(_tell(model, data, item) for item in details))
        more = f"; and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
        raise ConfigurationError("; ".join(told[:_SHOWN]) + more, str(source)) from error


def _tell(model: type[BaseModel], data: Any, detail: ErrorDetails) -> str:
    location = _plain_location(data, detail["loc"])
    key = ".".join(str(part) for part in location) or "the whole file"
    if detail["type"] == "extra_forbidden":
        return f"unknown key '{key}'{_suggestion(model, location)}"
    if detail["type"] == "missing":
        return f"key '{key}' is missing"
    message = detail["msg"].removeprefix("Value error, ")
    value = detail["input"]
    given = f" (given: {_short(value)})" if isinstance(value, str | int | float) else ""
    return f"{key}: {message}{given}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _plain_location(data: Any, location: Location) -> Location:
    """Leave out what pydantic adds to a location (the tag of a union's member)."""
    kept: list[int | str] = []
    for position, part in enumerate(location):
        inside = isinstance(data, dict) and part in data
        indexed = isinstance(data, list | tuple) and isinstance(part, int) and part < len(data)
        if inside or indexed:
            data = data[part]
            kept.append(part)
        elif position == len(location) - 1 and isinstance(data, dict) and _is_key(part):
            kept.append(part)
    return tuple(kept)


def _is_key(part: int | str) -> bool:
    """Return whether a part of a location is a key, not the name of a union's member."""
    return isinstance(part, str) and part.isidentifier()


def _suggestion(model: type[BaseModel], location: Location) -> str:
    valid = list(dict.fromkeys(_keys_at(model, location[:-1])))
    near = difflib.get_close_matches(str(location[-1]), valid, n=1, cutoff=0.4)
    if near:
        return f", did you mean '{near[0]}'?"
    return f" (valid here: {', '.join(valid)})"


def _keys_at(model: type[BaseModel], location: Location) -> Iterator[str]:
    if not location:
        yield from model.model_fields
        return
    field = model.model_fields.get(str(location[0]))
    if field is not None:
        for inner in _models_in(field.annotation):
            yield from _keys_at(inner, location[1:])


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
