"""Recipes are filled word by word."""

from __future__ import annotations

from pathlib import Path

from lauedepth.pipeline.protocols import Recipe


def test_only_whole_words_are_replaced() -> None:
    recipe = Recipe((("a{point}", "{point}", "{unknown}", "{}"),))
    assert recipe.fill(Path("/p"), Path("/r"), Path("/e")) == (
        ("a{point}", "/p", "{unknown}", "{}"),
    )
