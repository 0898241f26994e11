"""Reports of Qualys in XML: the "asset data report" of a template, whose glossary follows the hosts.

After Qualys' ``asset_data_report.dtd``. TYPE is Vuln (seen), Practice (suspected) or Ig (information).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar
from xml.etree.ElementTree import Element

from medwarden.model.scan import ScanCheck, ScanManifest, ScanOutcome, ScanReport, ScanSighting
from medwarden.sensors.scans.gathering import (
    HostDraft,
    ReportDraft,
    cves_of,
    installed_and_fixed,
    ips_of,
    names_of,
    port_of,
    score_of,
    time_ns,
    words,
)
from medwarden.sensors.scans.xml_records import XmlRecords, root_of, text_at

OUTCOMES: Mapping[str, ScanOutcome] = MappingProxyType(
    {
        "vuln": ScanOutcome.VULNERABLE,
        "confirmed": ScanOutcome.VULNERABLE,
        "practice": ScanOutcome.POTENTIAL,
        "potential": ScanOutcome.POTENTIAL,
    }
)
SEVERITIES: Mapping[str, float] = MappingProxyType({"1": 1.0, "2": 3.0, "3": 5.5, "4": 7.5, "5": 9.5})
"""Qualys' severities as scores, where a report has no CVSS."""


class QualysReport:
    """Reads host by host, then the glossary."""

    manifest: ClassVar[ScanManifest] = ScanManifest(
        name="qualys_report",
        title="Qualys asset data report (XML)",
        scanner="qualys",
        reference="Qualys, asset_data_report.dtd",
    )

    def __init__(self, source: str) -> None:
        self._draft = ReportDraft(self.manifest, source)
        self._xml = XmlRecords(
            source,
            {
                "HOST": self._host,
                "VULN_DETAILS": self._detail,
                "GENERATION_DATETIME": self._made,
                "TEMPLATE": self._template,
            },
        )

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Tell whether a document begins with the root element of this report."""
        return root_of(head) == b"ASSET_DATA_REPORT"

    def feed(self, piece: bytes) -> None:
        """Take the next piece of the document."""
        self._xml.feed(piece)

    def finish(self) -> ScanReport:
        """Return what was read."""
        self._xml.finish()
        return self._draft.finish()

    def _made(self, element: Element) -> None:
        self._draft.ended_ns = max(self._draft.ended_ns, time_ns(element.text))

    def _template(self, element: Element) -> None:
        self._draft.title = element.text or ""

    def _host(self, element: Element) -> None:
        address = words(text_at(element, "IP"), 64)
        if not address:
            self._draft.reject("a host without an address")
            return
        host = self._draft.host(address)
        host.ips += ips_of(f"{address} {text_at(element, 'IPV6')}")
        host.names += names_of(text_at(element, "DNS"), text_at(element, "NETBIOS"))
        host.os = words(text_at(element, "OPERATING_SYSTEM"), 200)
        for info in element.iterfind("VULN_INFO_LIST/VULN_INFO"):
            self._info(host, info)

    def _info(self, host: HostDraft, info: Element) -> None:
        number = words(text_at(info, "QID"), 12)
        outcome = OUTCOMES.get(text_at(info, "TYPE").lower())
        result = text_at(info, "RESULT")
        if not number.isdigit():
            self._draft.reject("a result without QID")
            return
        last = time_ns(text_at(info, "LAST_FOUND"))
        host.seen_ns = max(host.seen_ns, last)
        if outcome is None:
            host.information += 1
            logged_in(host, number, result)
            return
        if text_at(info, "VULN_STATUS").lower() == "fixed":
            outcome = ScanOutcome.FIXED
        installed, fixed = installed_and_fixed(result)
        self._draft.saw(
            host,
            ScanSighting(
                f"QID-{number}",
                outcome,
                port_of(text_at(info, "PORT")),
                words(text_at(info, "PROTOCOL"), 8).lower(),
                installed,
                fixed,
                time_ns(text_at(info, "FIRST_FOUND")),
                last,
            ),
        )

    def _detail(self, element: Element) -> None:
        number = words(text_at(element, "QID"), 12)
        if not number.isdigit():
            self._draft.reject("an entry of the glossary without QID")
            return
        score = score_of(
            text_at(element, "CVSS3_SCORE/CVSS3_BASE") or text_at(element, "CVSS_SCORE/CVSS_BASE")
        )
        self._draft.check(
            ScanCheck(
                f"QID-{number}",
                words(text_at(element, "TITLE")),
                cves_of(cve.text for cve in element.iterfind("CVE_ID_LIST/CVE_ID/ID")),
                SEVERITIES.get(text_at(element, "SEVERITY")) if score is None else score,
                text_at(element, "SOLUTION"),
            )
        )


def logged_in(host: HostDraft, number: str, result: str) -> None:
    """Note from the QIDs on authentication whether the scanner was logged in (38307 Unix, 70028 Windows)."""
    if number == "38307" or (number == "70028" and "null session" not in result.lower()):
        host.credentialed = True
    elif number in ("105015", "105053") and host.credentialed is None:
        host.credentialed = False


READER = QualysReport
