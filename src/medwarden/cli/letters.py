"""Letters to makers about vulnerabilities on their models: ``letters``."""

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
from medwarden.kernel.clock import iso, wall_clock

if TYPE_CHECKING:
    from medwarden.store.queries import Scope

_TENANT = "default"
_MOST = 1000


def _actor() -> str:
    return f"cli:{getpass.getuser()}"


@contextmanager
def _opened(home: Path | None) -> Iterator[Scope]:
    """Open the data folder to write; yield what may be seen of it."""
    from medwarden.app.home import data_folder
    from medwarden.store.open import open_store

    with open_store(data_folder(home), writer=True, role="letters"):
        from medwarden.store.queries import Scope

        yield Scope(_TENANT)


@click.group()
def letters() -> None:
    """Ask makers for the status of vulnerabilities on their models, and keep what they answer."""


@letters.command("list")
@click.argument("text", metavar="[FILTER]...", nargs=-1)
@click.option("--state", default="", type=click.Choice(["", "draft", "sent", "late", "answered", "closed"]))
@home_option
@json_option
def listed(text: tuple[str, ...], state: str, home: Path | None, as_json: bool) -> int:
    """List letters: late ones first, then those that wait for an answer."""
    with _opened(home) as scope:
        from medwarden.store.queries.letters import letters as of_store

        page = of_store(scope, wall_clock(), state=state, text=" ".join(text), limit=_MOST)
        if as_json:
            for view in page.items:
                print_json(plain(view))
            return 0
        print_table(
            "",
            ("letter", "maker", "model", "state", "vulnerabilities", "answered", "sent", "due"),
            [
                (v.number, v.maker, v.product, "late" if v.late else v.state, len(v.vulnerabilities),
                 len(v.answer), iso(v.sent_ns)[:10] if v.sent_ns else "",
                 iso(v.due_ns)[:10] if v.due_ns else "")
                for v in page.items
            ],
            right=("vulnerabilities", "answered"),
        )  # fmt: skip
    return 0


@letters.command()
@home_option
@json_option
def suggest(home: Path | None, as_json: bool) -> int:
    """List models and versions of which it is open whether vulnerabilities concern them."""
    with _opened(home) as scope:
        from medwarden.store.queries.letters import worth_asking

        found = worth_asking(scope)
        if as_json:
            for each in found:
                print_json(plain(each))
            return 0
        print_table(
            "",
            ("maker", "model", "firmware", "devices", "vulnerabilities", "exploited", "worst"),
            [
                (w.maker, w.model, w.firmware, w.devices, len(w.vulnerabilities), w.exploited, w.worst or "")
                for w in found
            ],
            right=("devices", "vulnerabilities", "exploited", "worst"),
        )
    return 0


@letters.command()
@click.option("--maker", required=True)
@click.option("--model", default="")
@click.option("--firmware", default="")
@click.option("--cve", "cves", multiple=True, required=True, help="A vulnerability to ask about.")
@home_option
def write(maker: str, model: str, firmware: str, cves: tuple[str, ...], home: Path | None) -> int:
    """Write a letter; print its number. A person sends it."""
    from medwarden.app.letters import write as compose

    with _opened(home) as scope:
        click.echo(compose(scope, maker, model, firmware, cves, actor=_actor()))
    return 0


@letters.command()
@click.argument("number")
@click.option("--as", "kind", default="txt", show_default=True, type=click.Choice(["txt", "html", "csv"]))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path))
@home_option
def show(number: str, kind: str, out: Path | None, home: Path | None) -> int:
    """Print a letter, or the table that its maker fills in."""
    from medwarden.app.letters import as_file

    with _opened(home):
        data, _ = as_file(_TENANT, number, kind)
    if out is None:
        sys.stdout.write(data.decode())
    else:
        out.write_bytes(data)
    return 0


@letters.command()
@click.argument("number")
@click.option("--to", required=True, help="To whom: an address, a portal, a name.")
@click.option("--sent", default="", help="The day (today).")
@click.option("--due", default="", help="The day by which an answer is due (30 days later).")
@home_option
def send(number: str, to: str, sent: str, due: str, home: Path | None) -> int:
    """Note that a person sent a letter."""
    from medwarden.app.letters import send as note

    with _opened(home):
        note(_TENANT, number, to=to, actor=_actor(), sent=sent, due=due)
    return 0


@letters.command()
@click.argument("number")
@click.option("--to", default="", help="To whom, where it is somebody else than before.")
@click.option("--due", default="", help="The day by which an answer is due now (14 days on).")
@home_option
def remind(number: str, to: str, due: str, home: Path | None) -> int:
    """Note that the maker was reminded."""
    from medwarden.app.letters import remind as note

    with _opened(home):
        note(_TENANT, number, actor=_actor(), to=to, due=due)
    return 0


@letters.command()
@click.argument("number")
@click.option("--cve", default="", help="The vulnerability that was answered.")
@click.option("--status", default="", help="affected, not affected, fixed or investigating.")
@click.option("--fixed-in", default="", help="The version that corrects it.")
@click.option("--detail", default="")
@click.option("--remedy", default="", help="What the maker says to do.")
@click.option("--source", default="", help="Where the answer stands: a mail, a portal.")
@click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A CSAF or OpenVEX document, or the table that was filled in (CSV).",
)
@home_option
def answer(
    number: str,
    cve: str,
    status: str,
    fixed_in: str,
    detail: str,
    remedy: str,
    source: str,
    file: Path | None,
    home: Path | None,
) -> int:
    """Keep what the maker answered; devices are judged by it at once."""
    from medwarden.app.letters import answer as keep
    from medwarden.app.letters import answer_by_document, answered_of

    if (file is None) == (not cve):
        raise click.UsageError("say --cve with --status, or --file")
    with _opened(home):
        if file is None:
            row = {
                "vulnerability": cve,
                "status": status,
                "fixed_in": fixed_in,
                "detail": detail,
                "remedy": remedy,
            }
            keep(_TENANT, number, answered_of([row]), actor=_actor(), source=source)
        elif file.suffix.lower() == ".csv":
            with file.open(encoding="utf-8-sig", newline="") as lines:
                rows = answered_of(list(csv.DictReader(lines)))
            keep(_TENANT, number, rows, actor=_actor(), source=source or file.name)
        else:
            taken = answer_by_document(_TENANT, number, file.read_bytes(), file.name, actor=_actor())
            click.echo(f"{len(taken.answers)} answered; still open: {', '.join(taken.open) or 'none'}")
    return 0


@letters.command()
@click.argument("number")
@click.option("--reason", required=True)
@home_option
def close(number: str, reason: str, home: Path | None) -> int:
    """Give a letter up, for a reason."""
    from medwarden.app.letters import close as end

    with _opened(home):
        end(_TENANT, number, actor=_actor(), reason=reason)
    return 0


@letters.command()
@click.argument("number")
@click.option("--reason", required=True)
@home_option
def undo(number: str, reason: str, home: Path | None) -> int:
    """Take the last thing that happened to a letter back."""
    from medwarden.app.letters import undo as take_back

    with _opened(home):
        click.echo(f"taken back: {take_back(_TENANT, number, actor=_actor(), reason=reason)}")
    return 0
