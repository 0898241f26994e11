"""Qualys VM and VMDR: detections of the hosts that were processed since the last pull, with their CVE ids.

After Qualys' API documentation, "Host Detection List" and "KnowledgeBase": pages of hosts, each naming the
next one in a warning (code 1980), then what the QIDs in them are about. All become one document of the form
that Qualys publishes. Limits are kept that Qualys tells in headers (``X-RateLimit-ToWait-Sec``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlencode

from medwarden.connectors.scanners.desk import Brought, ConnectorManifest, Desk
from medwarden.kernel.errors import RemoteServiceError
from medwarden.transport.http import MEBI, DownloadFailed, Limits
from medwarden.transport.pace import Pace

_PACE = Pace(240, 3600.0)
"""Somewhat less than the 300 calls an hour of an ordinary subscription: others ask as well."""
_HOSTS = "fo/asset/host/vm/detection/"
_KNOWLEDGE = "fo/knowledge_base/vuln/"
_VERSIONS = ("2.0", "3.0", "4.0", "5.0")
"""Versions of one form of answer: Qualys retires the older ones, endpoint by endpoint."""
_GONE = frozenset({404, 410})
_PAGE = 500
_MOST_PAGES = 2000
_AT_ONCE = 1000
_LIMITS = Limits(most_bytes=256 * MEBI, most_seconds=3600.0)
_ROOTS = {_HOSTS: b"<HOST_LIST_VM_DETECTION_OUTPUT", _KNOWLEDGE: b"<KNOWLEDGE_BASE_VULN_LIST_OUTPUT"}
_REFUSAL = re.compile(rb"<SIMPLE_RETURN>.*?<TEXT>(?:<!\[CDATA\[)?([^<\]]{1,300})", re.DOTALL)
_NEXT = re.compile(rb"<CODE>\s*1980\s*</CODE>.{0,2000}?[?&;]id_min=([0-9]{1,18})", re.DOTALL)
_MADE = re.compile(rb"<DATETIME>\s*([0-9T:Z-]{10,25})\s*</DATETIME>")
_QID = re.compile(rb"<QID>\s*([0-9]{1,12})\s*</QID>")
_HEAD = 4096


class Qualys:
    """Pages through the hosts, then asks what was found on them."""

    manifest: ClassVar[ConnectorManifest] = ConnectorManifest(
        name="qualys",
        title="Qualys",
        scanner="qualys",
        reference="Qualys VM API: Host Detection List, KnowledgeBase",
        address="https://qualysapi.qualys.eu",
        account="User",
        secret="Password",  # noqa: S106 - what it is called
    )

    @staticmethod
    def pull(desk: Desk) -> Iterator[Brought]:
        """Yield one document of the hosts that were processed since the last pull, where there are any."""
        document = desk.folder / "qualys.xml"
        qids: set[bytes] = set()
        hosts = False
        with document.open("wb") as out:
            out.write(b'<?xml version="1.0" encoding="UTF-8"?>\n<HOST_LIST_VM_DETECTION_OUTPUT><RESPONSE>')
            made = ""
            for page in _pages(desk):
                held = page.read_bytes()
                page.unlink()
                if not made:
                    made = moment_of(held)
                    out.write(f"<DATETIME>{made}</DATETIME><HOST_LIST>".encode())
                part = inside(held, b"HOST_LIST")
                hosts = hosts or bool(part)
                out.write(part)
                qids.update(_QID.findall(part))
            out.write(b"</HOST_LIST></RESPONSE>")
            out.write(b"<GLOSSARY><VULN_LIST>")
            for part in _described(desk, sorted(qids, key=int)):
                out.write(part)
            out.write(b"</VULN_LIST></GLOSSARY></HOST_LIST_VM_DETECTION_OUTPUT>\n")
        desk.state["since"] = made
        if hosts:
            yield Brought(document, f"Qualys detections {made[:10]}.xml")
        desk.kept.clear()


def _pages(desk: Desk) -> Iterator[Path]:
    since = desk.state.get("since", "")
    question = {"action": "list", "truncation_limit": str(_PAGE), "status": "New,Active,Re-Opened"}
    if since:
        question |= {"vm_processed_after": since, "status": "New,Active,Re-Opened,Fixed"}
    at = ""
    for number in range(_MOST_PAGES):
        desk.tell(number, 0, f"page {number + 1} of hosts")
        asked = question | ({"id_min": at} if at else {})
        # A page is the same for two days only where the same was asked: the name says what.
        name = f"hosts-{re.sub('[^0-9TZ]', '', since)}-{at or 'first'}"
        page = _asked(desk, _HOSTS, asked, keep=name)
        onward = next_page(page.read_bytes())
        yield page
        if not onward:
            return
        if at and int(onward) <= int(at):
            raise desk.otherwise("a next page that lies before this one")
        at = onward
    raise desk.otherwise(f"more than {_MOST_PAGES} pages of hosts")


def _described(desk: Desk, qids: Sequence[bytes]) -> Iterator[bytes]:
    """Yield what QIDs are about; without the right to read that, the report has no CVE ids and we say so."""
    for start in range(0, len(qids), _AT_ONCE):
        part = qids[start : start + _AT_ONCE]
        desk.tell(start, len(qids), "what the findings are about")
        try:
            came = _asked(desk, _KNOWLEDGE, {"action": "list", "ids": b",".join(part).decode()})
        except DownloadFailed as error:
            if error.status != 403:
                raise
            desk.failures.append(
                f"{desk.title} does not let the account read its KnowledgeBase, so findings name no CVE ids"
            )
            return
        yield inside(came.read_bytes(), b"VULN_LIST")
        came.unlink()


def _asked(desk: Desk, path: str, question: dict[str, str], keep: str = "") -> Path:
    headers = {
        **desk.credentials.basic(),
        "X-Requested-With": "medwarden",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    came = _of_a_version(desk, path, headers, urlencode(question).encode(), keep)
    with came.open("rb") as file:
        head = file.read(_HEAD)
    refusal = _REFUSAL.search(head)
    if refusal is not None:
        desk.kept.clear()
        said = "".join(c if c.isprintable() else " " for c in refusal.group(1).decode("utf-8", "replace"))
        raise RemoteServiceError(f"{desk.title} refuses: {said.strip()}")
    if _ROOTS[path] not in head:
        desk.kept.clear()
        raise desk.otherwise(f"{path}: an answer that does not begin with {_ROOTS[path][1:].decode()}")
    return came


def _of_a_version(desk: Desk, path: str, headers: dict[str, str], body: bytes, keep: str) -> Path:
    """Ask the version that answered last, else the first one that is not gone."""
    known = desk.state.get(f"version {path}", _VERSIONS[0])
    tried = _VERSIONS[_VERSIONS.index(known) :] if known in _VERSIONS else _VERSIONS
    for version in tried:
        try:
            came = desk.file(
                f"/api/{version}/{path}", headers, body=body, pace=_PACE, limits=_LIMITS, keep=keep
            )
        except DownloadFailed as error:
            if error.status not in _GONE or version == tried[-1]:
                raise
            continue
        desk.state[f"version {path}"] = version
        return came
    raise desk.otherwise(path)


def inside(document: bytes, element: bytes) -> bytes:
    """Return what stands between the first start and the last end of an element; empty where it has none."""
    start = document.find(b"<" + element + b">")
    end = document.rfind(b"</" + element + b">")
    return document[start + len(element) + 2 : end] if 0 <= start < end else b""


def next_page(document: bytes) -> str:
    """Return the lowest id of the next page as the warning of a page names it; empty on the last one."""
    # Behind the hosts: what a device says of itself stands before, and might look like a warning.
    found = _NEXT.search(document, max(0, document.rfind(b"</HOST_LIST>")))
    return found.group(1).decode() if found else ""


def moment_of(document: bytes) -> str:
    """Return when Qualys made a page, by its own clock; the beginning of time where it does not say."""
    found = _MADE.search(document[:_HEAD])
    try:
        made = datetime.fromisoformat(found.group(1).decode()) if found else None
    except ValueError:
        made = None
    if made is None:
        return ""
    aware = made if made.tzinfo else made.replace(tzinfo=UTC)
    return aware.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


CONNECTOR = Qualys
