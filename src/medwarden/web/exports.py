"""Downloads: streamed, named, and written to the audit chain."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

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
    response = StreamingHttpResponse((line.encode() for line in lines), content_type=media_type)
    stamp = to_datetime(scope.until_ns).strftime("%Y%m%dT%H%M%SZ")
    response["Content-Disposition"] = f'attachment; filename="medwarden-{what}-{stamp}.{kind}"'
    return response
