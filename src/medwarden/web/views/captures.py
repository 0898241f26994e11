"""Captures of one device on demand: the list, stop, fetch without patients or raw, remove the files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from medwarden.app.device_capture import (
    files_of,
    present_state,
    remove_stored,
    stop_stored,
    write_capture,
)
from medwarden.kernel.errors import ConfigurationError, ResourceError
from medwarden.model.role import Permission
from medwarden.store.captures import CaptureRow, capture, record_export
from medwarden.store.changes import Change
from medwarden.store.models import User
from medwarden.web.decisions import change_by, decided, reason_of, refused
from medwarden.web.exports import streamed
from medwarden.web.guard import requires
from medwarden.web.operation_lists import CAPTURE_STATES, captures_asked, text_of
from medwarden.web.paging import offset_of, page_number, paging
from medwarden.web.scope import scope_of, signed_in

PAGE = "operations_captures"
MEDIA_TYPE = "application/vnd.tcpdump.pcap"
_PIECE = 256 * 1024


def with_state(rows: tuple[CaptureRow, ...], now_ns: int) -> list[tuple[CaptureRow, str]]:
    """Return captures with their present state, which may be ``lost``."""
    return [(row, present_state(row, now_ns)) for row in rows]


def rights(user: User) -> dict[str, object]:
    """Return what of captures this person may do, as templates ask it."""
    return {
        "may_capture": user.may(Permission.CAPTURE_DEVICE),
        "may_fetch_raw": user.may(Permission.EXPORT_RAW_CAPTURE),
    }


@requires(Permission.SEE_INVENTORY)
@require_GET
def captures(request: HttpRequest) -> HttpResponse:
    """List captures as the URL asks."""
    scope, number = scope_of(request), page_number(request)
    page, sort = captures_asked(request, offset_of(number))
    context = {
        **paging(page, number),
        **rights(signed_in(request)),
        "rows": with_state(page.items, scope.until_ns),
        "sort": sort,
        "text": text_of(request),
        "state": request.GET.get("state", ""),
        "states": CAPTURE_STATES,
        "device": request.GET.get("device", "")[:40],
        "may_export": signed_in(request).may(Permission.EXPORT),
    }
    return render(request, "web/operations_captures.html", context)


def ours(request: HttpRequest, capture_id: str) -> CaptureRow:
    """Return a capture this person may see; raises Http404 for another one."""
    row = capture(scope_of(request).store, capture_id)
    if row is None:
        raise Http404("There is no such capture in what you may see.")
    return row


@requires(Permission.CAPTURE_DEVICE)
@require_POST
def capture_stop(request: HttpRequest, capture_id: str) -> HttpResponse:
    """Ask a running capture to end, or end one that lost its process."""
    row = ours(request, capture_id)

    def stop(change: Change) -> str:
        stop_stored(change, row)
        return f"the capture of {row.label} ends within a second"

    return decided(request, PAGE, stop, row.site)


@requires(Permission.CAPTURE_DEVICE)
@require_POST
def capture_remove(request: HttpRequest, capture_id: str) -> HttpResponse:
    """Delete the files of an ended capture; that it was made stays on record."""
    row = ours(request, capture_id)

    def remove(change: Change) -> str:
        remove_stored(change, row)
        return f"the packets of {row.label} are deleted; that they were captured stays on record"

    return decided(request, PAGE, remove, row.site)


@requires(Permission.CAPTURE_DEVICE)
@require_GET
def capture_file(request: HttpRequest, capture_id: str) -> HttpResponseBase:
    """Download a capture without patients and credentials."""
    return _download(request, ours(request, capture_id), "download", raw=False)


@requires(Permission.EXPORT_RAW_CAPTURE)
@require_POST
def capture_raw(request: HttpRequest, capture_id: str) -> HttpResponseBase:
    """Download a capture as it is, patients and all; only with a reason."""
    row, reason = ours(request, capture_id), reason_of(request)
    if not reason:
        return refused(request, PAGE, "say why: raw packets hold patients")
    return _download(request, row, reason, raw=True)


def _download(request: HttpRequest, row: CaptureRow, reason: str, *, raw: bool) -> HttpResponseBase:
    try:
        return sent(request, row, reason, raw=raw)
    except (ConfigurationError, ResourceError) as error:
        return refused(request, PAGE, str(error))


def sent(request: HttpRequest, row: CaptureRow, reason: str, *, raw: bool) -> StreamingHttpResponse:
    """Answer with a capture; who takes it and why is audited before a packet leaves.

    Raises ConfigurationError where there is nothing to fetch, ResourceError where it cannot be prepared.
    """
    name = f"{row.id}-raw.pcapng" if raw else f"{row.id}.pcapng"
    files_of(row)
    with change_by(request, reason, row.site) as change:
        record_export(change, row.id, raw=raw, target=name)
    file, size = _prepared(row, raw=raw)
    response = streamed(request, _Pieces(file), MEDIA_TYPE)
    response["Content-Length"] = str(size)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response


def _prepared(row: CaptureRow, *, raw: bool) -> tuple[IO[bytes], int]:
    """Return an open file that has no name any more: it is gone however the download ends."""
    with tempfile.TemporaryDirectory(dir=row.folder, prefix=".out-") as folder:
        target = Path(folder) / "capture.pcapng"
        done = write_capture(row, target, raw=raw)
        if not target.is_file():
            said = done.error if done is not None and done.error else "nothing could be read"
            raise ResourceError(f"capture {row.id}: {said}")
        file = target.open("rb")
        return file, target.stat().st_size


class _Pieces:
    """The content of an open file piece by piece; closed with the answer, also where nobody reads it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        piece = self._file.read(_PIECE)
        if not piece:
            raise StopIteration
        return piece

    def close(self) -> None:
        """Close the file, which has no name any more and is gone with that."""
        self._file.close()
