"""VEX documents: brought in, decided on, taken back, written; and whose signature proves whose word."""

from __future__ import annotations

import getpass
from pathlib import Path

import click

from medwarden.cli.output import home_option, json_option, plain, print_json, print_table
from medwarden.kernel.clock import iso
from medwarden.kernel.errors import ResourceError
from medwarden.kernel.printable import printable
from medwarden.risk.work.vex.statement import JUSTIFICATIONS, VexStatus

_MOST_SHOWN = 20


def _actor() -> str:
    return f"cli:{getpass.getuser()}"


@click.group()
def vex() -> None:
    """Tell others what concerns the hospital's devices, and take in what they tell (VEX)."""


@vex.command("import")
@click.argument("document", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--author", default="", help="Whose word it is, where the document does not say.")
@home_option
@json_option
def import_document(document: Path, author: str, home: Path | None, as_json: bool) -> int:
    """Take in a document of OpenVEX, CSAF or CycloneDX.

    What the maker of a device says of it counts; what anybody else says waits for `vex accept`. Beside the
    file, its FILE.sha512, FILE.sha256 and FILE.asc are held against it, with the OpenPGP keys of its folder.
    """
    from medwarden.app.home import data_folder
    from medwarden.app.vex_desk import import_file

    done = import_file(data_folder(home), document, actor=_actor(), author=author)
    if as_json:
        print_json(plain(done))
    else:
        states = ", ".join(f"{n} {state}" for state, n in sorted(done.states.items()))
        click.echo(f"{done.id}: {done.statements} statements by {printable(done.author)} ({states})")
        by = f" ({printable(done.signer)}, key {done.fingerprint})" if done.fingerprint else ""
        click.echo(f"{done.id}: {printable(done.checked)}{by}")
    for problem in done.problems[:_MOST_SHOWN]:
        click.echo(
            f"medwarden: {printable(str(document))}, {printable(problem.place)}: {printable(problem.reason)}",
            err=True,
        )
    if len(done.problems) > _MOST_SHOWN:
        click.echo(f"medwarden: and {len(done.problems) - _MOST_SHOWN} more", err=True)
    return 1 if done.problems else 0


@vex.command()
@home_option
@json_option
def keys(home: Path | None, as_json: bool) -> int:
    """Show whose signature proves whose word: trusted OpenPGP keys, and CSAF providers that are asked."""
    from medwarden.app.home import data_folder
    from medwarden.app.vex_desk import speakers

    for one in speakers(data_folder(home)):
        if as_json:
            print_json(plain(one))
            continue
        whom = ", ".join(map(printable, (*(("itself",) if one.kind == "provider" else ()), *one.publishers)))
        click.echo(f"{printable(one.id)} ({one.kind}): {whom or 'nobody yet, say whom with `vex trust`'}")
    return 0


@vex.command()
@click.argument("who", metavar="FINGERPRINT|PROVIDER")
@click.option("--publisher", required=True, help="For whom it speaks, as the documents name it.")
@click.option("--reason", required=True, help="How you compared the key with what the publisher says.")
@home_option
def trust(who: str, publisher: str, reason: str, home: Path | None) -> int:
    """Let the OpenPGP key with this fingerprint, or a CSAF provider, speak for a publisher."""
    from medwarden.app.home import data_folder
    from medwarden.app.vex_desk import speaks_for

    speaks_for(data_folder(home), who, publisher, trusted=True, actor=_actor(), reason=reason)
    click.echo(f"{printable(who)} speaks for {printable(publisher)}")
    return 0


@vex.command()
@click.argument("who", metavar="FINGERPRINT|PROVIDER")
@click.option("--publisher", default="", help="For whom it speaks no longer; left out: for nobody.")
@click.option("--reason", required=True)
@home_option
def distrust(who: str, publisher: str, reason: str, home: Path | None) -> int:
    """Let a key or a provider speak for a publisher no longer; what counted because of it waits again."""
    from medwarden.app.home import data_folder
    from medwarden.app.vex_desk import speaks_for

    speaks_for(data_folder(home), who, publisher, trusted=False, actor=_actor(), reason=reason)
    click.echo(f"{printable(who)} speaks no longer for {printable(publisher) or 'anybody'}")
    return 0


@vex.command("export")
@click.option("--form", type=click.Choice(["csaf", "openvex"]), default="csaf", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="A file, or a folder for the name of the form.")
@click.option("--vendor", default="", help="Only devices of this maker.")
@click.option("--cve", default="", help="Only this vulnerability.")
@click.option("--device", default="", help="Only this device: its id, MAC or IP address.")
@click.option("--status", multiple=True, type=click.Choice([status.value for status in VexStatus]))
@click.option("--with-devices", is_flag=True, help="Write serial numbers and hardware addresses too.")
@click.option("--site", default=None)
@home_option
def export_document(
    form: str,
    out: Path | None,
    vendor: str,
    cve: str,
    device: str,
    status: tuple[str, ...],
    with_devices: bool,
    site: str | None,
    home: Path | None,
) -> int:
    """Write what the hospital knows of its devices and vulnerabilities as a VEX document."""
    from medwarden.app.home import data_folder
    from medwarden.app.vex_desk import export_file
    from medwarden.app.vex_export import Chosen

    chosen = Chosen(vendor, cve, device, status, with_devices)
    written = export_file(data_folder(home), form, chosen, actor=_actor(), site=site)
    if out is None:
        click.echo(written.document.decode(), nl=False)
        return 0
    target = out / written.name if out.is_dir() else out
    try:
        target.write_bytes(written.document)
    except OSError as error:
        raise ResourceError(f"{target} cannot be written ({error.strerror})") from error
    click.echo(f"{target}: version {written.version}, {written.statements} statements")
    return 0


@vex.command()
@click.argument("name")
@click.argument("namespace")
@home_option
def issuer(name: str, namespace: str, home: Path | None) -> int:
    """Say who issues the documents: the hospital's NAME and an https address of its own."""
    from medwarden.app.home import data_folder
    from medwarden.app.vex_desk import issuer as keep

    keep(data_folder(home), name, namespace, actor=_actor())
    return 0


@vex.command("list")
@home_option
@json_option
def list_documents(home: Path | None, as_json: bool) -> int:
    """Show the documents that were imported, and how their statements stand."""
    from medwarden.app.home import data_folder
    from medwarden.app.vex_desk import listed

    found = listed(data_folder(home))
    if as_json:
        for row in found:
            print_json(plain(row))
        return 0
    print_table(
        "", ("id", "author", "form", "document", "imported", "by", "statements", "taken back"),
        [(r.id, r.author, r.form, r.document, iso(r.at_ns)[:16], r.actor,
          ", ".join(f"{n} {state}" for state, n in sorted(r.statements.items())),
          "" if r.undone_ns is None else iso(r.undone_ns)[:16]) for r in found],
    )  # fmt: skip
    return 0


@vex.command()
@click.argument("text", metavar="[FILTER]...", nargs=-1)
@click.option(
    "--state", default="",
    help="waiting, counts, accepted, refused, agrees, noted, conflict or unmatched.",
)  # fmt: skip
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 1000))
@home_option
@json_option
def statements(text: tuple[str, ...], state: str, limit: int, home: Path | None, as_json: bool) -> int:
    """Show what the documents say, and what became of each statement."""
    from medwarden.app.home import data_folder
    from medwarden.app.vex_desk import said

    page = said(data_folder(home), state=state, text=" ".join(text), limit=limit)
    if as_json:
        for row in page.items:
            print_json(plain(row))
        return 0
    print_table(
        "", ("no", "state", "vulnerability", "product", "says", "author", "devices", "why"),
        [(r.id, r.state, r.vulnerability, r.product, r.says, r.author, r.devices,
          r.justification.replace("_", " ") or r.text[:120]) for r in page.items],
        right=("no", "devices"),
    )  # fmt: skip
    if page.total > len(page.items):
        click.echo(f"{len(page.items)} of {page.total} statements", err=True)
    return 0


