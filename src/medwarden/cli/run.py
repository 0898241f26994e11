"""Commands that stay: ``up``, ``serve``, ``sensor`` and ``worker``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from medwarden.cli.output import home_option, processes_option

_HOST = click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
_FIRST_NAME = "admin"
_PORT = click.option("--port", default=8443, show_default=True, type=click.IntRange(1, 65535))


_LISTENING = ("netflow", "ipfix", "sflow", "syslog", "snmp")
_Command = TypeVar("_Command", bound=Callable[..., object])


def _listening(name: str, words: str) -> Callable[[_Command], _Command]:
    return click.option(f"--{name}", multiple=True, metavar="WHERE", help=f"{words} (may be repeated).")


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise click.UsageError(f"{name!r} is no time zone: write Europe/Berlin or UTC") from error
    return name


@click.command()
@home_option
@_HOST
@_PORT
@click.option("--interface", "interfaces", multiple=True, help="Listen on this interface (may be repeated).")
@click.option("--demo", is_flag=True, help="Start with an invented hospital.")
def up(home: Path | None, host: str, port: int, interfaces: tuple[str, ...], demo: bool) -> int:
    """Run everything on this machine: console, worker and sensors."""
    from medwarden.app import up as roles
    from medwarden.app.home import data_folder

    folder = data_folder(home)
    prepared = roles.prepare(folder, host, port, _first_user)
    if demo:
        from medwarden.app.demo import replay_demo

        click.echo("making the demonstration: the last hour of an invented hospital ...", err=True)
        click.echo(replay_demo(folder))
    click.echo(f"data folder   {folder}")
    click.echo(f"console       {prepared.address}")
    if prepared.first_password:
        click.echo(f"first log-in  {_FIRST_NAME}")
        click.echo(f"password      {prepared.first_password}   (shown once, to be replaced when you log in)")
    click.echo("The certificate is the console's own until you put yours into tls/. Ctrl-C ends everything.")
    return roles.run(
        folder, lambda line: click.echo(line, err=True), host=host, port=port, interfaces=interfaces
    )


@click.command()
@home_option
@_HOST
@_PORT
@click.option("--no-tls", is_flag=True, help="Plain HTTP, for a proxy on this machine that does TLS.")
def serve(home: Path | None, host: str, port: int, no_tls: bool) -> int:
    """Serve pages and API."""
    from medwarden.app.home import data_folder
    from medwarden.app.serve import serve as run

    if no_tls and host not in ("127.0.0.1", "::1", "localhost"):
        raise click.UsageError("--no-tls is for a proxy on this machine: use it with --host 127.0.0.1")
    run(data_folder(home), host, port, tls=not no_tls)
    return 0


@click.command()
@home_option
@click.option(
    "--interface",
    "interfaces",
    multiple=True,
    help="Interface that receives mirrored traffic (may be repeated).",
)
@_listening("netflow", "NetFlow 5 and 9, as HOST:PORT")
@_listening("ipfix", "IPFIX, as HOST:PORT")
@_listening("sflow", "sFlow, as HOST:PORT")
@_listening("syslog", "syslog of firewalls, DHCP and RADIUS servers, as udp://, tcp:// or tls://HOST:PORT")
@_listening("snmp", "Poll the switches and wireless controllers that this file names")
@click.option(
    "--follow",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="Log file, or folder of logs, to read as it grows (may be repeated).",
)
@click.option("--time-zone", default="UTC", show_default=True, help="Zone of records that name none.")
@click.option("--site", default=None, help="Site that is listened at (made when new).")
@click.option("--user", default=None, help="User to become once the socket is open (when started as root).")
@click.option("--seconds", default=None, type=click.FloatRange(min=0.1), help="Stop after this long.")
@processes_option
def sensor(
    home: Path | None,
    interfaces: tuple[str, ...],
    follow: tuple[Path, ...],
    time_zone: str,
    site: str | None,
    user: str | None,
    seconds: float | None,
    processes: int,
    **listening: tuple[str, ...],
) -> int:
    """Listen on interfaces, to exporters and log senders, and store what they tell."""
    from medwarden.app.fanout import listen_in_processes
    from medwarden.app.home import data_folder
    from medwarden.app.live import Records, listen
    from medwarden.cli.output import report_inputs

    wanted = tuple((option, text) for option in _LISTENING for text in listening[option])
    if not (interfaces or wanted or follow):
        raise click.UsageError("name something to listen to: --interface, --syslog, --netflow, --follow ...")
    hear = partial(listen_in_processes, processes=processes) if interfaces and processes > 1 else listen
    reports = hear(
        data_folder(home),
        interfaces,
        records=Records(wanted, follow, _zone(time_zone)),
        site=site,
        user=user,
        seconds=seconds,
        on_ready=lambda names: click.echo(f"listening on {', '.join([*names, *map(str, follow)])}", err=True),
    )
    return report_inputs(reports, ())


@click.command()
@home_option
@click.option("--once", is_flag=True, help="Do what is due and end.")
def worker(home: Path | None, once: bool) -> int:
    """Identify and assess devices that changed, and keep the telemetry lake in order."""
    from medwarden.app.home import data_folder
    from medwarden.app.worker import work

    work(data_folder(home), once=once)
    return 0


def _first_user() -> str | None:
    # Imported late: the pages' models exist only once the store is open.
    from medwarden.web.accounts import ensure_first_user

    return ensure_first_user(_FIRST_NAME)
