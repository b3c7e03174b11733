"""YAML as people read it: no octal or sexagesimal numbers, no key twice.

YAML 1.1, which PyYAML speaks, reads ``010`` as 8, ``1:30`` as 90, ``yes`` as true and ``1e3``
as text. Here ``1e3`` is 1000, only ``true`` and ``false`` are truth values, a number with
leading zeros is refused, and anything else is text.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any, Final

import yaml

from lauedepth.core.errors import ConfigurationError
from lauedepth.core.files import read_file

_LEADING_ZEROS: Final = "!leading-zeros"
_MERGE: Final = "tag:yaml.org,2002:merge"
_MOST_BYTES: Final = 4 * 2**20
_SHOWN: Final = 40

# (tag, pattern, first characters); of several that match the first one holds.
_SCALARS: Final = (
    ("tag:yaml.org,2002:null", r"(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:bool", r"(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    (_LEADING_ZEROS, r"[-+]?0[0-9_]+$", list("-+0")),
    ("tag:yaml.org,2002:int", r"[-+]?[0-9]+$", list("-+0123456789")),
    (
        "tag:yaml.org,2002:float",
        r"(?:[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan)$",
        list("-+0123456789."),
    ),
    (_MERGE, r"<<$", ["<"]),
)


class _Loader(yaml.SafeLoader):
    """A safe loader of numbers as people read them, which refuses a key written twice."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - as the base class declares it

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == _MERGE:
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.constructor.ConstructorError(
                    None, None, "a key is a list or a mapping, not a name", key_node.start_mark
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key '{key}' is written twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            # a tag that the value does not fit: PyYAML fails on it in any way
            kind, shown = node.tag.rpartition(":")[2], str(node.value)[:_SHOWN]
            raise yaml.constructor.ConstructorError(
                None, None, f"{shown!r} cannot be read as {kind}", node.start_mark
            ) from error

    def refuse_leading_zeros(self, node: yaml.ScalarNode) -> None:
        """Refuse a number that is octal to some programs and decimal to others."""
        raise yaml.constructor.ConstructorError(
            None,
            None,
            f"{node.value} is octal to some programs and decimal to others: write it without "
            "leading zeros, or in quotes where it is text",
            node.start_mark,
        )


class _Dumper(yaml.SafeDumper):
    """Writes what `_Loader` reads back: text that looks like a number is quoted."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - as the base class declares it


for _reader in (_Loader, _Dumper):
    for _tag, _pattern, _first in _SCALARS:
        _reader.add_implicit_resolver(_tag, re.compile(_pattern), _first)
_Loader.add_constructor(_LEADING_ZEROS, _Loader.refuse_leading_zeros)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds a mapping.

    Raises
    ------
    ConfigurationError
        The file cannot be read, is not YAML, or is not a mapping.
    """
    try:
        text = read_file(path, _MOST_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a UTF-8 text file"
        raise ConfigurationError(
            f"cannot be read: {reason}", str(path), "give an experiment file in YAML"
        ) from error
    try:
        data = yaml.load(text, Loader=_Loader)  # a subclass of SafeLoader
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" (line {mark.line + 1})" if mark else ""
        deep = "nested too deeply" if isinstance(error, RecursionError) else "cannot be parsed"
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or deep
        raise ConfigurationError(f"not valid YAML: {problem}{line}", str(path)) from error
    if not isinstance(data, dict):
        raise ConfigurationError(
            "holds no mapping of keys to values", str(path), "see docs/file-formats.md"
        )
    return data


def write_yaml(data: dict[str, Any]) -> str:
    """Return a mapping as YAML text that `read_yaml` reads back unchanged."""
    return yaml.dump(
        data,
        Dumper=_Dumper,
        sort_keys=False,
        default_flow_style=None,
        width=96,
        allow_unicode=True,
    )
