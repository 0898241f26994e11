"""Commands on what is heard as a whole: ``names``, ``batteries`` and ``coverage``."""

from __future__ import annotations

from pathlib import Path

import click

from medwarden.cli.output import home_option, json_option, plain, print_json, print_table
from medwarden.kernel.clock import iso


@click.command()
@home_option
@json_option
def names(home: Path | None, as_json: bool) -> int:
    """Show AE titles and HL7 applications, who answers to them, and the disputes over names."""
    from medwarden.app.home import data_folder
    from medwarden.app.inventory import names_known

    found = names_known(data_folder(home))
    if as_json:
        print_json(plain(found))
        return 0
    rows = [
        (name.name, name.kind.value, use.label, use.device, "own" if use.claimed else "called", use.count)
        for name in found.titles
        for use in name.uses
    ]
    print_table("", ("name", "kind", "device", "id", "how", "times"), rows, right=("times",))
    disputes = [(c.kind.value, c.name, c.sentence, iso(c.since)[:19]) for c in found.conflicts]
    print_table("Disputes", ("what", "name", "in words", "since"), disputes)
    return 0


@click.command()
@home_option
@json_option
def batteries(home: Path | None, as_json: bool) -> int:
    """Show how full the batteries of pumps and monitors were when they last said so."""
    from medwarden.app.home import data_folder
    from medwarden.app.inventory import battery_rows

    rows = battery_rows(data_folder(home))
    if as_json:
        for row in rows:
            print_json(row)
        return 0
    columns = ("equipment", "told_by", "location", "percent", "power", "seen")
    print_table("", columns, [[row[c] for c in columns] for row in rows], right=("percent",))
    return 0


@click.command()
@home_option
@json_option
def coverage(home: Path | None, as_json: bool) -> int:
    """Show how well each subnet is seen, what each sensor hears, and what to connect next."""
    from medwarden.app.home import data_folder
    from medwarden.app.inventory import sight

    found = sight(data_folder(home))
    if as_json:
        print_json(plain(found))
        return 0
    lacks = ("address_only", "without_dhcp", "without_category", "silent", "without_place")
    rows = [
        (s.subnet, s.word, s.devices, s.medical, *(getattr(s, name) for name in lacks)) for s in found.subnets
    ]
    counts = ("devices", "medical", "no MAC", "no DHCP", "no category", "silent", "no place")
    print_table("Subnets", ("subnet", "seen", *counts), rows, right=counts)
    heard = [(h.sensor, h.protocol, h.devices, iso(h.last_seen)[:19]) for h in found.heard]
    print_table("Heard", ("sensor", "protocol", "devices", "last heard"), heard, right=("devices",))
    steps = [
        (p.source, p.where, p.devices or "not known", p.medical, p.brings, p.command) for p in found.positions
    ]
    columns = ("source", "where", "devices", "medical", "brings", "command")
    print_table("What to connect next", columns, steps, right=("devices", "medical"))
    if found.limits:
        limits = [(gap.topic, gap.state, gap.detail, gap.remedy) for gap in found.limits]
        print_table("What sources cannot tell", ("source", "state", "in words", "remedy"), limits)
    return 0
