"""Commands that read captures: ``assess`` and ``replay``."""

from __future__ import annotations

from pathlib import Path

import click

from medwarden.cli.output import (
    home_option,
    json_option,
    plain,
    print_json,
    processes_option,
    progress_of_inputs,
    report_inputs,
)

_PATHS = click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))


@click.command()
@_PATHS
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, readable=False, path_type=Path),
    help="Where the reports go.",
)
@click.option("--title", default="", help="Name of the organisation or site, for the report's title.")
def assess(paths: tuple[Path, ...], out: Path, title: str) -> int:
    """Assess captures: one self-contained report.html and a report.json, without a server or set-up."""
    from medwarden.app.assess import assess_captures

    with progress_of_inputs("reading") as progress:
        outcome = assess_captures(paths, out, title=title, progress=progress)
    click.echo(f"{outcome.devices} devices, {outcome.findings} findings: {outcome.html}", err=True)
    return report_inputs(outcome.inputs, outcome.beside)


@click.command()
@_PATHS
@home_option
@click.option("--site", default=None, help="Site the captures come from (made when new).")
@processes_option
@json_option
def replay(
    paths: tuple[Path, ...], home: Path | None, site: str | None, processes: int, as_json: bool
) -> int:
    """Feed captures into the store. A capture that was fed before changes nothing but a counter."""
    from medwarden.app.home import data_folder
    from medwarden.app.replay import replay_captures

    with progress_of_inputs("replaying") as progress:
        outcome = replay_captures(paths, data_folder(home), site=site, progress=progress, processes=processes)
    if as_json:
        print_json(
            {"inputs": plain(outcome.inputs), "devices": outcome.devices, "new_devices": outcome.new_devices}
        )
    status = report_inputs(outcome.inputs, outcome.beside)
    click.echo(f"{outcome.devices} devices known, {outcome.new_devices} of them new", err=True)
    return status
