"""OSV's exports by ecosystem: an archive with every record, and a list of what was modified when.

The layout is OSV's (google.github.io/osv.dev/data): ``ECOSYSTEM/all.zip``, ``ECOSYSTEM/ID.json`` and
``ECOSYSTEM/modified_id.csv`` with a time and an id per line, the newest first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote

from medwarden.feeds.download import Arrived, Desk, each
from medwarden.kernel.errors import ConfigurationError, RemoteServiceError
from medwarden.transport.http import Limits
from medwarden.transport.pace import Pace

EXPORTS = "https://osv-vulnerabilities.storage.googleapis.com"
ECOSYSTEMS = frozenset(
    [
        "AlmaLinux", "Alpine", "Android", "Bitnami", "CRAN", "Chainguard", "Debian", "GitHub Actions", "Go",
        "Haskell", "Hex", "Linux", "Maven", "NuGet", "OSS-Fuzz", "Packagist", "Pub", "PyPI", "Red Hat",
        "Rocky Linux", "RubyGems", "SUSE", "SwiftURL", "Ubuntu", "Wolfi", "npm", "openSUSE",
    ]
)  # fmt: skip
"""Ecosystems as OSV names them, releases left out (``Debian``, not ``Debian:12``)."""

_MOST_SINGLE = 2000
_ARCHIVE = Limits(most_bytes=4 << 30, most_seconds=4 * 3600.0)
_LIST = Limits(most_bytes=256 << 20)
_PACE = Pace(20, 1.0)
_LINE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,20}Z),([A-Za-z0-9][A-Za-z0-9:._-]{1,80})\Z")


def ecosystems(desk: Desk) -> Iterator[Arrived]:
    """Yield what changed in every ecosystem that is chosen; one that fails does not hold up the others.

    Raises ConfigurationError where none is chosen.
    """
    if not desk.sources.osv:
        raise ConfigurationError(
            "no ecosystem of OSV is chosen: name some under osv in HOME/knowledge/feeds.yaml, as PyPI, Debian"
        )
    return each(desk, desk.sources.osv, _of_ecosystem)


def _of_ecosystem(desk: Desk, ecosystem: str) -> list[Arrived]:
    folder = f"{EXPORTS}/{quote(ecosystem)}"
    mark = f"since {ecosystem}"
    since = desk.state.get(mark, "")
    listed = _modified(desk, f"{folder}/modified_id.csv")
    newest = max((moment for moment, _ in listed), default="")
    changed = [id for moment, id in listed if moment > since]
    came: list[Arrived] = []
    if since and len(changed) <= _MOST_SINGLE:
        for id in changed:
            url = f"{folder}/{quote(id)}.json"
            path = desk.get(url, pace=_PACE)
            if path is not None:
                came.append(Arrived(path, url))
    else:
        url = f"{folder}/all.zip"
        path = desk.get(url, limits=_ARCHIVE, keep=True)
        if path is not None:
            came.append(Arrived(path, url))
    desk.state[mark] = max(since, newest)
    return came


def _modified(desk: Desk, url: str) -> list[tuple[str, str]]:
    path = desk.get(url, limits=_LIST)
    found = []
    for number, line in enumerate(path.read_text("utf-8", "replace").splitlines() if path else [], 1):
        row = _LINE.match(line.strip())
        if row is not None:
            found.append((row.group(1), row.group(2)))
        elif number > 1 and line.strip():
            raise RemoteServiceError(f"{url}, line {number}: no time and id: nothing was changed")
    if not found:
        raise RemoteServiceError(f"{url} lists nothing: nothing was changed")
    return found
