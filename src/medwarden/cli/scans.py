"""Reports of scanners: ``scans import``, ``list``, ``show``, ``remove``, ``exclude``; connections beside."""

from __future__ import annotations

import getpass
from pathlib import Path

import click

from medwarden.cli.output import home_option, json_option, plain, print_json, print_table
from medwarden.cli.scan_connections import COMMANDS
from medwarden.kernel.clock import iso
from medwarden.kernel.errors import MedwardenError, ResourceError
from medwarden.kernel.printable import printable

_MOST_SHOWN = 20
_SCANNERS = ("nessus", "tenable", "qualys", "rapid7", "openvas", "nmap", "reasons")
_LOGIN = {True: "yes", False: "no", None: "not said"}


@click.group()
def scans() -> None:
    """Take in what vulnerability scanners found, and tell them what to leave alone."""


@scans.command("import")
@click.argument(
    "reports", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@home_option
@click.option("--site", default=None, help="Site whose devices were scanned (made when new).")
@json_option
def import_reports(reports: tuple[Path, ...], home: Path | None, site: str | None, as_json: bool) -> int:
    """Take in reports of Nessus, Tenable, OpenVAS, Nexpose, InsightVM, Qualys or nmap.

    Their form is told by their content. Hosts are found by MAC address, by the IP address they had at the
    time and by name; hosts that are no device here are listed. The same file counts once; of each scanner
    and device the latest report counts.
    """
    from medwarden.app.home import data_folder
    from medwarden.app.scans import import_file

    folder, status = data_folder(home), 0
    for path in reports:
        try:
            done = import_file(folder, path, actor=f"cli:{getpass.getuser()}", site=site)
        except MedwardenError as error:
            click.echo(f"medwarden: {printable(str(error))}", err=True)
            status = 1
            continue
        if as_json:
            print_json(plain(done))
        else:
            known = f"{done.known} of {done.hosts} hosts are devices here"
            again = " (this file had been taken in before: nothing was changed)" if done.already else ""
            click.echo(
                f"{printable(str(path))}: {done.form}, {known}, {done.sightings} sightings, "
                f"{done.ended} earlier ones ended, {done.rejected} parts could not be used{again}"
            )
            rows = [
                (", ".join(host.ips), ", ".join(host.macs), ", ".join(host.names), host.why)
                for host in done.unknown[:_MOST_SHOWN]
            ]
            if rows:
                print_table("Hosts that are no device here", ("ip", "mac", "name", "why"), rows)
            if len(done.unknown) > _MOST_SHOWN:
                click.echo(
                    f"and {len(done.unknown) - _MOST_SHOWN} more: medwarden scans show {done.id} --unknown"
                )
        for problem in done.problems[:_MOST_SHOWN]:
            click.echo(f"medwarden: {printable(str(path))}: {printable(problem)}", err=True)
        status = max(status, 1 if done.rejected else 0)
    return status


@scans.command("list")
@click.option("--removed", is_flag=True, help="Show those that were taken back too.")
@home_option
@json_option
def list_scans(removed: bool, home: Path | None, as_json: bool) -> int:
    """Show the reports that were taken in, the latest first."""
    from medwarden.app.home import data_folder
    from medwarden.app.scans import scan_list

    found = scan_list(data_folder(home), removed=removed)
    if as_json:
        for scan in found:
            print_json(plain(scan))
        return 0
    columns = (
        "id", "site", "scanner", "made", "imported", "hosts", "unknown", "seen", "standing", "from",
        "taken back",
    )  # fmt: skip
    rows = [
        (
            s.id, s.site, s.scanner, iso(s.ended_ns)[:10] if s.ended_ns else "", iso(s.imported_ns)[:16],
            s.hosts, s.unknown, s.sightings, s.standing, s.source,
            "" if s.removed_ns is None else iso(s.removed_ns)[:16],
        )
        for s in found
    ]  # fmt: skip
    print_table("", columns, rows, right=("hosts", "unknown", "seen", "standing"))
    return 0


@scans.command()
@click.argument("scan")
@click.option("--unknown", is_flag=True, help="Only hosts that are no device here.")
@click.option("--limit", default=200, show_default=True, type=click.IntRange(1, 1000))
@home_option
@json_option
def show(scan: str, unknown: bool, limit: int, home: Path | None, as_json: bool) -> int:
    """Show the hosts of a report and which devices they are."""
    from medwarden.app.home import data_folder
    from medwarden.app.scans import hosts_of

    page = hosts_of(data_folder(home), scan, unknown=unknown, limit=limit)
    if as_json:
        for host in page.items:
            print_json(plain(host))
        return 0
    columns = ("device", "ip", "mac", "name", "system", "logged in", "seen", "programs", "how")
    rows = [
        (
            h.device, ", ".join(h.ips), ", ".join(h.macs), ", ".join(h.names), h.os, _LOGIN[h.credentialed],
            h.seen, h.software, h.how,
        )
        for h in page.items
    ]  # fmt: skip
    print_table("", columns, rows, right=("seen", "programs"))
    if page.total > len(page.items):
        click.echo(f"{len(page.items)} of {page.total} hosts", err=True)
    return 0


@scans.command()
@click.argument("scan")
@click.option("--reason", required=True, help="Why; kept in the audit chain.")
@home_option
def remove(scan: str, reason: str, home: Path | None) -> int:
    """Take a report back; what it had ended counts again."""
    from medwarden.app.home import data_folder
    from medwarden.app.scans import remove as take_back

    number = take_back(data_folder(home), scan, actor=f"cli:{getpass.getuser()}", reason=reason)
    click.echo(f"{printable(scan)} is taken back; it spoke of {number} devices")
    return 0


@scans.command()
@click.option("--for", "scanner", required=True, type=click.Choice(_SCANNERS), help="Whose form to write.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The file (default: stdout).")
@click.option("--site", default=None)
@home_option
def exclude(scanner: str, out: Path | None, site: str | None, home: Path | None) -> int:
    """Write the addresses that a scanner should leave alone, in its own form.

    They are those of the do-not-probe list, of life-critical devices and of medical devices that are or may
    be in use on a patient. `--for reasons` writes a table with all reasons.
    """
    from medwarden.app.home import data_folder
    from medwarden.app.scans import exclusions_of

    name, text, number = exclusions_of(data_folder(home), scanner, site=site)
    if out is None:
        click.echo(text, nl=False)
    else:
        try:
            out.write_text(text, encoding="utf-8")
        except OSError as error:
            raise ResourceError(f"{out}: {error.strerror}") from error
    click.echo(f"{number} addresses and subnets ({name})", err=True)
    return 0


for command in COMMANDS:
    scans.add_command(command)
