"""``medwarden simulate``: the traffic of an invented hospital, with its truth."""

from __future__ import annotations

from pathlib import Path

import click

from medwarden.cli.output import json_option, print_json, progress_of_inputs


@click.command()
@click.argument("out", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--devices", default=300, show_default=True, type=click.IntRange(12, 200_000), help="How many devices."
)
@click.option(
    "--hours", default=1.0, show_default=True, type=click.FloatRange(0, min_open=True), help="How long."
)
@click.option("--days", default=0.0, type=click.FloatRange(0), help="How long, in days; added to the hours.")
@click.option("--seed", default=1, show_default=True, help="Another number is another hospital.")
@click.option(
    "--sites", default=1, show_default=True, type=click.IntRange(1, 50), help="Sites with the same addresses."
)
@click.option("--start", default="2026-03-02T08:00", show_default=True, help="First moment, ISO 8601, UTC.")
@click.option("--compress", type=click.Choice(["none", "gzip", "zstd"]), default="none", show_default=True)
@click.option("--whole", is_flag=True, help="One capture per site instead of one per hour.")
@click.option(
    "--image-scale",
    default=0.02,
    show_default=True,
    type=click.FloatRange(0.001, 1),
    help="Part of the images of examinations that is really sent.",
)
@click.option(
    "--incident",
    "incidents",
    multiple=True,
    help="Let something happen; may be given again. `list` shows what.",
)
@click.option(
    "--logs", default="", help="Logs of other sensors, of zeek, eve, netflow, dhcp; commas between."
)
@click.option("--unfamiliar", is_flag=True, help="Other models, names and addresses than any training saw.")
@click.option(
    "--joining",
    default=0.0,
    type=click.FloatRange(0, 1),
    help="Part of the devices switched on for the first time meanwhile.",
)
@json_option
def simulate(
    out: Path | None,
    devices: int,
    hours: float,
    days: float,
    seed: int,
    sites: int,
    start: str,
    compress: str,
    whole: bool,
    image_scale: float,
    incidents: tuple[str, ...],
    logs: str,
    unfamiliar: bool,
    joining: float,
    as_json: bool,
) -> int:
    """Write the traffic of an invented hospital into OUT: captures, labels.tsv and truth.json."""
    from medwarden.app.simulate import Request, known_incidents, start_of
    from medwarden.app.simulate import simulate as run

    if "list" in incidents:
        for name, title, benign in known_incidents():
            click.echo(f"{name:24}{'benign  ' if benign else 'incident'}  {title}")
        return 0
    if out is None:
        raise click.UsageError("Missing argument 'OUT'.")
    span = (hours if not days else 0.0 if hours == 1.0 else hours) + 24 * days
    request = Request(
        devices=devices,
        hours=span,
        seed=seed,
        start=start_of(start),
        sites=sites,
        split=not whole,
        packing={"none": "", "gzip": ".gz", "zstd": ".zst"}[compress],
        image_scale=image_scale,
        incidents=incidents,
        logs=tuple(filter(None, logs.split(","))),
        unfamiliar=unfamiliar,
        joining=joining,
    )
    with progress_of_inputs("simulating") as progress:
        written = run(request, out, progress=progress)
    if as_json:
        print_json(
            {
                "captures": [str(path) for path in written.captures],
                "devices": written.devices,
                "packets": written.packets,
                "octets": written.octets,
            }
        )
    click.echo(f"{written.packets} packets of {written.devices} devices: {out}", err=True)
    return 0
