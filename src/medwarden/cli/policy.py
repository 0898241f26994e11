"""Commands of the policy life cycle that exist by now: ``policy learn``, ``list`` and ``export``."""

from __future__ import annotations

import getpass
from pathlib import Path

import click

from medwarden.cli.output import home_option, json_option, plain, print_json, print_table


@click.group()
def policy() -> None:
    """Learn, list and export least-privilege policies."""


@policy.command()
@home_option
@click.option("--device", default=None, help="Id, MAC or IP address of one device.")
@click.option("--category", default=None, help="A category of the taxonomy, for all its devices.")
@click.option("--site", default=None, help="Site of the category's devices, where they are at several.")
@json_option
def learn(
    home: Path | None, device: str | None, category: str | None, site: str | None, as_json: bool
) -> int:
    """Learn an allow list from what was observed, and store it as a policy."""
    from medwarden.app.home import data_folder
    from medwarden.app.policies import learn_policy
    from medwarden.policy.text import to_text

    learnt = learn_policy(
        data_folder(home), device=device, category=category, actor=f"cli:{getpass.getuser()}", site=site
    )
    if as_json:
        print_json(plain(learnt))
    else:
        click.echo(to_text(learnt), nl=False)
    return 0


@policy.command("list")
@home_option
@json_option
def list_policies(home: Path | None, as_json: bool) -> int:
    """Show the policies there are."""
    from medwarden.app.home import data_folder
    from medwarden.app.policies import policy_rows

    rows = policy_rows(data_folder(home))
    if as_json:
        for row in rows:
            print_json(row)
        return 0
    columns = ("id", "title", "subject_kind", "state", "version")
    print_table("", columns, [[row[c] for c in columns] for row in rows], right=("version",))
    return 0


@policy.command()
@click.argument("identifier")
@home_option
@click.option("--format", "form", type=click.Choice(["text", "mud"]), default="text", show_default=True)
def export(identifier: str, home: Path | None, form: str) -> int:
    """Print a policy as text or as an RFC 8520 MUD file."""
    from medwarden.app.home import data_folder
    from medwarden.app.policies import stored_policy

    click.echo(stored_policy(data_folder(home), identifier, form), nl=False)
    return 0
