"""Risk: where it stands, what a change would do, what to do first, what stood at a date: ``risk``."""

from __future__ import annotations

import getpass
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from medwarden.cli.output import home_option, json_option, print_json, print_table
from medwarden.kernel.clock import iso

if TYPE_CHECKING:
    from collections.abc import Sequence

    from medwarden.model.risk import RiskScore
    from medwarden.risk.counterfactual import WhatIf
    from medwarden.risk.levels import GroupScore
    from medwarden.store.queries.scope import Scope

KINDS = ("organisation", "site", "department", "category", "model")
site_option = click.option("--site", help="Only this site.")


def _actor() -> str:
    return f"cli:{getpass.getuser()}"


def _folder(home: Path | None) -> Path:
    from medwarden.app.home import data_folder

    return data_folder(home)


def _scope(site: str | None) -> Scope:
    from medwarden.store.queries.scope import Scope

    return Scope(sites=None if site is None else (site,))


def _time_of(day: datetime) -> int:
    """Return the end of a day that is given without a time, else the moment itself, in nanoseconds (UTC)."""
    moment = day.replace(tzinfo=UTC)
    if (day.hour, day.minute, day.second) == (0, 0, 0):
        moment += timedelta(days=1) - timedelta(microseconds=1)
    return int(moment.timestamp() * 1_000_000) * 1000


@click.group(invoke_without_command=True)
@home_option
@json_option
@site_option
@click.option("--days", default=30, show_default=True, type=click.IntRange(1, 3650))
@click.pass_context
def risk(context: click.Context, home: Path | None, as_json: bool, site: str | None, days: int) -> int:
    """Say how much risk there is, where it is, and who moved in the last DAYS."""
    if context.invoked_subcommand is not None:
        return 0
    from medwarden.store.open import open_store

    with open_store(_folder(home), writer=False):
        from medwarden.app.risk import overview

        found = overview(_scope(site), days=days)
    if as_json:
        print_json({**msgspec.to_builtins(found), "sentences": found.sentences})
        return 0
    for sentence in found.sentences:
        click.echo(sentence)
    for title, groups in (("Sites", found.sites), ("Kinds of devices", found.categories[:12])):
        if groups:
            click.echo()
            _print_groups(title, groups)
    for title, moved in (("Rose", found.risen), ("Fell", found.fallen)):
        if moved:
            click.echo()
            rows = [(m.name, m.site, m.before, m.now, m.cause) for m in moved]
            print_table(title, ("device", "site", "before", "now", "because"), rows, right=("before", "now"))
    return 0


def _print_groups(title: str, groups: Sequence[GroupScore]) -> None:
    from medwarden.model.risk import RiskLevel

    grave = (RiskLevel.CRITICAL, RiskLevel.HIGH)
    rows = [
        (g.name, g.score, g.level.value, g.devices, *(g.by_level[level] for level in grave), g.why)
        for g in groups
    ]
    columns = ("name", "score", "level", "devices", "critical", "high", "why")
    print_table(title, columns, rows, right=("score", "devices", "critical", "high"))


@risk.command()
@click.option("--kind", default="category", show_default=True, type=click.Choice(KINDS))
@click.option("--as-of", type=click.DateTime(), help="As it stood then (UTC; a day: its end).")
@home_option
@json_option
@site_option
def levels(kind: str, as_of: datetime | None, home: Path | None, as_json: bool, site: str | None) -> int:
    """Score categories, models, departments, sites or everything together, and say which devices make it."""
    from medwarden.store.open import open_store

    with open_store(_folder(home), writer=False):
        from medwarden.app.risk import rules
        from medwarden.risk.levels import GroupKind
        from medwarden.store.queries.groups_at import groups_at
        from medwarden.store.queries.risk_groups import groups

        shape = rules().weights.groups
        if as_of is None:
            found = groups(_scope(site), GroupKind(kind), shape)
        else:
            found = groups_at(_scope(site), GroupKind(kind), _time_of(as_of), shape)
    if as_json:
        for group in found:
            print_json({**msgspec.to_builtins(group), "why": group.why})
        return 0
    _print_groups("", found)
    return 0


@risk.command()
@click.argument("device")
@home_option
@json_option
@click.option("--as-of", type=click.DateTime(), help="As it was computed then (UTC; a day: its end).")
@click.option("--history", is_flag=True, help="Every change of the score, with its cause.")
def device(device: str, home: Path | None, as_json: bool, as_of: datetime | None, history: bool) -> int:
    """Print the score of DEVICE (id, MAC or IP) with the factors that add up to it, now or as of a date."""
    from medwarden.kernel.errors import ConfigurationError
    from medwarden.store.open import open_store

    with open_store(_folder(home), writer=False):
        from medwarden.app.inventory import one_device
        from medwarden.store.queries.scope import Scope
        from medwarden.store.queries.scores import changes_of, risk, risk_at

        found = one_device(device)
        if history:
            moments = changes_of(Scope(), found.id)
            if as_json:
                for moment in moments:
                    print_json(moment)
                return 0
            rows = [(iso(m.at_ns), m.score, m.level, m.likelihood, m.impact, m.cause) for m in moments]
            print_table(found.label, ("since", "score", "level", "likelihood", "impact", "because"), rows)
            return 0
        score = risk(Scope(), found.id) if as_of is None else risk_at(Scope(), found.id, _time_of(as_of))
    if score is None:
        raise ConfigurationError(
            f"{found.label} had no score then" if as_of else f"{found.label} has no score yet"
        )
    if as_json:
        print_json({**msgspec.to_builtins(score), "base_impact": score.base_impact})
        return 0
    _print_score(found.label, score)
    return 0


