"""Tenable Vulnerability Management: findings that were seen or mended since the last pull.

After Tenable's developer documentation, "Export vulnerabilities": an export is asked for, its chunks are
downloaded as they become available, and put together to one document. Without ``since`` Tenable hands out
what the last thirty days brought, so the first pull names a day long ago. Tenable says itself what is fixed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, ClassVar

import msgspec

from medwarden.connectors.scanners.desk import Brought, ConnectorManifest, Desk
from medwarden.kernel.errors import RemoteServiceError
from medwarden.transport.http import MEBI, DownloadFailed, Limits
from medwarden.transport.pace import Pace

_PACE = Pace(60, 60.0)
_FIRST_DAYS = 180
_OVERLAP_S = 24 * 3600
"""Findings enter Tenable's exports some time after they were made."""
_ASSETS = 500
_CHUNK = Limits(most_bytes=512 * MEBI, most_seconds=1800.0)
_DOCUMENT = 384 * MEBI
"""Bytes of a document, so that it stays within what a report in JSON may have."""
_RUNNING = frozenset({"QUEUED", "PROCESSING"})
_NAME = re.compile(r"[A-Za-z0-9-]{1,100}\Z")


class _Begun(msgspec.Struct):
    export_uuid: str


class _Status(msgspec.Struct):
    status: str
    chunks_available: list[int] = []


class _Job(msgspec.Struct):
    uuid: str
    status: str
    created: int = 0


class _Jobs(msgspec.Struct):
    exports: list[_Job] | None


class _UnderWay(msgspec.Struct):
    """An export that was asked for: by which id, and when."""

    export: str
    asked_s: int


class Tenable:
    """Exports what changed, chunk by chunk."""

    manifest: ClassVar[ConnectorManifest] = ConnectorManifest(
        name="tenable",
        title="Tenable Vulnerability Management",
        scanner="nessus",
        reference="Tenable developer documentation: Export vulnerabilities",
        address="https://cloud.tenable.com",
        account="Access key",
        secret="Secret key",  # noqa: S106 - what it is called
    )

    @staticmethod
    def pull(desk: Desk) -> Iterator[Brought]:
        """Yield the findings since the last pull, in documents of bounded size."""
        held = desk.credentials
        headers = {
            "X-ApiKeys": f"accessKey={held.account};secretKey={held.secret}",
            "Content-Type": "application/json",
        }
        under_way = _taken_up(desk)
        chunks: list[Path] = []
        if under_way is not None:
            try:
                chunks = _chunks(desk, under_way.export, headers)
            except DownloadFailed as error:
                if error.status != 404:
                    raise
                under_way = None  # Tenable keeps exports for a day
        if under_way is None:
            under_way = _begun(desk, headers)
            chunks = _chunks(desk, under_way.export, headers)
        after = str(under_way.asked_s - _OVERLAP_S)
        documents = list(_documents(desk, chunks, under_way.export))
        for number, brought in enumerate(documents, 1):
            if number == len(documents):
                desk.state["since"] = after
            yield brought
        desk.state["since"] = after
        desk.kept.clear()


def _taken_up(desk: Desk) -> _UnderWay | None:
    try:
        return msgspec.json.decode(desk.kept.noted("export"), type=_UnderWay)
    except msgspec.DecodeError:
        return None


def _begun(desk: Desk, headers: dict[str, str]) -> _UnderWay:
    """Ask for an export; one that is under way for the same question is taken over (409)."""
    since = int(desk.state.get("since") or desk.now_s - _FIRST_DAYS * 24 * 3600)
    question = {
        "num_assets": _ASSETS,
        "include_unlicensed": True,
        "filters": {"since": since, "state": ["OPEN", "REOPENED", "FIXED"]},
    }
    asked = int(desk.now_s)
    try:
        export = desk.answer(
            "/vulns/export", _Begun, headers, body=msgspec.json.encode(question), pace=_PACE
        ).export_uuid
    except DownloadFailed as error:
        if error.status != 409:
            raise
        jobs = desk.answer("/vulns/export/status", _Jobs, headers, pace=_PACE).exports or []
        running = [job for job in jobs if job.status in _RUNNING]
        if not running:
            raise
        job = max(running, key=lambda each: each.created)
        export, asked = job.uuid, min(asked, job.created // 1000 or asked)
    if not _NAME.match(export):
        raise desk.otherwise("/vulns/export: an export by a name that is none")
    under_way = _UnderWay(export, asked)
    desk.kept.clear()
    desk.kept.note("export", msgspec.json.encode(under_way).decode())
    return under_way


def _chunks(desk: Desk, export: str, headers: dict[str, str]) -> list[Path]:
    """Return the chunks of an export in their order, downloaded while it is still being made."""
    got: dict[int, Path] = {}

    def ready() -> bool:
        status = desk.answer(f"/vulns/export/{export}/status", _Status, headers, pace=_PACE)
        for number in status.chunks_available:
            if number not in got:
                desk.tell(len(got), len(status.chunks_available), f"chunk {number}")
                path = f"/vulns/export/{export}/chunks/{number}"
                got[number] = desk.file(path, headers, pace=_PACE, limits=_CHUNK, keep=f"{export}-{number}")
        if status.status in ("CANCELLED", "ERROR"):
            desk.kept.clear()
            raise RemoteServiceError(
                f"{desk.title} ended the export with {status.status.lower()}: the next pull asks anew"
            )
        return status.status == "FINISHED"

    desk.until(ready, "the export")
    return [got[number] for number in sorted(got)]


def _documents(desk: Desk, chunks: list[Path], export: str) -> Iterator[Brought]:
    """Yield chunks, each an array in JSON, as arrays of bounded size; a host is never divided."""
    part = 0
    out: BinaryIO | None = None
    path = desk.folder
    try:
        for chunk in chunks:
            findings = _inside(desk, chunk)
            if not findings:
                continue
            if out is not None and out.tell() + len(findings) > _DOCUMENT:
                out.write(b"]")
                out.close()
                yield Brought(path, f"Tenable export {export[:8]}, part {part}.json")
                out = None
            if out is None:
                part += 1
                path = desk.folder / f"tenable-{part}.json"
                out = path.open("wb")
                out.write(b"[")
            else:
                out.write(b",\n")
            out.write(findings)
        if out is not None:
            out.write(b"]")
            out.close()
            name = f"Tenable export {export[:8]}" + (f", part {part}" if part > 1 else "")
            yield Brought(path, f"{name}.json")
    finally:
        if out is not None:
            out.close()


def _inside(desk: Desk, chunk: Path) -> bytes:
    """Return what stands in the array of a chunk."""
    held = chunk.read_bytes().strip()
    chunk.unlink()
    if not (held.startswith(b"[") and held.endswith(b"]")):
        raise desk.otherwise("a chunk that is no array of findings")
    return held[1:-1].strip()


CONNECTOR = Tenable
