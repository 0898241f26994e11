"""Commands for running medwarden: ``doctor``, ``backup``, ``restore`` and ``user``."""

from __future__ import annotations

import getpass
from pathlib import Path

import click

from medwarden.cli.output import home_option, json_option, print_json, print_table

_ROLES = ("viewer", "analyst", "network_engineer", "biomedical_engineer", "auditor", "administrator")


@click.command()
@home_option
@json_option
def doctor(home: Path | None, as_json: bool) -> int:
    """Check this machine and the data folder: rights, space, audit chain, every stored file."""
    from medwarden.app.doctor import examine
    from medwarden.app.home import data_folder

    checks = examine(data_folder(home))
    if as_json:
        print_json([{"check": c.name, "ok": c.ok, "says": c.says} for c in checks])
    else:
        print_table("", ("check", "state", "what was found"), [(c.name, c.state, c.says) for c in checks])
    return 0 if all(c.ok is not False for c in checks) else 1


@click.command()
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path))
@home_option
def backup(target: Path, home: Path | None) -> int:
    """Write a consistent backup of the data folder to TARGET, also while medwarden runs."""
    from medwarden.app.home import data_folder
    from medwarden.store.backup import back_up

    written = back_up(data_folder(home), target)
    size = sum(member.size for member in written.files.values())
    click.echo(f"{target}: {len(written.files)} files, {size} bytes before compression", err=True)
    return 0


@click.command()
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@home_option
def restore(source: Path, home: Path | None) -> int:
    """Restore the backup SOURCE into a data folder that does not exist yet or is empty."""
    from medwarden.app.home import data_folder
    from medwarden.store.backup import restore as restore_backup

    folder = data_folder(home)
    restored = restore_backup(source, folder)
    click.echo(f"{folder}: {len(restored.files)} files restored and checked", err=True)
    return 0


@click.group()
def user() -> None:
    """People who may use the console."""


@user.command()
@click.argument("name")
@click.option("--role", type=click.Choice(_ROLES), required=True)
@click.option("--site", "sites", multiple=True, help="Only this site (may be repeated).")
@home_option
def add(name: str, role: str, sites: tuple[str, ...], home: Path | None) -> int:
    """Add a person and print the first password, which is replaced at the first log-in."""
    from medwarden.app.home import data_folder
    from medwarden.cli.people import add_person

    password = add_person(data_folder(home), name, role, sites, _actor())
    click.echo(password)
    return 0


@user.command("list")
@home_option
@json_option
def list_users(home: Path | None, as_json: bool) -> int:
    """Show who may use the console."""
    from medwarden.app.home import data_folder
    from medwarden.cli.people import people

    rows = people(data_folder(home))
    if as_json:
        for row in rows:
            print_json(row)
        return 0
    columns = ("name", "role", "sites", "active", "second_factor", "last_login")
    print_table("", columns, [[row[c] for c in columns] for row in rows])
    return 0


@user.command()
@click.argument("name")
@click.argument("role", type=click.Choice(_ROLES))
@home_option
def role(name: str, role: str, home: Path | None) -> int:
    """Give a person another role."""
    from medwarden.app.home import data_folder
    from medwarden.cli.people import change_role

    change_role(data_folder(home), name, role, _actor())
    return 0


@user.command()
@click.argument("name")
@home_option
def password(name: str, home: Path | None) -> int:
    """Print a new first password for a person and forget the second factor."""
    from medwarden.app.home import data_folder
    from medwarden.cli.people import reset_person

    click.echo(reset_person(data_folder(home), name, _actor()))
    return 0


@user.command()
@click.argument("name")
@home_option
def disable(name: str, home: Path | None) -> int:
    """Shut a person out; what he did stays in the record."""
    from medwarden.app.home import data_folder
    from medwarden.cli.people import disable_person

    disable_person(data_folder(home), name, _actor())
    return 0


def _actor() -> str:
    return f"cli:{getpass.getuser()}"
