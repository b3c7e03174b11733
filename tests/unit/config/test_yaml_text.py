"""YAML as people read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauedepth.config.yaml_text import read_yaml, write_yaml
from lauedepth.core.errors import ConfigurationError


def value_of(folder: Path, text: str) -> Any:
    path = folder / "a.yml"
    path.write_text(f"key: {text}\n", encoding="utf-8")
    return read_yaml(path)["key"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e3", 1000.0),
        ("1.5E-3", 0.0015),
        ("-.5", -0.5),
        ("5.", 5.0),
        ("+7", 7),
        ("0", 0),
        ("0.5", 0.5),
        ("yes", "yes"),
        ("off", "off"),
        ("true", True),
        ("False", False),
        ("1:30", "1:30"),
        ("190:20:30.15", "190:20:30.15"),
        ("0x1F", "0x1F"),
        ("0o17", "0o17"),
        ("0b11", "0b11"),
        ("1_000", "1_000"),
        ("2023-06-01", "2023-06-01"),
        ("1,5", "1,5"),
        ("~", None),
        ("'010'", "010"),
    ],
)
def test_scalars_mean_what_a_person_reads(tmp_path: Path, text: str, value: object) -> None:
    found = value_of(tmp_path, text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", ["010", "-07", "00", "[1, 0777]", "08"])
def test_leading_zeros_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"leading zeros.*\(line 1\)"):
        value_of(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{a: 1, a: 2}", "key 'a' is written twice"),
        ("{[1]: 1}", "a key is a list"),
        ("[" * 5000, "not valid YAML"),
        ("!!python/object:os.system {}", "not valid YAML"),
        ("&a [*b]", "not valid YAML"),
    ],
)
def test_what_is_no_plain_yaml_is_one_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        value_of(tmp_path, text)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_keys_can_be_merged_in(tmp_path: Path) -> None:
    path = tmp_path / "a.yml"
    path.write_text("a: &a {b: 1, c: 2}\nd: {<<: *a, c: 3}\n")
    assert read_yaml(path)["d"] == {"b": 1, "c": 3}


def test_a_file_too_large_is_not_parsed(tmp_path: Path) -> None:
    path = tmp_path / "a.yml"
    path.write_bytes(b"a" * (5 * 2**20))
    with pytest.raises(ConfigurationError, match="larger than 4 MiB"):
        read_yaml(path)


def test_a_byte_order_mark_is_no_part_of_a_key(tmp_path: Path) -> None:
    path = tmp_path / "a.yml"
    path.write_bytes(b"\xef\xbb\xbfkey: 1\n")
    assert read_yaml(path) == {"key": 1}


# YAML itself loses line ends within a line
words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp", "Cs"]))
plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | words


@given(st.dictionaries(words, plain | st.lists(plain), max_size=8))
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, data: dict[str, Any]
) -> None:
    path = tmp_path_factory.getbasetemp() / "round.yml"
    path.write_text(write_yaml(data), encoding="utf-8")
    assert read_yaml(path) == data


@pytest.mark.parametrize("text", ["1e3", "010", "1:30", "yes", "true", "0x1F", "~", "", "1_0"])
def test_text_that_looks_like_a_number_stays_text(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.yml"
    path.write_text(write_yaml({"name": text}))
    assert read_yaml(path) == {"name": text}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("!!timestamp soon", "'soon' cannot be read as timestamp (line 1)"),
        (
            "2024-01-01\nb: !!timestamp 2024-13-45",
            "'2024-13-45' cannot be read as timestamp (line 2)",
        ),
        ("!!bool maybe", "'maybe' cannot be read as bool (line 1)"),
        ("!!int ''", "'' cannot be read as int (line 1)"),
        ("!!float ''", "'' cannot be read as float (line 1)"),
        ("9" * 6000, f"'{'9' * 40}' cannot be read as int (line 1)"),
        ("!!binary '%%%'\n!!python/object/apply:os.system [ls]: 1", "python/object"),
        ("{[1, 2]: 3}", "a key is a list or a mapping"),
        ("[" * 5000 + "]" * 5000, "nested too deeply"),
        ("\0", "special characters are not allowed"),
    ],
)
def test_a_value_unlike_its_tag_is_told_in_a_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        value_of(tmp_path, text)
    assert "not valid YAML: " in str(raised.value)
    assert told in str(raised.value)
