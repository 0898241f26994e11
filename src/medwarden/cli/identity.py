"""Which interfaces and addresses are one device: ``identity merge``, ``split``, ``undo`` and more."""

from __future__ import annotations

import getpass
from pathlib import Path

import click

from medwarden.cli.output import home_option, json_option, plain, print_json, print_table
from medwarden.kernel.clock import iso

_reason = click.option("--reason", required=True, help="Why, for the audit.")


def _me() -> str:
    return f"cli:{getpass.getuser()}"


@click.group()
def identity() -> None:
    """Say which interfaces and addresses are one device, and take it back."""


@identity.command()
@click.argument("kept")
@click.argument("gone")
@_reason
@home_option
def merge(kept: str, gone: str, reason: str, home: Path | None) -> int:
    """Make GONE part of KEPT (ids, MAC or IP addresses). All that is heard of either goes to KEPT."""
    from medwarden.app.home import data_folder
    from medwarden.app.identity import merge as join

    number = join(data_folder(home), kept, gone, reason=reason, actor=_me())
    click.echo(f"decision {number}: one device now; `medwarden identity undo {number}` takes it back")
    return 0


@identity.command()
@click.argument("device")
@click.option("--interface", "macs", multiple=True, metavar="MAC", help="Interface to split off.")
@click.option("--ip", "ips", multiple=True, metavar="IP", help="Identity with this address to split off.")
@_reason
@home_option
def split(device: str, macs: tuple[str, ...], ips: tuple[str, ...], reason: str, home: Path | None) -> int:
    """Take interfaces out of DEVICE, to be a device of their own. They never come back by themselves."""
    from medwarden.app.home import data_folder
    from medwarden.app.identity import split as part

    number = part(data_folder(home), device, macs=macs, ips=ips, reason=reason, actor=_me())
    click.echo(f"decision {number}: two devices now; `medwarden identity undo {number}` takes it back")
    return 0


@identity.command()
@click.argument("number", type=int)
@_reason
@home_option
def undo(number: int, reason: str, home: Path | None) -> int:
    """Take decision NUMBER back: all is as if it had never been made. Later decisions hold on."""
    from medwarden.app.home import data_folder
    from medwarden.app.identity import undo as take_back

    take_back(data_folder(home), number, reason=reason, actor=_me())
    click.echo(f"decision {number} is undone")
    return 0


@identity.command("list")
@click.option("--device", default="", help="Decisions on this device alone (id, MAC or IP address).")
@home_option
@json_option
def list_decisions(device: str, home: Path | None, as_json: bool) -> int:
    """Show what was decided, the latest first."""
    from medwarden.app.home import data_folder
    from medwarden.app.identity import decision_rows

    rows = decision_rows(data_folder(home), device=device)
    if as_json:
        for row in rows:
            print_json(plain(row))
        return 0
    print_table(
        "",
        ("number", "when", "who", "what", "devices", "reason", "undone"),
        [
            (
                row.number,
                iso(row.at_ns)[:19],
                row.actor,
                row.action,
                ", ".join(str(shown["name"]) for shown in row.shown),
                row.reason,
                row.undone_by,
            )
            for row in rows
        ],
        right=("number",),
    )
    return 0


@identity.command()
@home_option
@json_option
def proposals(home: Path | None, as_json: bool) -> int:
    """Show which devices may be one, the likeliest first, with what speaks for and against it."""
    from medwarden.app.home import data_folder
    from medwarden.app.identity import proposal_rows

    rows = proposal_rows(data_folder(home))
    if as_json:
        for row in rows:
            print_json(plain(row))
        return 0
    print_table(
        "",
        ("proposal", "kind", "first", "second", "odds", "for", "against"),
        [
            (
                row.id,
                row.kind,
                row.left_name or row.left,
                row.right_name or row.right,
                f"{row.odds:.1f}",
                "; ".join(row.supporting),
                "; ".join(row.against),
            )
            for row in rows
        ],
        right=("odds",),
    )
    return 0


