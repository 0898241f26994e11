"""Knowledge from publishers: ``knowledge import`` and ``knowledge status``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from medwarden.cli.output import home_option, json_option, plain, print_json, print_table, progress_of_inputs
from medwarden.kernel.printable import printable

if TYPE_CHECKING:
    from medwarden.app.knowledge import FeedReport

_MOST_SHOWN = 20


def _print_feeds(reports: Iterable[FeedReport]) -> None:
    print_table(
        "",
        ("feed", "records", "kept", "passed over", "rejected", "edition"),
        [
            (r.feed, r.seen, r.kept, r.passed, r.rejected, "as before" if r.edition is None else r.edition.id)
            for r in reports
        ],
        right=("records", "kept", "passed over", "rejected", "edition"),
    )


@click.group()
def knowledge() -> None:
    """Vulnerabilities, advisories, recalls and what else publishers bring: take it in, see how it stands."""


@knowledge.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--unsigned", is_flag=True, help="Take publishers' own files, for which you vouch.")
@home_option
@json_option
def import_(paths: tuple[Path, ...], unsigned: bool, home: Path | None, as_json: bool) -> int:
    """Take in publishers' files (folders, zip, tar, gz, zst; told by their content)."""
    from medwarden.app.home import data_folder
    from medwarden.app.knowledge import import_files

    with progress_of_inputs("reading") as show:
        done = import_files(data_folder(home), paths, unsigned=unsigned, progress=show)
    if as_json:
        print_json(plain(done))
    else:
        _print_feeds(done.feeds)
    notes = [f"{file.name}: {file.note}" for file in done.files if file.note]
    rejected = [problem for feed in done.feeds for problem in feed.problems]
    for sentence in (*done.errors, *rejected[:_MOST_SHOWN], *notes[:_MOST_SHOWN]):
        click.echo(f"medwarden: {printable(sentence)}", err=True)
    if done.unknown:
        shown = ", ".join(done.unknown[:3])
        click.echo(
            f"medwarden: {len(done.unknown)} files are of no feed that is known, as {printable(shown)}",
            err=True,
        )
    return 1 if done.errors else 0


@knowledge.command()
@click.argument("feeds", nargs=-1)
@home_option
@json_option
def sync(feeds: tuple[str, ...], home: Path | None, as_json: bool) -> int:
    """Bring feeds up to date over the network: those named, else all of ordinary size."""
    from medwarden.app.home import data_folder
    from medwarden.app.knowledge_sync import sync as bring

    with progress_of_inputs("looking at") as show:
        done = bring(data_folder(home), feeds, progress=show)
    if as_json:
        print_json(plain(done))
    else:
        _print_feeds(done)
    for feed in done:
        for sentence in (feed.error, *feed.problems[:_MOST_SHOWN]):
            if sentence:
                click.echo(f"medwarden: {printable(sentence)}", err=True)
    return 1 if any(feed.error for feed in done) else 0


@knowledge.command()
@click.option("--check", is_flag=True, help="Read every block and name those that are damaged.")
@home_option
@json_option
def status(check: bool, home: Path | None, as_json: bool) -> int:
    """Show each feed's age, counts, edition, where it came from, and what went wrong last."""
    from medwarden.app.home import data_folder
    from medwarden.app.knowledge import check as check_all
    from medwarden.app.knowledge import status as status_of

    folder = data_folder(home)
    found = status_of(folder)
    if as_json:
        for feed in found:
            print_json(plain(feed))
    else:
        print_table(
            "",
            ("feed", "edition", "published", "looked", "records", "proof", "state"),
            [
                (
                    feed.manifest.id,
                    None if feed.edition is None else feed.edition.id,
                    None if feed.edition is None else (feed.edition.updated or feed.edition.version)[:19],
                    None if feed.age_h is None else f"{feed.age_h:.1f} h ago",
                    None if feed.edition is None else feed.edition.records,
                    None if feed.edition is None else feed.edition.proof,
                    feed.failure or ("stale" if feed.stale else "" if feed.edition else "never taken in"),
                )
                for feed in found
            ],
            right=("edition", "records"),
        )
    damaged = check_all(folder) if check else ()
    for sentence in damaged:
        click.echo(f"medwarden: {printable(sentence)}", err=True)
    return 1 if damaged else 0
