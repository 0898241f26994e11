"""``medwarden simulate``: the traffic of an invented hospital, with its truth."""

from __future__ import annotations

from pathlib import Path

import click

from medwarden.cli.output import json_option, plain, print_json, progress_of_inputs


@click.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
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
@json_option
def simulate(
    out: Path,
    devices: int,
    hours: float,
    days: float,
    seed: int,
    sites: int,
    start: str,
    compress: str,
    whole: bool,
    image_scale: float,
    as_json: bool,
) -> int:
    """Write the traffic of an invented hospital into OUT: captures, labels.tsv and truth.json."""
    from medwarden.app.simulate import Request, start_of
    from medwarden.app.simulate import simulate as run

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
    )
    with progress_of_inputs("simulating") as progress:
        written = run(request, out, progress=progress)
    if as_json:
        print_json(plain(written))
    click.echo(f"{written.packets} packets of {written.devices} devices: {out}", err=True)
    return 0
