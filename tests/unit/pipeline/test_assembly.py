"""The recipe that the settings and the experiment make."""

from __future__ import annotations

from pathlib import Path

import pytest

from lauedepth.pipeline.assembly import OUR_PROGRAM, recipe_for
from lauedepth.pipeline.errors import ConfigurationError
from lauedepth.pipeline.settings import Settings


def test_the_recipe_is_this_programs_own(tmp_path: Path) -> None:
    experiment = tmp_path / "e;$(x).yaml"
    experiment.touch()
    recipe = recipe_for(experiment, Settings())
    filled = recipe.fill(tmp_path / "{result}.h5", tmp_path / "r.h5", tmp_path / "r")
    verbs = [words[len(OUR_PROGRAM)] for words in filled]
    assert verbs == ["reconstruct", "validate", "export"]
    assert filled[0][len(OUR_PROGRAM) + 1] == str(tmp_path / "{result}.h5")
    assert str(experiment) in filled[0]
    assert len(recipe_for(experiment, Settings(export=False)).commands) == 2


def test_an_experiment_is_needed() -> None:
    with pytest.raises(ConfigurationError, match="give --experiment"):
        recipe_for(None, Settings())
    with pytest.raises(ConfigurationError, match="no such file"):
        recipe_for(Path("nowhere.yaml"), Settings())
