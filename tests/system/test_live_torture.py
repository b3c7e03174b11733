"""A night in which everything goes wrong, made short; the long one is a benchmark."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def torture() -> ModuleType:
    path = Path(__file__).with_name("live_torture.py")
    spec = importlib.util.spec_from_file_location("live_torture", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.torture
def test_torture(torture: ModuleType, tmp_path: Path) -> None:
    campaign = torture.Campaign(tmp_path / "torture", points=12, kills=8, limit_s=120)
    outcome = campaign.run()
    assert len(campaign.told) == 8
    assert outcome["jobs"] >= outcome["jobs_well"] >= 11
