"""Downloads: streamed, named, and written to the audit chain."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse

from medwarden.kernel.clock import to_datetime
from medwarden.store.changes import Change
from medwarden.web.device_list import csv_lines, json_lines
from medwarden.web.scope import scope_of, signed_in

FORMATS = ("csv", "json")


def download(
    request: HttpRequest, what: str, kind: str, rows: Iterator[dict[str, object]], header: Iterable[str]
) -> StreamingHttpResponse:
    """Stream ``rows`` as CSV or JSON; who took what with which filter is audited first."""
    scope, user = scope_of(request), signed_in(request)
    with Change(f"user:{user.username}", "download", tenant=scope.tenant, site=scope.site) as change:
        change.record(
            f"{what}.exported", f"export:{what}", None, {"query": request.GET.urlencode(), "as": kind}
        )
    lines = csv_lines(rows, header) if kind == "csv" else json_lines(rows)
    media_type = "text/csv; charset=utf-8" if kind == "csv" else "application/json"
    response = streamed(request, (line.encode() for line in lines), media_type)
    stamp = to_datetime(scope.until_ns).strftime("%Y%m%dT%H%M%SZ")
    response["Content-Disposition"] = f'attachment; filename="medwarden-{what}-{stamp}.{kind}"'
    return response


def streamed(request: HttpRequest, pieces: Iterator[bytes], media_type: str) -> StreamingHttpResponse:
    """Answer with ``pieces`` one after the other, never all of them in memory.

    Under ASGI Django would first collect a plain iterator into a list.
    """
    if isinstance(request, ASGIRequest):
        return StreamingHttpResponse(_OneByOne(pieces), content_type=media_type)
    return StreamingHttpResponse(pieces, content_type=media_type)


class _OneByOne:
    """An iterator for asynchronous readers; closing it closes what it reads from."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        piece = await sync_to_async(self._following)()
        if piece is None:
            raise StopAsyncIteration
        return piece

    def _following(self) -> bytes | None:
        return next(self._pieces, None)

    def close(self) -> None:
        """Close the pieces where they can be closed; called when the answer is sent or given up."""
        close = getattr(self._pieces, "close", None)
        if close is not None:
            close()
