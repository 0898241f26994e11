"""What to replace: ``replacement``, ``replacement budget`` and ``replacement lives``."""

from __future__ import annotations

import csv
import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from medwarden.cli.output import home_option, json_option, plain, print_json, print_table
from medwarden.kernel.printable import neutral_text

if TYPE_CHECKING:
    from medwarden.store.queries.scope import Scope

site_option = click.option("--site", default=None, help="Only this site.")


@contextmanager
def _opened(home: Path | None, *, writer: bool = False) -> Iterator[Path]:
    from medwarden.app.home import data_folder
    from medwarden.store.open import open_store

    folder = data_folder(home)
    with open_store(folder, writer=writer, role="replacement" if writer else ""):
        yield folder


def _scope(site: str | None) -> Scope:
    from medwarden.store.queries.scope import Scope

    return Scope(sites=None if site is None else (site,))


@click.group(invoke_without_command=True)
@click.option("--as", "kind", default="table", show_default=True, type=click.Choice(["table", "json", "csv"]))
@site_option
@home_option
@click.pass_context
def replacement(context: click.Context, kind: str, site: str | None, home: Path | None) -> int:
    """List devices to replace: why and how soon, what they are still worth, what a new one costs."""
    if context.invoked_subcommand is not None:
        return 0
    from medwarden.app.replacement import replacements

    with _opened(home) as folder:
        found = replacements(folder, _scope(site))
    if kind == "json":
        for each in found:
            print_json(plain(each))
        return 0
    columns = (
        "device", "name", "urgency", "points", "age", "life", "value", "price", "currency", "support ends",
        "why",
    )  # fmt: skip
    rows = [
        (
            o.device, o.label, o.urgency.value, str(o.points), _cell(o.age_years), str(o.life_years),
            _cell(o.value), _cell(o.price), o.currency, o.support_ends or "", " ".join(o.why),
        )
        for o in found
    ]  # fmt: skip
    if kind == "csv":
        csv.writer(sys.stdout).writerows([columns, *([neutral_text(cell) for cell in row] for row in rows)])
    else:
        print_table("", columns, rows, right=("points", "age", "life", "value", "price"))
    return 0


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:g}" if value != int(value) else str(int(value))


@replacement.command()
@click.argument("amount", type=click.IntRange(1))
@click.option("--currency", default="", help="Currency of the amount, as books write it.")
@click.option("--years", default=5, show_default=True, type=click.IntRange(1, 20))
@click.option("--carry", is_flag=True, help="What a year leaves is kept for the next.")
@site_option
@home_option
@json_option
def budget(
    amount: int,
    currency: str,
    years: int,
    carry: bool,
    site: str | None,
    home: Path | None,
    as_json: bool,
) -> int:
    """Say which devices to replace in which year with AMOUNT a year, for the most risk taken away."""
    from medwarden.app.replacement import budget as planned

    with _opened(home) as folder:
        plan = planned(folder, _scope(site), amount, currency=currency, years=years, carry=carry)
    if as_json:
        print_json(plain(plan))
        return 0
    for year in plan.years:
        title = f"{year.year}: {year.cost:,} of {year.had:,} {plan.currency}, {year.points} points go".strip()
        rows = [(each.label, each.device, str(each.points), str(each.cost)) for each in year.chosen]
        print_table(title, ("name", "device", "points", "cost"), rows, right=("points", "cost"))
    left = [(e.label, e.device, e.why.value, str(e.points), _cell(e.cost)) for e in plan.left_out]
    if left:
        print_table("In no year", ("name", "device", "why", "points", "cost"), left, right=("points", "cost"))
    return 0


@replacement.command()
@click.argument("category", required=False)
@click.option("--years", type=click.IntRange(0, 50), help="Useful life; 0 takes it back.")
@click.option("--price", type=click.IntRange(0), help="What a new one costs; 0 takes it back.")
@click.option("--reason", default="", help="Why; kept in the audit chain.")
@site_option
@home_option
@json_option
def lives(
    category: str | None,
    years: int | None,
    price: int | None,
    reason: str,
    site: str | None,
    home: Path | None,
    as_json: bool,
) -> int:
    """Show for how many years kinds of devices are written off and what a new one costs, or set it."""
    from medwarden.app.replacement import category_lives, economics, set_economics

    setting = years is not None or price is not None
    if setting and not (category and reason):
        raise click.UsageError("say which CATEGORY, and --reason")
    with _opened(home, writer=setting):
        if setting and category:
            from medwarden.store.models import DEFAULT_TENANT

            own = economics(DEFAULT_TENANT).get(category)
            kept = (0, 0) if own is None else (own.years, own.price)
            set_economics(
                DEFAULT_TENANT,
                category,
                kept[0] if years is None else years,
                kept[1] if price is None else price,
                actor=f"cli:{getpass.getuser()}",
                reason=reason,
            )
        found = [each for each in category_lives(_scope(site)) if not category or each.category == category]
    if as_json:
        for each in found:
            print_json(plain(each))
        return 0
    rows = [
        (
            e.category,
            e.name,
            str(e.devices),
            str(e.years),
            "set here" if e.own else "assumed",
            str(e.price or ""),
        )
        for e in found
    ]
    columns = ("category", "name", "devices", "years", "by", "price")
    print_table("", columns, rows, right=("devices", "years", "price"))
    return 0
