"""The CVE list as its repository publishes it: an archive with every record, and a log of what changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import msgspec

from medwarden.feeds.download import Arrived, Desk
from medwarden.feeds.json_stream import decoded
from medwarden.kernel.errors import RemoteServiceError
from medwarden.transport.http import Limits
from medwarden.transport.pace import Pace

RELEASE = "https://api.github.com/repos/CVEProject/cvelistV5/releases/latest"
LOG = "https://raw.githubusercontent.com/CVEProject/cvelistV5/main/cves/deltaLog.json"
_MOST_SINGLE = 3000
_ARCHIVE = Limits(most_bytes=4 << 30, most_seconds=4 * 3600.0)
_PACE = Pace(20, 1.0)

_T = TypeVar("_T")


class _Asset(msgspec.Struct):
    name: str
    browser_download_url: str
    digest: str | None = None


class _Release(msgspec.Struct):
    tag_name: str
    published_at: str
    assets: list[_Asset]


class _Change(msgspec.Struct, rename="camel"):
    cve_id: str
    github_link: str


class _Changes(msgspec.Struct, rename="camel"):
    fetch_time: str
    new: list[_Change] = []
    updated: list[_Change] = []


def changed_records(desk: Desk) -> Iterator[Arrived]:
    """Yield the records that the log names since the last look; the archive where it does not reach back."""
    since = desk.state.get("since", "")
    if since:
        log = sorted(_read(desk, LOG, list[_Changes]), key=lambda changes: changes.fetch_time)
        later = [changes for changes in log if changes.fetch_time > since]
        links = {c.cve_id: c.github_link for changes in later for c in (*changes.new, *changes.updated)}
        if log and log[0].fetch_time <= since and len(links) <= _MOST_SINGLE:
            for link in links.values():
                path = desk.get(link, pace=_PACE)
                if path is not None:
                    yield Arrived(path, link)
            desk.state["since"] = later[-1].fetch_time if later else since
            return
    release = _read(desk, RELEASE, _Release)
    asset = next((a for a in release.assets if "all_CVEs_at_midnight" in a.name), None)
    if asset is None:
        raise RemoteServiceError(
            f"{RELEASE}: the release {release.tag_name[:60]} has no archive of all records"
        )
    digest = asset.digest or ""
    path = desk.get(
        asset.browser_download_url,
        sha256=digest.removeprefix("sha256:") if digest.startswith("sha256:") else "",
        limits=_ARCHIVE,
        keep=True,
    )
    if path is not None:
        yield Arrived(path, asset.browser_download_url)
    # The archive is of midnight of that day: what changed since is in the log.
    desk.state["since"] = f"{release.published_at[:10]}T00:00:00.000Z"


def _read(desk: Desk, url: str, type: type[_T]) -> _T:
    path = desk.get(url)
    try:
        return decoded(path.read_bytes() if path else b"", type)
    except ValueError as error:
        raise RemoteServiceError(f"{url} is not as published ({error}): nothing was changed") from error