@identity.command()
@click.argument("proposal")
@_reason
@home_option
def accept(proposal: str, reason: str, home: Path | None) -> int:
    """Make the two devices of PROPOSAL one."""
    from medwarden.app.home import data_folder
    from medwarden.app.identity import decide_proposal

    number = decide_proposal(data_folder(home), proposal, accepted=True, reason=reason, actor=_me())
    click.echo(f"decision {number}: one device now; `medwarden identity undo {number}` takes it back")
    return 0


@identity.command()
@click.argument("proposal")
@_reason
@home_option
def reject(proposal: str, reason: str, home: Path | None) -> int:
    """Say that the devices of PROPOSAL are two; it is not made again."""
    from medwarden.app.home import data_folder
    from medwarden.app.identity import decide_proposal

    decide_proposal(data_folder(home), proposal, accepted=False, reason=reason, actor=_me())
    click.echo("rejected: they stay two devices")
    return 0


@identity.command()
@home_option
@click.option("--site", default=None, help="Site whose devices to look at.")
@json_option
def link(home: Path | None, site: str | None, as_json: bool) -> int:
    """Look for devices that are one: join what is certain, propose the rest."""
    from medwarden.app.home import data_folder
    from medwarden.app.identity import link as look

    linked = look(data_folder(home), site)
    if as_json:
        print_json(plain(linked))
    else:
        click.echo(f"{linked.joined} joined, {linked.proposed} proposed: see `medwarden identity proposals`")
    return 0


@identity.command()
@click.argument("device")
@home_option
@json_option
def history(device: str, home: Path | None, as_json: bool) -> int:
    """Show what DEVICE (id, MAC or IP address) was held to be, when that changed, and why."""
    from medwarden.app.home import data_folder
    from medwarden.app.identity import history_rows

    rows = history_rows(data_folder(home), device)
    if as_json:
        for row in rows:
            print_json(plain(row))
        return 0
    print_table(
        "",
        ("when", "level", "was", "is", "confidence", "because"),
        [
            (
                iso(row.at_ns)[:19],
                row.level,
                row.old or "",
                row.new or "",
                f"{row.confidence:.2f}",
                "; ".join(f"{word}: {field}={value}" for word, field, value in row.because),
            )
            for row in rows
        ],
        right=("confidence",),
    )
    return 0


@identity.command()
@home_option
@json_option
def silent(home: Path | None, as_json: bool) -> int:
    """Show devices that were not heard for so long that they are proposed for retirement."""
    from medwarden.app.ageing import silent_rows
    from medwarden.app.home import data_folder

    rows = silent_rows(data_folder(home))
    if as_json:
        for row in rows:
            print_json(plain(row))
        return 0
    print_table(
        "",
        ("id", "name", "site", "category", "last heard", "days"),
        [(r.id, r.name or "", r.site, r.category or "", iso(r.last_seen)[:19], r.days) for r in rows],
        right=("days",),
    )
    return 0


@identity.command()
@click.option("--days", type=click.IntRange(min=1), default=90, show_default=True, help="Days of silence.")
@click.option(
    "--randomised-days",
    type=click.IntRange(min=1),
    default=14,
    show_default=True,
    help="The same for devices with randomised addresses alone, as phones of visitors.",
)
@click.option("--automatic/--ask", default=False, show_default=True, help="Retire by the rule, or ask.")
@click.option("--site", default=None, help="Site this holds for; all where none is named.")
@_reason
@home_option
def retirement(
    days: int, randomised_days: int, automatic: bool, site: str | None, reason: str, home: Path | None
) -> int:
    """Set after how many days of silence a device is gone. One that is heard again comes back by itself."""
    from medwarden.app.ageing import set_retirement
    from medwarden.app.home import data_folder

    wanted = set_retirement(
        data_folder(home),
        days=days,
        randomised_days=randomised_days,
        automatic=automatic,
        actor=_me(),
        reason=reason,
        site=site,
    )
    done = "retired" if wanted.automatic else "proposed for retirement"
    click.echo(
        f"{done} after {wanted.days} days of silence, {wanted.randomised_days} with randomised addresses"
    )
    return 0
