"""Read and write experiment files."""

from __future__ import annotations

from pathlib import Path

import yaml

from lauedepth.config.checking import read_yaml, validated
from lauedepth.config.model import ExperimentConfig
from lauedepth.config.published_yaml import convert_published


def load_experiment(path: Path | str) -> ExperimentConfig:
    """Read an experiment, in the native layout or the published program's.

    Files that the experiment names (geometry, code) are read too, relative to its folder;
    what is returned holds their content and needs them no longer.

    Parameters
    ----------
    path : Path or str
        A YAML file. One with the key ``geo`` is in the published layout.

    Returns
    -------
    ExperimentConfig

    Raises
    ------
    ConfigurationError
        Names the file, the key and, for an unknown key, the nearest valid one.

    Examples
    --------
    >>> config = load_experiment("examples/experiment.yml")
    >>> config.depths.step_um
    1.0
    >>> len(config.to_core().frames)
    261
    """
    path = Path(path)
    data = read_yaml(path)
    if "geo" in data:
        config = convert_published(data, path)
    else:
        config = validated(ExperimentConfig, data, path)
    return config.resolved(path.parent)


def dump_experiment(config: ExperimentConfig, comment: str = "") -> str:
    """Write an experiment as YAML that `load_experiment` reads back unchanged.

    Parameters
    ----------
    config : ExperimentConfig
    comment : str
        Put before the experiment, each line behind a ``#``.
    """
    lines = "".join(f"# {line}".rstrip() + "\n" for line in comment.splitlines())
    data = config.model_dump(mode="json", exclude_none=True)
    return lines + yaml.safe_dump(
        data, sort_keys=False, default_flow_style=None, width=96, allow_unicode=True
    )
