"""Settings: what the manual says is what the program takes, and nonsense is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from lauedepth.pipeline.errors import ConfigurationError
from lauedepth.pipeline.settings import Settings, read_settings

MANUAL = Path(__file__).resolve().parents[3] / "docs" / "live.md"


def test_the_manual_shows_the_defaults() -> None:
    first, second, sites = re.findall(r"```yaml\n(.*?)```", MANUAL.read_text(), re.DOTALL)
    assert Settings.model_validate(yaml.safe_load(sites)).sites["polaris"].job.gpus == 4
    content = yaml.safe_load(first)
    assert set(content) == set(Settings.model_fields)
    assert Settings.model_validate(content) == Settings()
    assert Settings.model_validate(yaml.safe_load(second)).commands[0][0] == "/opt/other/decode"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("pol_s: 2", "pol_s"),
        ("poll_s: -1", "poll_s"),
        ("poll_s: .nan", "poll_s"),
        ("layout: tape", "layout"),
        ("commands: [rm -rf /]", "commands"),
        ("commands: [[]]", "commands"),
        ("marker: ../done", "marker"),
        ("[1, 2", "cannot be read"),
        ("just text", "settings.yaml"),
    ],
)
def test_nonsense_is_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=says) as raised:
        read_settings(path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        "poll_s: 2024-13-45",
        "poll_s: !!bool maybe",
        "poll_s: " + "9" * 6000,
        "[" * 5000,
        "? [a]\n: 1",
    ],
)
def test_odd_yaml_is_a_configuration_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "settings.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"settings\.yml: cannot be read"):
        read_settings(path)
