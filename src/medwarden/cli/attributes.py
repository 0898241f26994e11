"""A hospital's own attributes: ``attributes load``, ``list``, ``show``, ``set``, ``clear`` and ``fill``."""

from __future__ import annotations

import getpass
from pathlib import Path

import click

from medwarden.cli.output import home_option, json_option, plain, print_json, print_table
from medwarden.kernel.clock import iso


@click.group()
def attributes() -> None:
    """Define attributes of devices, and rules that fill them."""


@attributes.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@home_option
def load(file: Path, home: Path | None) -> int:
    r"""Take in attributes and rules from a YAML file; its rules replace those there are.

    \b
    attributes:
      - {name: clinical_owner, title: Clinical owner, kind: choice, choices: [ICU, OR]}
    rules:
      - name: pumps of the ICU
        attribute: clinical_owner
        value: ICU
        when: {category: infusion_pump, book: {department: "ICU*"}}
    """
    from medwarden.app.attributes import load_file
    from medwarden.app.home import data_folder

    read, changed = load_file(data_folder(home), file, actor=f"cli:{getpass.getuser()}")
    click.echo(f"{len(read.attributes)} attributes, {len(read.rules)} rules; {changed} values changed")
    return 0


@attributes.command("list")
@home_option
@json_option
def list_attributes(home: Path | None, as_json: bool) -> int:
    """Show the attributes and rules there are."""
    from medwarden.app.attributes import as_file
    from medwarden.app.home import data_folder

    found = as_file(data_folder(home))
    if as_json:
        print_json(plain(found))
        return 0
    print_table(
        "",
        ("attribute", "title", "kind", "choices", "editors"),
        [
            (s.name, s.title, s.kind.value, ", ".join(s.choices), ", ".join(s.editors))
            for s in found.attributes
        ],
    )
    print_table(
        "",
        ("rule", "attribute", "value", "when"),
        [(r.name, r.attribute, r.value, plain(r.when)) for r in found.rules],
    )
    return 0


@attributes.command()
@click.argument("device")
@home_option
@json_option
def show(device: str, home: Path | None, as_json: bool) -> int:
    """Show the values of DEVICE (id, MAC or IP) and why they are so."""
    from medwarden.app.attributes import shown
    from medwarden.app.home import data_folder

    found = shown(data_folder(home), device)
    if as_json:
        print_json(plain(found))
        return 0
    rows = [(v.name, v.value, v.rule or "by hand", v.why, v.actor, iso(v.at_ns)[:16]) for v in found]
    print_table("", ("attribute", "value", "rule", "why", "by", "since"), rows)
    return 0


@attributes.command("set")
@click.argument("device")
@click.argument("name")
@click.argument("value")
@click.option("--reason", default="", help="Why; kept with the value.")
@home_option
def set_value(device: str, name: str, value: str, reason: str, home: Path | None) -> int:
    """Set attribute NAME of DEVICE to VALUE by hand, which outranks every rule."""
    from medwarden.app.attributes import set_by_hand
    from medwarden.app.home import data_folder

    actor = f"cli:{getpass.getuser()}"
    click.echo(set_by_hand(data_folder(home), device, name, value, actor=actor, reason=reason))
    return 0


@attributes.command()
@click.argument("device")
@click.argument("name")
@click.option("--reason", default="", help="Why; kept in the audit chain.")
@home_option
def clear(device: str, name: str, reason: str, home: Path | None) -> int:
    """Take a value away that was set by hand; rules may fill it again."""
    from medwarden.app.attributes import set_by_hand
    from medwarden.app.home import data_folder

    actor = f"cli:{getpass.getuser()}"
    set_by_hand(data_folder(home), device, name, None, actor=actor, reason=reason)
    return 0
