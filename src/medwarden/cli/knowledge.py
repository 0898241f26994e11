"""Knowledge from publishers: ``knowledge import``, ``sync``, ``export``, ``key``, ``status`` and settings."""

from __future__ import annotations

import getpass
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from medwarden.cli.knowledge_settings import ecosystems, provider, schedule, stale_after
from medwarden.cli.output import home_option, json_option, plain, print_json, print_table, progress_of_inputs
from medwarden.kernel.printable import printable

if TYPE_CHECKING:
    from medwarden.app.knowledge import FeedReport
    from medwarden.app.knowledge_bundles import Bundled
    from medwarden.app.knowledge_effect import Effect
    from medwarden.app.knowledge_status import FeedStatus

_MOST_SHOWN = 20
_DAMAGED, _STALE = 1, 3


def _print_feeds(reports: Iterable[FeedReport]) -> None:
    print_table(
        "",
        ("feed", "records", "kept", "passed over", "rejected", "edition"),
        [
            (
                r.feed,
                r.seen,
                r.kept,
                r.passed,
                r.rejected,
                "as before" if r.edition is None else r.edition.nth,
            )
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
@click.option("--replace", is_flag=True, help="Take a bundle that is older than what is in use: go back.")
@home_option
@json_option
def import_(paths: tuple[Path, ...], unsigned: bool, replace: bool, home: Path | None, as_json: bool) -> int:
    """Take in a signed bundle, or publishers' files (folders, zip, tar, gz, zst; told by their content).

    Beside a file, its FILE.sha512, FILE.sha256 and FILE.asc are held against it; the OpenPGP keys for the
    last lie in the folder too. Afterwards devices are matched and scored again.
    """
    from medwarden.app.home import data_folder
    from medwarden.app.knowledge import demand_voucher, import_files
    from medwarden.app.knowledge_bundles import import_bundle, is_bundle
    from medwarden.app.knowledge_effect import brought, taken, with_effect

    folder = data_folder(home)
    bundles = [path for path in paths if is_bundle(path)]
    for path in bundles:
        came, effects = with_effect(
            folder,
            _actor(),
            "imported",
            partial(import_bundle, folder, path, unsigned=unsigned, replace=replace),
            lambda came: taken(came.editions),
        )
        _print_bundle(path, came, effects, as_json)
    files = tuple(path for path in paths if path not in bundles)
    if not files:
        return 0
    demand_voucher(unsigned)
    with progress_of_inputs("reading") as show:
        done, effects = with_effect(
            folder,
            _actor(),
            "imported",
            lambda: import_files(folder, files, unsigned=unsigned, progress=show),
            lambda done: brought(done.feeds),
            show,
        )
    if as_json:
        print_json({**_plain(done), "means": plain(effects)})
    else:
        _print_feeds(done.feeds)
        _print_effects(effects)
    notes = [f"{file.name}: {file.note}" for file in done.files if file.note]
    rejected = [problem for feed in done.feeds for problem in feed.problems]
    for sentence in dict.fromkeys((*done.errors, *rejected[:_MOST_SHOWN], *notes[:_MOST_SHOWN])):
        click.echo(f"medwarden: {printable(sentence)}", err=True)
    if done.unknown:
        shown = ", ".join(done.unknown[:3])
        many = "1 file is" if len(done.unknown) == 1 else f"{len(done.unknown)} files are"
        click.echo(f"medwarden: {many} of no feed that is known, as {printable(shown)}", err=True)
    return 1 if done.errors else 0


def _actor() -> str:
    return f"cli:{getpass.getuser()}"


def _plain(value: object) -> dict[str, object]:
    made = plain(value)
    assert isinstance(made, dict)
    return made


def _print_effects(effects: Iterable[Effect]) -> None:
    for effect in effects:
        for sentence in effect.sentences:
            click.echo(f"{sentence}.")


def _print_bundle(path: Path, done: Bundled, effects: tuple[Effect, ...], as_json: bool) -> None:
    if as_json:
        print_json({**_plain(done), "means": plain(effects)})
    else:
        print_table(
            "",
            ("feed", "records", "published", "edition"),
            [(e.feed, e.records, (e.updated or e.version)[:19], e.nth) for e in done.editions],
            right=("records", "edition"),
        )
        _print_effects(effects)
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
    help="An older bundle, or a list of what is held there: what it names is left out.",
)
@click.option("--list", "list_only", is_flag=True, help="Only list what is held here, for --since elsewhere.")
@home_option
@json_option
def export(
    target: Path,
    feeds: tuple[str, ...],
    since: Path | None,
    list_only: bool,
    home: Path | None,
    as_json: bool,
) -> int:
    """Write what is in use to one signed file, for a place without internet."""
    from medwarden.app.home import data_folder
    from medwarden.app.knowledge_bundles import export_bundle

    with progress_of_inputs("writing") as show:
        made = export_bundle(
            data_folder(home), target, names=feeds, since=since, list_only=list_only, progress=show
        )
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


@knowledge.command()
@click.argument("bundle", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@home_option
@json_option
def diff(bundle: Path, home: Path | None, as_json: bool) -> int:
    """Show what a bundle would change here; nothing is changed, and its signature is not looked at."""
    from medwarden.app.home import data_folder
    from medwarden.app.knowledge_bundles import differences

    found = differences(data_folder(home), bundle)
    if as_json:
        for one in found:
            print_json(plain(one))
        return 0
    print_table(
        "",
        ("feed", "new", "changed", "gone", "as", "not taken because"),
        [
            (
                one.feed,
                len(one.new),
                len(one.changed),
                len(one.gone),
                ", ".join((*one.new, *one.changed, *one.gone)[:3]),
                one.refused,
            )
            for one in found
        ],
        right=("new", "changed", "gone"),
    )
    return 0


@knowledge.command()
@click.argument("id")
@home_option
@json_option
def show(id: str, home: Path | None, as_json: bool) -> int:
    """Show what each source says of a CVE, advisory, recall or UDI-DI, and where each word came from."""
    from medwarden.app.home import data_folder
    from medwarden.app.knowledge_records import words_on
    from medwarden.kernel.clock import to_datetime

    words = words_on(data_folder(home), id)
    if as_json:
        for word in words:
            print_json(plain(word))
    elif words:
        print_table(
            "",
            ("source", "says", "published", "taken in", "from", "proof"),
            [
                (
                    word.feed,
                    word.says,
                    word.updated[:10],
                    f"{to_datetime(word.read_ns):%Y-%m-%d}",
                    word.reference,
                    "verified" if word.verified else word.proof,
                )
                for word in words
            ],
        )
    else:
        click.echo(f"medwarden: no source in use speaks of {printable(id)}", err=True)
    return 0 if words else 1


@knowledge.group()
def key() -> None:
    """Manage the keys that bundles are signed with and trusted by."""


@key.command("show")
@click.option("--renew", is_flag=True, help="Make another key, signed by the old one, which it follows.")
@home_option
def show_key(renew: bool, home: Path | None) -> int:
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
    from medwarden.app.knowledge_steering import note_key

    folder = data_folder(home)
    trusted = trust_key(folder, file, name or file.stem)
    note_key(folder, trusted, trusted=True, actor=_actor(), reason="knowledge key trust")
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
    from medwarden.app.knowledge_steering import note_key

    folder = data_folder(home)
    gone = forget_key(folder, id)
    note_key(folder, gone, trusted=False, actor=_actor(), reason="knowledge key forget")
    click.echo(f"{gone.id} {printable(gone.name)} is no longer trusted")
    return 0


@knowledge.command()
@click.argument("feeds", nargs=-1)
@home_option
@json_option
def sync(feeds: tuple[str, ...], home: Path | None, as_json: bool) -> int:
    """Bring feeds up to date over the network: those named, else all of ordinary size."""
    from medwarden.app.home import data_folder
    from medwarden.app.knowledge_effect import brought, with_effect
    from medwarden.app.knowledge_sync import sync as bring

    folder = data_folder(home)
    with progress_of_inputs("looking at") as show:
        done, effects = with_effect(
            folder, _actor(), "synced", lambda: bring(folder, feeds, progress=show), brought, show
        )
    if as_json:
        print_json({"feeds": plain(done), "means": plain(effects)})
    else:
        _print_feeds(done)
        _print_effects(effects)
    for feed in done:
        for sentence in (feed.error, *feed.problems[:_MOST_SHOWN]):
            if sentence:
                click.echo(f"medwarden: {printable(sentence)}", err=True)
    return 1 if any(feed.error for feed in done) else 0


@knowledge.command()
@click.option("--check", is_flag=True, help="Also read every block: 1 for damage, 3 where knowledge is old.")
@home_option
@json_option
def status(check: bool, home: Path | None, as_json: bool) -> int:
    """Show each feed's age, counts, edition, where it came from, and what went wrong last.

    With --check it ends with 0 where all is whole and fresh, 1 where something is damaged on this disk, and 3
    where knowledge is older than it should be or there is none.
    """
    from medwarden.app.home import data_folder
    from medwarden.app.knowledge_status import check as check_all
    from medwarden.app.knowledge_status import standing
    from medwarden.app.knowledge_status import status as status_of

    folder = data_folder(home)
    found = status_of(folder)
    if as_json:
        for feed in found:
            print_json(plain(feed))
    else:
        print_table(
            "",
            ("feed", "edition", "published", "as of", "records", "proof", "state"),
            [_status_row(feed) for feed in found],
            right=("edition", "records"),
        )
    if not check:
        return 0
    damaged, whole = check_all(folder), standing(folder)
    for sentence in (*damaged, *whole.sentences):
        click.echo(f"medwarden: {printable(sentence)}", err=True)
    return _DAMAGED if damaged else _STALE if whole.stale or not whole.in_use else 0


def _ago(hours: float) -> str:
    return f"{hours:.1f} h ago" if hours < 72 else f"{int(hours // 24):,} d ago"


def _status_row(feed: FeedStatus) -> tuple[object, ...]:
    edition = feed.edition
    said = " ".join(
        word
        for word in (
            f"stale (more than {feed.stale_after_h} h)." if feed.stale else "",
            f"failed last: {feed.failure}" if feed.failure else "",
        )
        if word
    )
    return (
        feed.manifest.id,
        None if edition is None else edition.nth,
        None if edition is None else (edition.updated or edition.version)[:19],
        None if feed.age_h is None else _ago(feed.age_h),
        None if edition is None else edition.records,
        None if edition is None else edition.proof,
        said or ("" if edition else "never taken in"),
    )


@knowledge.command(hidden=True)
@home_option
def job(home: Path | None) -> int:
    """Do the job that a page or the schedule wrote down."""
    from medwarden.app.home import data_folder
    from medwarden.app.knowledge_job import run

    done = run(data_folder(home))
    for sentence in (*done.sentences, *done.errors):
        click.echo(f"medwarden: {printable(sentence)}", err=True)
    return 1 if done.errors else 0


for _command in (schedule, provider, stale_after, ecosystems):
    knowledge.add_command(_command)
