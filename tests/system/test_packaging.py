"""What the project says of itself in several places is the same everywhere."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

import lauedepth
from lauedepth.cli.app import EXTRAS

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
CITATION: dict[str, Any] = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))


def names(requirements: list[str]) -> set[str]:
    """Return the packages that requirements name, spelled as package indexes do."""
    found = (re.match(r"[\w.-]+", one) for one in requirements)
    return {re.sub(r"[-_.]+", "-", one[0]).lower() for one in found if one}


def test_the_citation_is_of_this_version() -> None:
    assert CITATION["version"] == lauedepth.__version__
    assert CITATION["title"] == PROJECT["name"]
    assert CITATION["license"] == PROJECT["license"]
    assert CITATION["abstract"] == PROJECT["description"]
    assert CITATION["authors"] == PROJECT["authors"]


def test_cited_papers_are_in_the_bibliography() -> None:
    text = " ".join((ROOT / "docs" / "bibliography.md").read_text("utf-8").split()).lower()
    assert len(CITATION["references"]) > 1
    for paper in CITATION["references"]:
        assert paper["title"].lower() in text
        assert paper.get("doi", "") in text


def test_the_lock_file_holds_every_declared_package() -> None:
    extras = PROJECT["optional-dependencies"]
    declared = names(PROJECT["dependencies"])
    for extra in ("dev", "docs", "live", "mpi"):
        declared |= names(extras[extra])
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    assert sorted(declared - names(re.findall(r"^[\w.-]+==", lock, re.M))) == []


def test_a_missing_package_is_looked_for_in_an_extra_that_has_it() -> None:
    for module, extra in EXTRAS.items():
        assert module.replace("_", "-") in names(PROJECT["optional-dependencies"][extra])


def test_every_public_name_is_in_the_reference() -> None:
    text = (ROOT / "docs" / "api" / "index.md").read_text("utf-8")
    missing = [
        name for name in lauedepth.__all__ if f"<{name}" not in text and f"{name} <" not in text
    ]
    assert missing == ["__version__"]
