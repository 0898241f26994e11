"""NVD's API 2.0 page by page: 2,000 records each, no faster than NIST wishes, and changes by date."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

from medwarden.feeds.download import Arrived, Desk
from medwarden.kernel.errors import RemoteServiceError
from medwarden.transport.http import Limits
from medwarden.transport.pace import Pace

API = "https://services.nvd.nist.gov/rest/json/cves/2.0"
PAGE = 2000
_LONGEST = timedelta(days=119)  # NIST refuses spans of more than 120 days
_TOTAL = re.compile(rb'"totalResults"\s*:\s*([0-9]{1,9})')
_TIME = re.compile(rb'"timestamp"\s*:\s*"([0-9T:.Z-]{10,40})"')
_LIMITS = Limits(most_bytes=256 << 20)


def pages(desk: Desk) -> Iterator[Arrived]:
    """Yield all pages, or those of records that changed since the last look by NVD's own clock."""
    since = desk.state.get("since", "")
    key = desk.sources.keys.get("nvd", "")
    pace = Pace(50, 30.0) if key else Pace(5, 30.0)
    headers = {"apiKey": key} if key else {}
    first = ""
    for span in _spans(since, desk.now_s):
        at, total = 0, 1
        while at < total:
            url = f"{API}?{urlencode({**span, 'resultsPerPage': PAGE, 'startIndex': at})}"
            path = desk.get(url, pace=pace, headers=headers, limits=_LIMITS, keep=not since)
            total, moment = _heading(path, url)
            first = first or moment
            if path is not None and total:
                yield Arrived(path, url)
            at += PAGE
    desk.state["since"] = first or since


def _spans(since: str, now_s: float) -> Iterator[dict[str, str]]:
    if not since:
        yield {}
        return
    start = datetime.fromisoformat(since[:19])
    end = max(datetime.fromtimestamp(now_s, UTC).replace(tzinfo=None), start) + timedelta(days=1)
    while start < end:
        until = min(end, start + _LONGEST)
        yield {
            "lastModStartDate": start.isoformat(timespec="milliseconds") + "Z",
            "lastModEndDate": until.isoformat(timespec="milliseconds") + "Z",
        }
        start = until


def _heading(path: Path | None, url: str) -> tuple[int, str]:
    if path is None:
        return 0, ""
    with path.open("rb") as file:
        head = file.read(4096)
    total, moment = _TOTAL.search(head), _TIME.search(head)
    if total is None or moment is None:
        raise RemoteServiceError(
            f"{url}: the answer does not begin as NVD's API 2.0 does: nothing was changed"
        )
    return int(total.group(1)), moment.group(1).decode()
