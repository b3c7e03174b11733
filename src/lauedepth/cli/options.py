"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lauedepth.core.errors import ConfigurationError, InputError

if TYPE_CHECKING:
    from lauedepth.config import ExperimentConfig
    from lauedepth.tasks.reconstruct import Pixels

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON lines, as is done when piped.")]
ExperimentFile = Annotated[
    Path,
    typer.Option("--experiment", "-e", metavar="FILE", help="The experiment, in YAML."),
]
BackendName = Annotated[
    str, typer.Option("--backend", metavar="NAME", help="auto, cpu, reference or cuda.")
]
Method = Annotated[
    Literal["footprint", "published"] | None,
    typer.Option("--method", help="How to decode; as in the experiment by default."),
]
PixelChoice = Annotated[
    str | None,
    typer.Option(
        "--pixels",
        metavar="NUMBER|FILE.npy",
        help="Least mean count a frame, or a boolean mask of the full detector.",
    ),
]
WithEnergy = Annotated[
    bool, typer.Option("--energy", help="Search for photon energies (bars let some pass).")
]
Memory = Annotated[
    float, typer.Option("--memory", min=0.75, metavar="GIB", help="Memory to use, about.")
]
POINT_HELP = "A stack (HDF5 file), a folder with a series of frames, or folder/NAME of a series."


def load(
    experiment: Path, method: str | None = None, with_energy: bool = False
) -> ExperimentConfig:
    """Read an experiment and change how it decodes where asked for."""
    from lauedepth.config import load_experiment  # noqa: PLC0415
    from lauedepth.config.decoding import Energy  # noqa: PLC0415

    config = load_experiment(experiment)
    changes: dict[str, object] = {}
    if method is not None:
        changes["method"] = method
    if with_energy and config.decode.energy is None:
        changes["energy"] = Energy()
    return config.model_copy(update={"decode": config.decode.model_copy(update=changes)})


def pixels_of(choice: str | None, config: ExperimentConfig) -> Pixels | None:
    """Read what --pixels says: a number or a mask.

    Raises
    ------
    InputError
        Neither.
    """
    from lauedepth.tasks.reconstruct import read_mask  # noqa: PLC0415

    if choice is None:
        return None
    try:
        threshold = float(choice)
    except ValueError:
        return read_mask(choice, config.to_core().detector.shape)
    if not threshold >= 0:
        raise InputError(f"{choice} is no mean count", "--pixels", "give 0 or more, or a .npy file")
    return threshold


def refuse_path(name: str, option: str) -> None:
    """Refuse a name that would leave its folder."""
    if not name or Path(name).name != name or name in {".", ".."}:
        raise ConfigurationError(f"{name!r} is no plain name", option, "leave out folders")


def refuse_format(figure: Path) -> None:
    """Refuse a figure of a format that cannot be drawn."""
    if figure.suffix.lower() not in {".png", ".pdf", ".svg"}:
        raise ConfigurationError(
            f"cannot draw '{figure.suffix}'", str(figure), "call it .png, .pdf or .svg"
        )
