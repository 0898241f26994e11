"""Commands that read captures: ``assess``, ``replay`` and ``score``."""

from __future__ import annotations

from pathlib import Path

import click

from medwarden.cli.output import (
    home_option,
    json_option,
    plain,
    print_json,
    print_table,
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


@click.command()
@_PATHS
@click.option(
    "--labels",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="TSV with the columns capture, mac, class, category, vendor, model.",
)
@json_option
def score(paths: tuple[Path, ...], labels: Path, as_json: bool) -> int:
    """Measure identification against labels: coverage, accuracy and calibration per level."""
    from medwarden.app.score import score_captures

    with progress_of_inputs("scoring") as progress:
        outcome = score_captures(paths, labels, progress=progress)
    if as_json:
        print_json(outcome.figures)
    else:
        _print_score(outcome.figures)
    return report_inputs(outcome.inputs, outcome.beside)


def _print_score(figures: dict[str, object]) -> None:
    levels = figures["levels"]
    assert isinstance(levels, dict)
    names = ("n", "answered", "correct", "coverage", "accuracy", "macro_f1", "ece")
    rows = [[level, *(_figure(values[name]) for name in names)] for level, values in levels.items()]
    print_table("", ["level", *names], rows, right=names)
    time = figures["time_to_identify"]
    open_set = figures["open_set"]
    assert isinstance(time, dict) and isinstance(open_set, dict)
    click.echo(f"time to identify: p50 {_figure(time['p50'])} s, p95 {_figure(time['p95'])} s")
    click.echo(f"open set: AUROC {_figure(open_set['auroc'])}")


def _figure(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
