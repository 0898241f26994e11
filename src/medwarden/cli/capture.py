"""Commands of capture on demand: ``capture DEVICE`` (``start``), ``list``, ``stop``, ``export`` and more."""

from __future__ import annotations

import getpass
from pathlib import Path

import click

from medwarden.cli.output import home_option, json_option, print_json, print_table

_AS = click.option("--as", "person", default=None, help="Act as this person of the console, with his rights.")


class _StartByDefault(click.Group):
    """Takes a first word that is no command for the device to capture."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["start", *args]
        return super().resolve_command(ctx, args)


@click.group(cls=_StartByDefault)
def capture() -> None:
    """Record the packets of one device: medwarden capture DEVICE --interface X --reason WHY."""


@capture.command()
@click.argument("device")
@click.option("--interface", required=True, help="Interface that receives mirrored traffic.")
@click.option("--seconds", default=60.0, show_default=True, type=click.FloatRange(min=0.1, max=86_400))
@click.option(
    "--megabytes", default=100, show_default=True, type=click.IntRange(1, 4096), help="Size of the ring."
)
@click.option("--packets", default=None, type=click.IntRange(min=1), help="End after so many packets.")
@click.option("--reason", required=True, help="Why; stands in the audit chain.")
@_AS
@home_option
def start(
    device: str,
    interface: str,
    seconds: float,
    megabytes: int,
    packets: int | None,
    reason: str,
    person: str | None,
    home: Path | None,
) -> int:
    """Capture DEVICE (id, MAC or IP address) until a limit is reached or somebody stops it."""
    from medwarden.app.device_capture import Asked, capture_device
    from medwarden.app.home import data_folder
    from medwarden.sensors.device_capture import CaptureLimits

    limits = CaptureLimits(seconds=seconds, megabytes=megabytes, packets=packets)
    asked = Asked(device, interface, reason, _actor(), person, limits)
    row = capture_device(
        data_folder(home), asked, on_begin=lambda number: click.echo(f"capturing: {number}", err=True)
    )
    click.echo(row.id)
    click.echo(
        f"{row.packets} packets, {row.bytes} bytes, {row.dropped} dropped; ended by {row.ended_by}", err=True
    )
    if row.error:
        click.echo(f"medwarden: {row.error}", err=True)
    return 1 if row.error else 0


@capture.command("list")
@home_option
@json_option
def list_captures(home: Path | None, as_json: bool) -> int:
    """Show the captures there are."""
    from medwarden.app.device_capture import capture_rows
    from medwarden.app.home import data_folder

    rows = capture_rows(data_folder(home))
    if as_json:
        for row in rows:
            print_json(row)
        return 0
    columns = ("id", "label", "interface", "state", "ended_by", "packets", "bytes", "who", "reason")
    print_table("", columns, [[row[c] for c in columns] for row in rows], right=("packets", "bytes"))
    return 0


@capture.command()
@click.argument("identifier")
@click.option("--reason", default="", help="Why.")
@home_option
def stop(identifier: str, reason: str, home: Path | None) -> int:
    """End a running capture."""
    from medwarden.app.device_capture import stop_capture
    from medwarden.app.home import data_folder

    stop_capture(data_folder(home), identifier, _actor(), reason)
    return 0


@capture.command()
@click.argument("identifier")
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--raw", is_flag=True, help="As it is, patients and all: needs --as an administrator, and --reason."
)
@click.option("--reason", default="", help="Why; stands in the audit chain.")
@_AS
@home_option
def export(identifier: str, out: Path, raw: bool, reason: str, person: str | None, home: Path | None) -> int:
    """Write a capture to OUT, by default without patients and credentials."""
    from medwarden.app.device_capture import export_capture
    from medwarden.app.home import data_folder

    done = export_capture(
        data_folder(home), identifier, out, actor=_actor(), person=person, reason=reason, raw=raw
    )
    if done is not None:
        click.echo(f"{out}: {done.report.packets} packets without patients", err=True)
        if done.error:
            click.echo(f"medwarden: {done.error}", err=True)
            return 1
    return 0


@capture.command()
@click.argument("identifier")
@click.option("--reason", default="", help="Why.")
@home_option
def remove(identifier: str, reason: str, home: Path | None) -> int:
    """Delete the files of an ended capture."""
    from medwarden.app.device_capture import remove_files
    from medwarden.app.home import data_folder

    remove_files(data_folder(home), identifier, _actor(), reason)
    return 0


def _actor() -> str:
    return f"cli:{getpass.getuser()}"
