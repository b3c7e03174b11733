"""What the numbers of an instrument can be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lauedepth.config import limits, load_experiment
from lauedepth.core.errors import ConfigurationError

Data = dict[str, Any]


def native() -> Data:
    return {
        "data": {"stop_frame": 261},
        "detector": {
            "shape_px": [2048, 2048],
            "size_mm": [409.6, 409.6],
            "rotation_rad": [-1.2, -1.21, -1.22],
            "translation_mm": [28.8, 2.7, 513.0],
        },
        "aperture": {},
        "pose": {
            "cenx_mm": 0.44,
            "dist_mm": 1.6,
            "cenz_mm": 0.9,
            "anglex_deg": 0.0,
            "angley_deg": -0.6,
            "anglez_deg": 43.3,
        },
        "motion": {"step_um": 1.0, "shift_mm": 0.22},
        "depths": {"start_um": -100, "stop_um": 300},
        "decode": {"energy": {}},
    }


@pytest.mark.parametrize(
    ("section", "key", "value", "said"),
    [
        ("detector", "size_mm", [409600, 409600], "micrometres? give 409.6 mm"),
        ("detector", "translation_mm", [0.0288, 0.0027, 0.513], "metres? give 513"),
        ("detector", "rotation_rad", [-68.8, -69.3, -69.9], "degrees?"),
        ("detector", "shape_px", [0, 2048], "greater than or equal to 1"),
        ("pose", "dist_mm", -1.6, "dist is negative"),
        ("pose", "dist_mm", 0.0016, "metres? give 1.6 mm"),
        ("pose", "cenz_mm", 900, "micrometres? give 0.9 mm"),
        ("pose", "anglez_deg", 4330, "an angle cannot be"),
        ("motion", "step_um", 1000, "nanometres? give 1 µm"),
        ("motion", "step_um", -0.001, "millimetres? give -1 µm"),
        ("motion", "step_um", 0, "must not be zero"),
        ("motion", "shift_mm", 220, "micrometres? give 0.22 mm"),
        ("aperture", "thickness_um", 3700, "nanometres? give 3.7 µm"),
        ("aperture", "open_width_um", 0.015, "millimetres? give 15 µm"),
        ("aperture", "density_g_cm3", 19320, "kg/m³? give 19.32 g/cm³"),
        ("depths", "start_um", -100_000_000, "a depth cannot be"),
        ("depths", "step_um", 1e-3, "millimetres? give 1 µm"),
        ("depths", "stop_um", 50_000, "depths are more than"),
        ("data", "stop_frame", 10**8, "less than or equal to"),
        ("data", "stop_frame", 10**6, "1000000 frames are more than 100000"),
    ],
)
def test_native_numbers_beyond_an_instrument_name_the_likely_unit(
    tmp_path: Path, section: str, key: str, value: object, said: str
) -> None:
    data = native()
    data[section][key] = value
    path = tmp_path / "a.yml"
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(ConfigurationError) as caught:
        load_experiment(path)
    assert said in str(caught.value)
    assert section in str(caught.value)
    assert "\n" not in str(caught.value)


def test_energies_in_ev_are_told(tmp_path: Path) -> None:
    data = native()
    data["decode"]["energy"] = {"start_kev": 5000, "stop_kev": 30000}
    path = tmp_path / "a.yml"
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(ConfigurationError, match=r"eV\? give 5 keV"):
        load_experiment(path)


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("pose", "dist_mm", "yes"),
        ("pose", "dist_mm", True),
        ("data", "stop_frame", True),
        ("detector", "size_mm", [True, 409.6]),
        ("motion", "step_um", "1:30"),
        ("aperture", "thickness_um", "3,7"),
    ],
)
def test_truth_and_text_are_no_numbers(
    tmp_path: Path, section: str, key: str, value: object
) -> None:
    data = native()
    data[section][key] = value
    path = tmp_path / "a.yml"
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(ConfigurationError, match=key):
        load_experiment(path)


@pytest.mark.parametrize("text", ["1e0", "'1e0'", "+1", "1.", "10e-1"])
def test_numbers_are_read_however_they_are_written(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.yml"
    path.write_text(yaml.safe_dump(native()).replace("step_um: 1.0", f"step_um: {text}"))
    assert load_experiment(path).motion.step_um == 1.0


def test_yes_is_a_truth_where_one_is_wanted(tmp_path: Path) -> None:
    path = tmp_path / "a.yml"
    path.write_text(yaml.safe_dump(native()) + "\n")
    text = path.read_text().replace("aperture: {}", "aperture: {reversed: yes}")
    path.write_text(text)
    assert load_experiment(path).aperture.reversed is True


@given(st.floats(0.05, 50.0), st.sampled_from([-1, 1]))
def test_a_slip_by_a_thousand_is_refused_or_possible(value: float, sign: int) -> None:
    """A step in another unit is refused with its value in µm, or lies within the limits."""
    step = limits.STEP
    for factor in (1e3, 1e-3):
        slipped = sign * value * factor
        if not step.holds(slipped):
            with pytest.raises(ValueError, match=r"\? give"):
                step.check(slipped)
