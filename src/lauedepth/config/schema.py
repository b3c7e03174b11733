"""The JSON Schema of the native experiment file: ``python -m lauedepth.config.schema``."""

from __future__ import annotations

import json
from pathlib import Path

from lauedepth.config.model import ExperimentConfig


def experiment_schema() -> str:
    """Return the JSON Schema of the native layout, as committed beside this module."""
    schema = ExperimentConfig.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def schema_path() -> Path:
    """Return where the committed JSON Schema is."""
    return Path(__file__).with_name("experiment.schema.json")


if __name__ == "__main__":
    schema_path().write_text(experiment_schema(), encoding="utf-8")
