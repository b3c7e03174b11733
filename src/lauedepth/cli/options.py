"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lauedepth.core.errors import ConfigurationError, InputError
from lauedepth.core.notices import Notice, unlike

if TYPE_CHECKING:
    from lauedepth.cli.reporting import Reporter
    from lauedepth.config import ExperimentConfig
    from lauedepth.tasks.reconstruct import Pixels

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON lines.")]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print nothing but warnings and errors.")
]
ExperimentFile = Annotated[
    Path,
    typer.Option("--experiment", "-e", metavar="FILE", help="The experiment (YAML)."),
]
BackendName = Annotated[
    str, typer.Option("--backend", metavar="NAME", help="auto, cpu, reference or cuda.")
]
Method = Annotated[
    Literal["footprint", "published"] | None,
    typer.Option("--method", help="Decoding method; by default the experiment's."),
]
PixelChoice = Annotated[
    str | None,
    typer.Option(
        "--pixels",
        metavar="NUMBER|FILE.npy",
        help="Minimum mean counts per frame, or a boolean mask of the full detector.",
    ),
]
WithEnergy = Annotated[
    bool,
    typer.Option("--energy", help="Determine photon energies, from the bars' transmission."),
]
Memory = Annotated[
    float, typer.Option("--memory", min=0.75, metavar="GIB", help="Approximate memory limit.")
]
FIGURES = (".png", ".pdf", ".svg")
POINT_HELP = "A stack (HDF5 file), a folder with one series of frames, or folder/NAME of a series."


def load(
    experiment: Path, method: str | None = None, with_energy: bool = False
) -> ExperimentConfig:
    """Read an experiment, and override its decoding method or energy search if asked to."""
    from lauedepth.config import load_experiment  # noqa: PLC0415
    from lauedepth.config.decoding import Energy  # noqa: PLC0415

    config = load_experiment(experiment)
    changes: dict[str, object] = {}
    if method is not None:
        changes["method"] = method
    if with_energy and config.decode.energy is None:
        changes["energy"] = Energy()
    return config.model_copy(update={"decode": config.decode.model_copy(update=changes)})


def load_and_report(
    reporter: Reporter,
    experiment: Path,
    method: str | None = None,
    with_energy: bool = False,
) -> ExperimentConfig:
    """Do what `load` does, and show the notes and warnings on the file."""
    config = load(experiment, method, with_energy)
    report_notices(reporter, config.notices)
    return config


def report_notices(
    reporter: Reporter, notices: Iterable[Notice], shown: Iterable[Notice] = ()
) -> None:
    """Show notes and warnings, except those already shown."""
    for notice in unlike(notices, shown):
        reporter.notice(notice)


def pixels_of(choice: str | None, config: ExperimentConfig) -> Pixels | None:
    """Return the value of --pixels: a threshold or a mask.

    Raises
    ------
    InputError
        If it is neither.
    """
    from lauedepth.tasks.reconstruct import read_mask  # noqa: PLC0415

    if choice is None:
        return None
    try:
        threshold = float(choice)
    except ValueError:
        return read_mask(choice, config.to_core().detector.shape)
    if not threshold >= 0:
        raise InputError(
            f"{choice} is not a valid mean count", "--pixels", "give 0 or more, or a .npy file"
        )
    return threshold


def refuse_path(name: str, option: str) -> None:
    """Refuse a name that leads out of its folder."""
    if not name or Path(name).name != name or name in {".", ".."}:
        raise ConfigurationError(
            f"{name!r} is not a plain name", option, "give a name without folders"
        )


def refuse_format(figure: Path, formats: tuple[str, ...] = FIGURES) -> None:
    """Refuse a figure format that cannot be written."""
    if figure.suffix.lower() not in formats:
        *others, last = formats
        choice = f"{', '.join(others)} or {last}" if others else last
        raise ConfigurationError(
            f"the format '{figure.suffix}' is not supported", str(figure), f"use {choice}"
        )
