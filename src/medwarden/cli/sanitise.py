"""The command ``sanitise``: captures without patients and credentials."""

from __future__ import annotations

from pathlib import Path

import click

from medwarden.cli.output import json_option, plain, print_json, print_table, progress_of_inputs


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--keep-unknown",
    is_flag=True,
    help="Let payloads of unknown protocols through; you answer for what is in them.",
)
@json_option
def sanitise(paths: tuple[Path, ...], out: Path, keep_unknown: bool, as_json: bool) -> int:
    """Write captures PATHS without patients, credentials and unknown payloads to OUT (file or folder)."""
    from medwarden.app.sanitise import sanitise_captures

    with progress_of_inputs("sanitising") as progress:
        done = sanitise_captures(paths, out, keep_unknown=keep_unknown, progress=progress)
    errors = [each for each in done if each.error]
    for each in errors:
        click.echo(f"medwarden: {each.error}", err=True)
    if as_json:
        for each in done:
            print_json(plain(each))
    else:
        for each in done:
            report = each.report
            rows = [("overwritten", kind, count) for kind, count in report.overwritten.items()]
            rows += [("unknown", kind, count) for kind, count in report.unknown.items()]
            rows += [("not understood", kind, count) for kind, count in report.opaque.items()]
            print_table(each.out or each.path, ("what", "kind", "times"), rows, right=("times",))
    packets = sum(each.report.packets for each in done)
    blanked = sum(each.report.blanked_connections for each in done)
    kept = sum(each.report.kept_bytes for each in done)
    total = sum(each.report.payload_bytes for each in done)
    click.echo(
        f"{len(done)} captures: {packets} packets written, {kept} of {total} payload bytes kept, "
        f"{blanked} connections blanked" + (f"; {len(errors)} with an error" if errors else ""),
        err=True,
    )
    return 1 if errors else 0
