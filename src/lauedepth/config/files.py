"""Read and write experiment files."""

from __future__ import annotations

from pathlib import Path

from lauedepth.config.checking import validated
from lauedepth.config.model import ExperimentConfig
from lauedepth.config.published_yaml import convert_published
from lauedepth.config.yaml_text import read_yaml, write_yaml


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
        Its `notices` are notes and warnings on the file, to be shown once.

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
        return convert_published(data, path)
    return validated(ExperimentConfig, data, path).resolved(path.parent)


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
    return lines + write_yaml(data)
