"""Fingerprints: ``list``, ``show``, ``lint``, ``test``, ``add`` and ``remove``."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from medwarden.cli.output import (
    home_option,
    json_option,
    plain,
    print_json,
    print_table,
    progress_of_inputs,
    report_inputs,
)

if TYPE_CHECKING:
    from medwarden.knowledge.fingerprints.rules import Fingerprint

_FILES = click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)


@click.group()
def fingerprint() -> None:
    """Read, check, try and add the rules that devices are recognised by."""


@fingerprint.command("list")
@click.argument("text", default="")
@home_option
@json_option
def list_rules(text: str, home: Path | None, as_json: bool) -> int:
    """List the rules in use, those whose id or labels contain TEXT."""
    rules = [rule for rule in _in_use(home) if text.lower() in f"{rule.id} {rule.says}".lower()]
    if as_json:
        for rule in rules:
            print_json(plain(rule))
        return 0
    rows = [[rule.id, ", ".join(f"{k}: {v}" for k, v in rule.says.items()), rule.trust] for rule in rules]
    print_table("", ("rule", "says", "trust"), rows)
    return 0


@fingerprint.command()
@click.argument("rule_id")
@home_option
def show(rule_id: str, home: Path | None) -> int:
    """Print one rule with its examples, in the form it is written in."""
    import msgspec
    import yaml

    found = next((rule for rule in _in_use(home) if rule.id == rule_id), None)
    if found is None:
        raise click.UsageError(f"no rule is called {rule_id!r}: see `medwarden fingerprint list`")
    body = {key: value for key, value in msgspec.to_builtins(found).items() if value not in ((), [], False)}
    body["when"] = _without_empty(body["when"])
    click.echo(yaml.safe_dump([body], sort_keys=False, allow_unicode=True), nl=False)
    return 0


def _without_empty(when: object) -> object:
    if isinstance(when, dict):
        return {key: list(v) if isinstance(v, tuple) else v for key, v in when.items() if v is not None}
    return [_without_empty(look) for look in when] if isinstance(when, list | tuple) else when


@fingerprint.command()
@_FILES
def lint(files: tuple[Path, ...]) -> int:
    """Check rule files; every complaint names file and line."""
    from medwarden.app.fingerprints import check_file

    bad = 0
    for path in files:
        rules, problems = check_file(path)
        for problem in problems:
            click.echo(problem, err=True)
        bad += len(problems)
        if not problems:
            click.echo(f"{path}: {len(rules)} rules, each holds its examples")
    return 1 if bad else 0


@fingerprint.command("test")
@click.argument("captures", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--rules",
    "rule_files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Try the rules of this file (may be repeated) and show what they would change.",
)
@home_option
@json_option
def try_captures(
    captures: tuple[Path, ...], rule_files: tuple[Path, ...], home: Path | None, as_json: bool
) -> int:
    """Show which rules match the devices of captures and logs. Nothing is stored."""
    from medwarden.app.fingerprints import check_file, try_rules

    _in_use(home)
    rules: list[Fingerprint] | None = [] if rule_files else None
    for path in rule_files:
        found, problems = check_file(path)
        if problems:
            raise click.UsageError("\n".join(problems))
        assert rules is not None
        rules += found
    with progress_of_inputs("reading") as progress:
        trial = try_rules(captures, None if rules is None else tuple(rules), progress=progress)
    if as_json:
        for tried in trial.devices:
            print_json(plain(tried))
    else:
        for tried in trial.devices:
            click.echo(f"{tried.device}  {' '.join(tried.macs)}")
            for m in tried.matched:
                says = ", ".join(f"{k} {v}" for k, v in m.says.items())
                click.echo(f"    {m.rule}: {m.field} = {m.value!r} says {says}")
            for level, now in tried.after.items():
                if now != tried.before[level]:
                    click.echo(f"    {level}: {tried.before[level] or 'open'} becomes {now or 'open'}")
    changed = sum(tried.before != tried.after for tried in trial.devices)
    click.echo(
        f"{len(trial.devices)} of {trial.of} devices match"
        + ("" if rules is None else f", {changed} would be called otherwise"),
        err=True,
    )
    return report_inputs(trial.inputs, ())


@fingerprint.command()
@_FILES
@home_option
def add(files: tuple[Path, ...], home: Path | None) -> int:
    """Check rule files, keep them in the data folder, and judge all devices anew."""
    from medwarden.app.fingerprints import add_file
    from medwarden.app.home import data_folder

    for path in files:
        count = add_file(data_folder(home), path, actor=f"cli:{getpass.getuser()}")
        click.echo(f"{path.name}: {count} rules in use")
    return 0


@fingerprint.command()
@click.argument("name")
@home_option
def remove(name: str, home: Path | None) -> int:
    """Take a file of own rules out of use."""
    from medwarden.app.fingerprints import remove_file
    from medwarden.app.home import data_folder

    remove_file(data_folder(home), name, actor=f"cli:{getpass.getuser()}")
    click.echo(f"{name}: out of use")
    return 0


def _in_use(home: Path | None) -> tuple[Fingerprint, ...]:
    from medwarden.app.fingerprints import load_own
    from medwarden.app.home import data_folder
    from medwarden.knowledge.fingerprints.rules import fingerprints

    load_own(data_folder(home))
    return fingerprints()
