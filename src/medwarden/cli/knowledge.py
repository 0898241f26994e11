"""Knowledge from publishers: ``knowledge import``, ``sync``, ``export``, ``key`` and ``status``."""

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
    """Take in a signed bundle, or publishers' files (folders, zip, tar, gz, zst; told by their content)."""
    from medwarden.app.home import data_folder
    from medwarden.app.knowledge import import_files
    from medwarden.app.knowledge_bundles import is_bundle

    bundles = [path for path in paths if is_bundle(path)]
    for path in bundles:
        _import_bundle(data_folder(home), path, unsigned, as_json)
    paths = tuple(path for path in paths if path not in bundles)
    if not paths:
        return 0
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


def _import_bundle(folder: Path, path: Path, unsigned: bool, as_json: bool) -> None:
    from medwarden.app.knowledge_bundles import import_bundle

    done = import_bundle(folder, path, unsigned=unsigned)
    if as_json:
        print_json(plain(done))
    else:
        print_table(
            "",
            ("feed", "records", "published", "edition"),
            [(e.feed, e.records, (e.updated or e.version)[:19], e.id) for e in done.editions],
            right=("records", "edition"),
        )
    if not done.signed:
        click.echo(f"medwarden: {path.name} is of a key that is not trusted: you vouch for it", err=True)
    for note in done.notes:
        click.echo(f"medwarden: {printable(note)}", err=True)


@knowledge.command()
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--feed", "feeds", multiple=True, help="Only this feed; may be given again.")
@click.option(
    "--since",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An older bundle: what it carries is left out.",
)
@home_option
@json_option
def export(target: Path, feeds: tuple[str, ...], since: Path | None, home: Path | None, as_json: bool) -> int:
    """Write what is in use to one signed file, for a place without internet."""
    from medwarden.app.home import data_folder
    from medwarden.app.knowledge_bundles import export_bundle

    with progress_of_inputs("writing") as show:
        made = export_bundle(data_folder(home), target, names=feeds, since=since, progress=show)
    if as_json:
        print_json(
            {"key": made.key, "made_ns": made.made_ns, "editions": [plain(e.edition) for e in made.editions]}
        )
    else:
        click.echo(
            f"{target}: {len(made.editions)} feeds, {sum(e.edition.records for e in made.editions)} records,"
            f" {target.stat().st_size} bytes, signed with the key {made.key}"
        )
    return 0


@knowledge.group()
def key() -> None:
    """Manage the keys that bundles are signed with and trusted by."""


@key.command()
@click.option("--renew", is_flag=True, help="Make another key; trust it anew where bundles are taken in.")
@home_option
def show(renew: bool, home: Path | None) -> int:
    """Print the public key of this folder, to be trusted elsewhere; its id goes to stderr."""
    from medwarden.app.home import data_folder
    from medwarden.app.knowledge_bundles import own_key

    id, pem = own_key(data_folder(home), renew=renew)
    click.echo(f"medwarden: the key {id}", err=True)
    click.echo(pem, nl=False)
    return 0


@key.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", default="", help="Whose key it is.")
@home_option
def trust(file: Path, name: str, home: Path | None) -> int:
    """Take in bundles signed with the public key in FILE. Compare its id over another way first."""
    from medwarden.app.home import data_folder
    from medwarden.app.knowledge_bundles import trust as trust_key

    trusted = trust_key(data_folder(home), file, name or file.stem)
    click.echo(f"{trusted.id} {printable(trusted.name)}")
    return 0


@key.command("list")
@home_option
@json_option
def list_(home: Path | None, as_json: bool) -> int:
    """List the keys that are trusted."""
    from medwarden.app.home import data_folder
    from medwarden.app.knowledge_bundles import trusted

    for held in trusted(data_folder(home)):
        if as_json:
            print_json(plain(held))
        else:
            click.echo(f"{held.id} {printable(held.name)}")
    return 0


@key.command()
@click.argument("id")
@home_option
def forget(id: str, home: Path | None) -> int:
    """Trust the key with this id (or its beginning) no longer."""
    from medwarden.app.home import data_folder
    from medwarden.app.knowledge_bundles import forget as forget_key

    gone = forget_key(data_folder(home), id)
    click.echo(f"{gone.id} {printable(gone.name)} is no longer trusted")
    return 0


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