@vex.command()
@click.argument("numbers", metavar="STATEMENT...", nargs=-1, required=True, type=int)
@click.option("--refuse", is_flag=True, help="Do not believe them.")
@click.option("--reason", required=True)
@home_option
def accept(numbers: tuple[int, ...], refuse: bool, reason: str, home: Path | None) -> int:
    """Believe statements that wait, or refuse them."""
    from medwarden.app.home import data_folder
    from medwarden.app.vex_desk import settle

    devices = settle(data_folder(home), numbers, accept=not refuse, actor=_actor(), reason=reason)
    click.echo(f"{len(numbers)} statements {'refused' if refuse else 'accepted'}; {devices} verdicts changed")
    return 0


@vex.command()
@click.argument("device")
@click.argument("cve")
@click.option("--status", required=True, type=click.Choice(["irrelevant", "not_affected", "fixed"]))
@click.option("--justification", default="", type=click.Choice(["", *sorted(JUSTIFICATIONS)]))
@click.option("--until", required=True, help="The day on which the word ends, YYYY-MM-DD.")
@click.option("--alike", is_flag=True, help="For all devices of the same maker, model and version.")
@click.option("--reason", required=True)
@home_option
def say(
    device: str,
    cve: str,
    status: str,
    justification: str,
    until: str,
    alike: bool,
    reason: str,
    home: Path | None,
) -> int:
    """Give the hospital's own word on a device and a vulnerability, with its justification."""
    from medwarden.app.home import data_folder
    from medwarden.app.vex_desk import declare

    declare(
        data_folder(home), device, cve, status, until=until, justification=justification, alike=alike,
        actor=_actor(), reason=reason,
    )  # fmt: skip
    return 0


@vex.command()
@click.argument("name", metavar="DOCUMENT|STATEMENT")
@click.option("--reason", required=True)
@home_option
def undo(name: str, reason: str, home: Path | None) -> int:
    """Take back an imported document (its id) or a decision on a statement (its number)."""
    from medwarden.app.home import data_folder
    from medwarden.app.vex_desk import undo as take_back

    take_back(data_folder(home), name, actor=_actor(), reason=reason)
    return 0