def _print_score(label: str, score: RiskScore) -> None:
    click.echo(
        f"{label}: {score.score} ({score.level.value}) = likelihood {score.likelihood} x impact "
        f"{score.impact} / 100, by rules {score.rules_version}"
    )
    rows = [(f"{f.points:+d}", f.title, f.group, f.part, f.why) for f in score.factors]
    rows.append(("", "Every device on the network", "impact", score.base_impact, "the base of the impact"))
    columns = ("points", "factor", "group", "part", "why")
    print_table("", columns, rows, right=("points", "part"))


@risk.command("as-of")
@click.argument("day", type=click.DateTime(), metavar="DAY")
@home_option
@json_option
@site_option
def as_of(day: datetime, home: Path | None, as_json: bool, site: str | None) -> int:
    """Say what stood on DAY (UTC, its end): everything together, every site, and the worst devices."""
    from medwarden.store.open import open_store

    at_ns = _time_of(day)
    with open_store(_folder(home), writer=False):
        from medwarden.app.risk import rules
        from medwarden.store.models import Site
        from medwarden.store.queries.risk_groups import contributions, organisation_at, site_at

        scope, shape = _scope(site), rules().weights.groups
        whole = organisation_at(scope, at_ns, shape)
        names = (
            [site] if site else list(Site.objects.filter(tenant_id=scope.tenant).values_list("pk", flat=True))
        )
        sites = [site_at(scope, name, at_ns, shape) for name in names]
        known = contributions([one.device for one in whole.worst])
    if as_json:
        print_json({"as_of": iso(at_ns), "whole": whole, "sites": sites})
        return 0
    click.echo(f"As of {iso(at_ns)}: {whole.score} ({whole.level.value}). {whole.why}")
    _print_groups("Sites", sites)
    rows = [(known.get(one.device, (one.device, ""))[0], one.score, one.points) for one in whole.worst]
    print_table("What made it", ("device", "score", "points"), rows, right=("score", "points"))
    return 0


@risk.command("what-if")
@click.argument("device")
@click.argument("actions", nargs=-1, metavar="[ACTION]...")
@home_option
@json_option
def what_if(device: str, actions: tuple[str, ...], home: Path | None, as_json: bool) -> int:
    """Say what ACTIONs together would do to the score of DEVICE; without any, what each one would.

    ACTION is patch, patch:CVE-2021-1234, disable_service:tcp/23, enforce, move:10.1.2.0/24, isolate
    or retire.
    """
    from medwarden.store.open import open_store

    with open_store(_folder(home), writer=False):
        from medwarden.app.inventory import one_device
        from medwarden.app.risk import parse_action, what_ifs
        from medwarden.store.queries.scope import Scope

        chosen = [tuple(parse_action(text) for text in actions)] if actions else None
        found = what_ifs(Scope(), one_device(device).id, chosen)
    if as_json:
        for answer in found:
            print_json(_contract(answer))
        return 0
    if not found:
        click.echo("There is nothing to correct, to switch off or to limit.")
        return 0
    rows = [
        (
            " and ".join(action.words for action in answer.actions),
            f"{answer.before.score} to {answer.score}",
            answer.level.value,
            f"{answer.cost:g} h",
            ", ".join(answer.gone),
        )
        for answer in found
    ]
    print_table("", ("what", "score", "level", "cost", "no longer counts"), rows)
    return 0


def _contract(answer: WhatIf) -> dict[str, object]:
    return {
        "device": answer.device,
        "actions": [msgspec.to_builtins(action) for action in answer.actions],
        "words": [action.words for action in answer.actions],
        "before": answer.before.score,
        "after": answer.score,
        "level": answer.level.value,
        "cost": answer.cost,
        "gone": answer.gone,
        "come": answer.come,
    }


