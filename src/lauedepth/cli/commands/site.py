"""The commands on sites: other places that can compute."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lauedepth.cli import options
from lauedepth.cli.exit_codes import FAILURE
from lauedepth.cli.reporting import reporter_for
from lauedepth.core.errors import ConfigurationError

if TYPE_CHECKING:
    from lauedepth.pipeline.sites.settings import SiteSettings

Facility = Annotated[
    Path, typer.Option("--settings", "-s", metavar="FILE", help="The facility's file (YAML).")
]
site = typer.Typer(help="Look at the sites of a facility: other places that can compute.")


def register(app: typer.Typer) -> None:
    """Add the commands to a program."""
    app.add_typer(site, name="site")


@site.command("list")
def list_sites(*, settings: Facility, as_json: options.AsJson = False) -> None:
    """List the sites of a facility's file."""
    reporter = reporter_for(as_json)
    for name, found in _sites(settings).items():
        queues = [queue.name for queue in found.scheduler.queues.values()]
        reached = found.connection.host or "here"
        values = {"name": name, "scheduler": found.scheduler.kind, "queues": queues}
        text = f"{name}: {found.scheduler.kind} ({', '.join(queues)}), {reached}, {found.work}"
        reporter.show("site", {**values, "host": reached, "work": found.work}, text)


@site.command()
def check(
    name: Annotated[str, typer.Argument(help="Name of the site.")],
    *,
    settings: Facility,
    as_json: options.AsJson = False,
) -> None:
    """Try whether a site can do the work: login, files, queues, a short job, its lauedepth."""
    from lauedepth.core.version import __version__  # noqa: PLC0415
    from lauedepth.pipeline.sites.check import SiteCheck  # noqa: PLC0415

    sites, reporter = _sites(settings), reporter_for(as_json)
    if name not in sites:
        known = ", ".join(sites) or "none"
        raise ConfigurationError(f"has no site {name}", str(settings), f"its sites are: {known}")
    bad = False
    for finding in SiteCheck(name, sites[name], __version__).run():
        text = f"{finding.part:8}{'good' if finding.good else 'BAD':4}  {finding.text}"
        reporter.show("finding", dataclasses.asdict(finding), text)
        bad |= not finding.good
    if bad:
        raise typer.Exit(FAILURE)


def _sites(settings: Path) -> dict[str, SiteSettings]:
    from lauedepth.pipeline.settings import read_settings  # noqa: PLC0415

    return read_settings(settings).sites
