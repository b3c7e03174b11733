"""The recipe that the settings and the experiment make."""

from __future__ import annotations

from pathlib import Path

import pytest

from lauedepth.pipeline.assembly import OUR_PROGRAM, recipe_for
from lauedepth.pipeline.errors import ConfigurationError
from lauedepth.pipeline.places import Folders
from lauedepth.pipeline.settings import Settings


def test_the_recipe_is_this_programs_own(tmp_path: Path) -> None:
    experiment = tmp_path / "e;$(x).yaml"
    experiment.touch()
    folders = Folders(tmp_path / "results", tmp_path / "work")
    recipe = recipe_for(experiment, Settings(), folders)
    filled = recipe.fill(tmp_path / "{result}.h5", tmp_path / "r.h5", tmp_path / "r")
    verbs = [words[len(OUR_PROGRAM)] for words in filled]
    assert verbs == ["reconstruct", "validate", "export"]
    assert filled[0][len(OUR_PROGRAM) + 1] == str(tmp_path / "{result}.h5")
    assert str(experiment) in filled[0]
    assert filled[0][-2:] == ("--carry", str(tmp_path / "work" / "instrument.h5"))
    assert len(recipe_for(experiment, Settings(export=False), folders).commands) == 2
    alone = recipe_for(experiment, Settings(carry=False), folders)
    assert "--carry" not in alone.commands[0]


def test_an_experiment_is_needed(tmp_path: Path) -> None:
    folders = Folders(tmp_path, tmp_path)
    with pytest.raises(ConfigurationError, match="give --experiment"):
        recipe_for(None, Settings(), folders)
    with pytest.raises(ConfigurationError, match="no such file"):
        recipe_for(Path("nowhere.yaml"), Settings(), folders)
