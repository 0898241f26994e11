"""Reports of OpenVAS and Greenbone in XML, as GMP's ``get_reports`` and the export of the console write them.

After Greenbone's GMP reference (report, result, nvt, qod, host with its details). Quality of detection below
70 %, or a mere banner, makes a result potential.
"""

from __future__ import annotations

import re
from typing import ClassVar
from xml.etree.ElementTree import Element

from medwarden.model.scan import ScanCheck, ScanManifest, ScanOutcome, ScanReport, ScanSighting, ScanSoftware
from medwarden.sensors.scans.gathering import (
    ReportDraft,
    cves_of,
    installed_and_fixed,
    ips_of,
    macs_of,
    names_of,
    port_of,
    score_of,
    time_ns,
    words,
)
from medwarden.sensors.scans.xml_records import XmlRecords, root_of, text_at

_SURE = 70
_ROOTS = frozenset({b"report", b"get_reports_response"})
_LOGGED_IN = re.compile(r"Auth-(?:SSH|SMB|ESXi|SNMP)-Success")


class OpenVas:
    """Reads result by result and host by host."""

    manifest: ClassVar[ScanManifest] = ScanManifest(
        name="openvas",
        title="OpenVAS or Greenbone report (XML)",
        scanner="openvas",
        reference="Greenbone Management Protocol, get_reports",
    )

    def __init__(self, source: str) -> None:
        self._draft = ReportDraft(self.manifest, source)
        self._xml = XmlRecords(
            source,
            {
                "result": self._result,
                "host": self._host,
                "port": _nothing,
                "task": self._task,
                "scan_start": self._begun,
                "scan_end": self._ended,
            },
        )

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Tell whether a document is a report of Greenbone's."""
        return root_of(head) in _ROOTS and (
            b"report_format" in head or b"<gmp>" in head or b"<omp>" in head or b"1.3.6.1.4.1.25623" in head
        )

    def feed(self, piece: bytes) -> None:
        """Take the next piece of the document."""
        self._xml.feed(piece)

    def finish(self) -> ScanReport:
        """Return what was read."""
        self._xml.finish()
        return self._draft.finish()

    def _task(self, element: Element) -> None:
        self._draft.title = self._draft.title or text_at(element, "name")

    def _begun(self, element: Element) -> None:
        self._draft.started_ns = self._draft.started_ns or time_ns(element.text)

    def _ended(self, element: Element) -> None:
        self._draft.ended_ns = max(self._draft.ended_ns, time_ns(element.text))

    def _result(self, element: Element) -> None:
        where = element.find("host")
        nvt = element.find("nvt")
        address = words(where.text, 64) if where is not None else ""
        oid = nvt.get("oid", "") if nvt is not None else ""
        if where is None or nvt is None or not address or not oid:
            self._draft.reject(f"a result without host or NVT: {words(text_at(element, 'name'), 60)}")
            return
        host = self._draft.host(address)
        host.ips += ips_of(address)
        host.names += names_of(address, text_at(where, "hostname"))
        score = score_of(text_at(element, "severity"))
        if not score:
            host.information += 1
            return
        refs = nvt.findall("refs/ref")
        cves = cves_of(
            [*(ref.get("id") for ref in refs if ref.get("type") == "cve"), text_at(nvt, "cve"), _of_cve(oid)]
        )
        solution = text_at(nvt, "solution") or _tag(text_at(nvt, "tags"), "solution")
        name = words(oid, 60)
        self._draft.check(
            ScanCheck(name, words(text_at(nvt, "name") or text_at(element, "name")), cves, score, solution)
        )
        port, _, transport = text_at(element, "port").partition("/")
        installed, fixed = installed_and_fixed(text_at(element, "description"))
        seen = time_ns(text_at(element, "creation_time"))
        self._draft.saw(
            host,
            ScanSighting(
                name,
                _outcome(element),
                port_of(port),
                words(transport, 8).lower(),
                installed,
                fixed,
                0,
                seen,
            ),
        )

    def _host(self, element: Element) -> None:
        address = text_at(element, "ip")
        if not address:
            return
        host = self._draft.host(words(address, 64))
        host.ips += ips_of(address)
        host.seen_ns = max(host.seen_ns, time_ns(text_at(element, "end")), time_ns(text_at(element, "start")))
        for detail in element.iterfind("detail"):
            name, value = text_at(detail, "name"), text_at(detail, "value")
            if name == "hostname":
                host.names += names_of(value)
            elif name == "MAC":
                host.macs += macs_of(value)
            elif name == "best_os_txt":
                host.os = words(value, 200)
            elif name == "App" and value.startswith("cpe:/a"):
                host.runs(ScanSoftware("", "", "", words(value, 200)))
            elif _LOGGED_IN.fullmatch(name):
                host.credentialed = True


def _nothing(_element: Element) -> None:
    """Leave the list of open ports aside: results name their ports."""


def _of_cve(oid: str) -> str:
    return oid if oid.upper().startswith("CVE-") else ""


def _tag(tags: str, name: str) -> str:
    """Return one of the ``name=text`` pairs, set apart by bars, that older reports keep in ``tags``."""
    return next((each[len(name) + 1 :] for each in tags.split("|") if each.startswith(f"{name}=")), "")


def _outcome(element: Element) -> ScanOutcome:
    quality = score_of_quality(text_at(element, "qod/value"))
    banner = text_at(element, "qod/type").startswith("remote_banner")
    return ScanOutcome.POTENTIAL if banner or quality < _SURE else ScanOutcome.VULNERABLE


def score_of_quality(text: str) -> int:
    """Return the quality of detection in percent; the customary 75 where a report has none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 3 else 75


READER = OpenVas
