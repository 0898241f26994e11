"""Sites: ``sites list`` and ``sites vlans``."""

from __future__ import annotations

import getpass
from pathlib import Path

import click

from medwarden.cli.output import home_option, json_option, print_json, print_table


@click.group()
def sites() -> None:
    """Show sites, and say which VLANs belong to which: one site is one address space."""


@sites.command("list")
@home_option
@json_option
def list_sites(home: Path | None, as_json: bool) -> int:
    """Show the sites with their VLANs and devices."""
    from medwarden.app.home import data_folder
    from medwarden.app.sites import site_rows

    rows = site_rows(data_folder(home))
    if as_json:
        for row in rows:
            print_json(row)
        return 0
    columns = ("id", "name", "vlans", "devices")
    print_table("", columns, [[row[c] for c in columns] for row in rows], right=("devices",))
    return 0


@sites.command()
@click.argument("site")
@click.argument("ranges")
@home_option
@click.option("--reason", default="set on the command line", show_default=True, help="Why, for the audit.")
def vlans(site: str, ranges: str, home: Path | None, reason: str) -> int:
    """Let SITE (made when new) claim the VLANs of RANGES, as 100-199,300; an empty text claims none.

    What a sensor of another site hears on these VLANs goes to SITE from its next start on, so that
    networks with the same addresses are told apart.
    """
    from medwarden.app.home import data_folder
    from medwarden.app.sites import claim_vlans

    claimed = claim_vlans(data_folder(home), site, ranges, actor=f"cli:{getpass.getuser()}", reason=reason)
    click.echo(f"{site}: {claimed or 'no VLANs'}")
    return 0
