"""Options that several commands share: what they mean, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lauedepth.cli import options
from lauedepth.config import load_experiment
from lauedepth.core.errors import ConfigurationError, InputError

EXPERIMENT = Path(__file__).parents[3] / "examples" / "experiment.yml"


def test_an_experiment_is_read_as_it_is() -> None:
    assert options.load(EXPERIMENT) == load_experiment(EXPERIMENT)


def test_method_and_energy_override_the_experiment() -> None:
    config = options.load(EXPERIMENT, "published", with_energy=True)
    assert config.decode.method == "published"
    assert config.decode.energy is not None


def test_pixels_are_a_threshold_a_mask_or_not_given(tmp_path: Path) -> None:
    config = options.load(EXPERIMENT)
    assert options.pixels_of(None, config) is None
    assert options.pixels_of("12.5", config) == 12.5
    mask = np.zeros((2048, 2048), np.bool_)
    mask[3, 4] = True
    np.save(tmp_path / "mask.npy", mask)
    np.testing.assert_array_equal(
        np.asarray(options.pixels_of(str(tmp_path / "mask.npy"), config)), mask
    )


@pytest.mark.parametrize("choice", ["-1", "nan", "-inf"])
def test_a_threshold_below_zero_is_refused(choice: str) -> None:
    with pytest.raises(InputError, match="is not a valid mean count; give 0 or more"):
        options.pixels_of(choice, options.load(EXPERIMENT))


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../up", "/abs"])
def test_names_that_lead_elsewhere_are_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"--name: .* is not a plain name"):
        options.refuse_path(name, "--name")


def test_plain_names_and_known_formats_pass() -> None:
    options.refuse_path("Ni 2_µ", "--name")
    for suffix in ("png", "PDF", "svg"):
        options.refuse_format(Path(f"figure.{suffix}"))
    with pytest.raises(ConfigurationError, match=r"'\.gif' is not supported"):
        options.refuse_format(Path("figure.gif"))