@risk.command()
@click.option(
    "--to", "level", default="medium", show_default=True, type=click.Choice(("low", "medium", "high"))
)
@click.option(
    "--most", default=400, show_default=True, type=click.IntRange(1, 20_000), help="Devices looked at."
)
@home_option
@json_option
@site_option
def plan(level: str, most: int, home: Path | None, as_json: bool, site: str | None) -> int:
    """Find the cheapest set of actions that brings a site, or everything, to a level or below."""
    from medwarden.cli.output import progress_of_inputs
    from medwarden.store.open import open_store

    with open_store(_folder(home), writer=False), progress_of_inputs("looking at devices") as progress:
        from medwarden.app.risk import plan_site
        from medwarden.model.risk import RiskLevel
        from medwarden.store.queries.risk_groups import contributions

        found = plan_site(_scope(site), RiskLevel(level), most=most, progress=progress)
        known = contributions([chosen.device for chosen in found.chosen])
    if as_json:
        print_json(found)
        return 0 if found.reached else 1
    sure = "the cheapest there is" if found.exact else f"no plan costs less than {found.bound:g} h"
    click.echo(
        f"From {found.before} to {found.after} for {found.cost:g} h of work on {len(found.chosen)} of "
        f"{found.devices:,} devices ({sure})."
        if found.reached
        else f"Not reached: everything that helps on the {most} worst devices brings {found.before} to"
        f" {found.after}."
    )
    rows = [
        (
            known.get(chosen.device, (chosen.device, ""))[0],
            " and ".join(action.words for action in chosen.option.actions),
            f"{chosen.before} to {chosen.option.score}",
            f"{chosen.option.cost:g} h",
        )
        for chosen in found.chosen
    ]
    print_table("", ("device", "what", "score", "cost"), rows, right=("cost",))
    return 0 if found.reached else 1


@risk.command()
@click.option("--check", type=click.Path(dir_okay=False, path_type=Path), help="Try a file of own weights.")
@click.option(
    "--use", type=click.Path(dir_okay=False, path_type=Path), help="Put it in force; needs --reason."
)
@click.option("--shipped", is_flag=True, help="Go back to the weights as shipped; needs --reason.")
@click.option("--explain", is_flag=True, help="Print the file as shipped, with its explanations.")
@click.option("--reason", default="")
@home_option
@json_option
def weights(
    check: Path | None,
    use: Path | None,
    shipped: bool,
    explain: bool,
    reason: str,
    home: Path | None,
    as_json: bool,
) -> int:
    """Show the weights in force, try a file of own ones, or put it in force and score everything anew."""
    from medwarden.app.risk_rules import put_in_force, read_rules, rules_in_force
    from medwarden.risk.weights import shipped_text
    from medwarden.store.open import open_store

    if explain:
        sys.stdout.write(shipped_text())
        return 0
    if check is not None:
        rules = read_rules(check)
        click.echo(f"{check} holds: the rules would be {rules.version}")
        return 0
    folder = _folder(home)
    if use is not None or shipped:
        with open_store(folder, writer=True, role="risk"):
            from medwarden.app.judge import assess_due
            from medwarden.store.models import Site

            rules = put_in_force(folder, None if shipped else use, actor=_actor(), reason=reason)
            scored = sum(assess_due(t, s) for t, s in Site.objects.values_list("tenant_id", "pk"))
        click.echo(f"Rules {rules.version} are in force; {scored:,} devices were scored anew.")
        return 0
    rules = rules_in_force(folder)
    if as_json:
        print_json({"version": rules.version, "own": bool(rules.own), "weights": rules.weights})
        return 0
    click.echo(f"Rules {rules.version}{', with weights of your own' if rules.own else ', as shipped'}")
    rows = [(name, f"{points:g}") for name, points in sorted(rules.weights.points.items())]
    print_table("", ("factor", "points"), rows, right=("points",))
    return 0


@risk.command()
@click.option("--as-of", "day", type=click.DateTime(), help="As it stood then (UTC; a day: its end).")
@click.option("--format", "form", default="json", show_default=True, type=click.Choice(("json", "csv")))
@click.option("-o", "--out", type=click.Path(dir_okay=False, path_type=Path), required=True)
@click.option("--check", is_flag=True, help="Instead of writing OUT, tell whether it was exported here.")
@home_option
@site_option
def export(
    day: datetime | None, form: str, out: Path, check: bool, home: Path | None, site: str | None
) -> int:
    """Write every score with its factors, as of a date, to OUT and what proves it to OUT.proof.json.

    The digest of the file is written to the sealed audit chain.
    """
    from medwarden.kernel.clock import wall_clock
    from medwarden.kernel.errors import ResourceError
    from medwarden.store.open import open_store

    if check:
        with open_store(_folder(home), writer=False):
            from medwarden.app.risk_export import check_file

            genuine = check_file(out)
        click.echo(f"{out} {'was exported here and is unchanged' if genuine else 'was not exported here so'}")
        return 0 if genuine else 1
    at_ns = wall_clock() if day is None else _time_of(day)
    with open_store(_folder(home), writer=True, role="risk"):
        from medwarden.app.risk_export import proved

        data, proof = proved(_scope(site), at_ns, form, actor=_actor(), reason="exported by command")
    try:
        out.write_bytes(data)
        out.with_name(f"{out.name}.proof.json").write_bytes(msgspec.json.format(msgspec.json.encode(proof)))
    except OSError as error:
        raise ResourceError(f"{out} cannot be written: {error.strerror}") from error
    click.echo(f"{out}: {proof.devices:,} devices as of {proof.as_of}, SHA-256 {proof.sha256}")
    return 0
