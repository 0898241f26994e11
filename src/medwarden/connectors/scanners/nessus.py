"""Nessus Professional, Expert and Manager: the report of every scan that ran since the last pull.

After the API reference that every Nessus serves under ``/api`` (scans: list, export, export-status,
export-download; tokens: status, download): a scan is exported in the form ``nessus``, which is asked after
until it is ready and then downloaded. The key of an account that may view the scans is enough.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import ClassVar

import msgspec

from medwarden.connectors.scanners.desk import Brought, ConnectorManifest, Desk
from medwarden.transport.http import DownloadFailed
from medwarden.transport.pace import Pace

_PACE = Pace(60, 60.0)
_DONE = frozenset({"completed", "imported"})
_NAME = re.compile(r"[A-Za-z0-9]{1,200}\Z")


class _Scan(msgspec.Struct):
    id: int
    status: str
    name: str = ""
    last_modification_date: int = 0


class _Scans(msgspec.Struct):
    scans: list[_Scan] | None


class _Export(msgspec.Struct):
    """Where an export is to be had: by its token, or in older versions by the number of its file."""

    file: int | str
    token: str = ""


class _Status(msgspec.Struct):
    status: str


class Nessus:
    """Exports scan by scan."""

    manifest: ClassVar[ConnectorManifest] = ConnectorManifest(
        name="nessus",
        title="Nessus",
        scanner="nessus",
        reference="Nessus API reference: scans",
        address="https://nessus.example:8834",
        account="Access key",
        secret="Secret key",  # noqa: S106 - what it is called
        chosen="Scans, by name or number",
    )

    @staticmethod
    def pull(desk: Desk) -> Iterator[Brought]:
        """Yield the report of each scan that ended or changed since it was brought last."""
        held = desk.credentials
        headers = {
            "X-ApiKeys": f"accessKey={held.account}; secretKey={held.secret}",
            "Content-Type": "application/json",
        }
        listed = desk.answer("/scans", _Scans, headers, pace=_PACE).scans or []
        chosen = [scan for scan in listed if desk.wanted(scan.name, str(scan.id))]
        new = [
            scan
            for scan in chosen
            if scan.status in _DONE and desk.state.get(f"scan {scan.id}") != str(scan.last_modification_date)
        ]
        for number, scan in enumerate(new):
            what = f"scan {scan.name or scan.id}"
            desk.tell(number, len(new), what)
            brought = desk.of_one(what, partial(_exported, desk, scan, headers))
            if brought is not None:
                desk.state[f"scan {scan.id}"] = str(scan.last_modification_date)
                yield brought
        desk.ended({f"scan {scan.id}" for scan in listed})


def _exported(desk: Desk, scan: _Scan, headers: dict[str, str]) -> Brought:
    kept = f"scan-{scan.id}-{scan.last_modification_date}"
    path = f"/scans/{scan.id}/export"
    held = desk.kept.noted(kept)
    if held:
        try:
            return _downloaded(desk, scan, held, headers, kept)
        except DownloadFailed as error:
            if error.status != 404:
                raise
            desk.kept.note(kept, "")  # exported for the pull before, and gone since
    export = desk.answer(path, _Export, headers, body=b'{"format":"nessus"}', pace=_PACE)
    name = export.token or str(export.file)
    if not _NAME.match(name):
        raise desk.otherwise(f"{desk.endpoint(path)}: an export by a name that is none")
    at = f"/tokens/{name}" if export.token else f"{path}/{name}"
    desk.kept.note(kept, at)
    return _downloaded(desk, scan, at, headers, kept)


def _downloaded(desk: Desk, scan: _Scan, path: str, headers: dict[str, str], kept: str) -> Brought:
    def ready() -> bool:
        status = desk.answer(f"{path}/status", _Status, headers, pace=_PACE).status
        if status == "error":
            raise desk.otherwise(f"the export of scan {scan.name or scan.id} failed there")
        return status == "ready"

    desk.until(ready, f"the export of scan {scan.name or scan.id}")
    came = desk.file(f"{path}/download", headers, keep=kept, pace=_PACE)
    return Brought(came, f"{scan.name or scan.id}.nessus", alone=True)


CONNECTOR = Nessus
