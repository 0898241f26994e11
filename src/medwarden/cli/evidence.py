"""``medwarden evidence``: from an answer down to the packets and log lines behind it."""

from __future__ import annotations

from pathlib import Path

import click

from medwarden.cli.output import home_option, json_option, plain, print_json, print_table
from medwarden.kernel.clock import iso


@click.command()
@click.argument("device")
@click.argument("field")
@click.argument("value")
@click.option("--no-look", is_flag=True, help="Do not read captures and logs again.")
@click.option("--limit", default=10, show_default=True, type=click.IntRange(1, 50))
@click.option("--offset", default=0, type=click.IntRange(0))
@home_option
@json_option
def evidence(
    device: str,
    field: str,
    value: str,
    no_look: bool,
    limit: int,
    offset: int,
    home: Path | None,
    as_json: bool,
) -> int:
    """Show where FIELD = VALUE of DEVICE (id, MAC or IP address) comes from, down to packets and lines.

    An answer that was concluded (category, place.room, name) names what it rests on, and a person's or list's
    word who said it.
    """
    from medwarden.app.home import data_folder
    from medwarden.app.inventory import one_device
    from medwarden.app.way_down import way_down
    from medwarden.store.open import open_store

    folder = data_folder(home)
    with open_store(folder, writer=False):
        from medwarden.store.queries import Scope

        meant = one_device(device).id
        found = way_down(Scope(), folder, meant, field, value, look=not no_look, offset=offset, limit=limit)
    if as_json:
        print_json(plain(found))
        return 0
    if found.rests_on:
        grounds = [(g.field, g.value, g.words) for g in found.rests_on]
        print_table("rests on", ("field", "value", "how"), grounds)
    if found.said:
        words = [
            (s.by, s.what, s.where, "" if s.at_ns is None else iso(s.at_ns)[:19], s.reason)
            for s in found.said
        ]
        print_table("said by", ("who", "what", "where", "when", "why"), words)
    if not found.heard:
        return 0
    rows = [
        (
            h.sensor,
            h.input,
            f"{iso(h.first_ns)[:23]} to {iso(h.last_ns)[11:23]}",
            h.count,
            h.ip or h.mac,
            h.state,
            ", ".join(f"{m.number}{'' if m.how == 'says it' else '*'}" for m in h.mentions),
            "; ".join(h.flows[:2]),
        )
        for h in found.heard
    ]
    columns = ("sensor", "input", "heard", "times", "from", "file", "packets or lines", "in")
    print_table("", columns, rows, right=("times",))
    click.echo(f"{found.total} places; * marks packets at that moment that do not hold the words", err=True)
    return 0
