"""What the API of Qualys answers about detections: ``HOST_LIST_VM_DETECTION_OUTPUT`` in XML.

After Qualys' API guide for VM and its DTD of that name. The answer names QIDs alone; where the knowledge
base is appended, or results name them, CVE ids are taken from there.
"""

from __future__ import annotations

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
    time_ns,
    words,
)
from medwarden.sensors.scans.qualys_report import OUTCOMES, SEVERITIES, logged_in
from medwarden.sensors.scans.xml_records import XmlRecords, root_of, text_at


class QualysDetections:
    """Reads host by host."""

    manifest: ClassVar[ScanManifest] = ScanManifest(
        name="qualys_detections",
        title="Qualys host detections (API, XML)",
        scanner="qualys",
        reference="Qualys, host_list_vm_detection_output.dtd",
    )

    def __init__(self, source: str) -> None:
        self._draft = ReportDraft(self.manifest, source)
        self._xml = XmlRecords(
            source, {"HOST": self._host, "DATETIME": self._made, "VULN": self._vulnerability}
        )

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Tell whether a document begins with the root element of this answer."""
        return root_of(head) == b"HOST_LIST_VM_DETECTION_OUTPUT"

    def feed(self, piece: bytes) -> None:
        """Take the next piece of the document."""
        self._xml.feed(piece)

    def finish(self) -> ScanReport:
        """Return what was read."""
        self._xml.finish()
        return self._draft.finish()

    def _made(self, element: Element) -> None:
        self._draft.ended_ns = max(self._draft.ended_ns, time_ns(element.text))

    def _host(self, element: Element) -> None:
        key = words(text_at(element, "ID") or text_at(element, "IP"), 64)
        if not key:
            self._draft.reject("a host without id and address")
            return
        host = self._draft.host(key)
        host.ips += ips_of(f"{text_at(element, 'IP')} {text_at(element, 'IPV6')}")
        host.names += names_of(
            text_at(element, "DNS"), text_at(element, "DNS_DATA/FQDN"), text_at(element, "NETBIOS")
        )
        host.os = words(text_at(element, "OS"), 200)
        host.seen_ns = time_ns(
            text_at(element, "LAST_VM_SCANNED_DATE") or text_at(element, "LAST_SCAN_DATETIME")
        )
        if text_at(element, "LAST_VM_AUTH_SCANNED_DATE"):
            host.credentialed = True
        for detection in element.iterfind("DETECTION_LIST/DETECTION"):
            self._detection(host, detection)

    def _detection(self, host: HostDraft, detection: Element) -> None:
        number = words(text_at(detection, "QID"), 12)
        if not number.isdigit():
            self._draft.reject("a detection without QID")
            return
        outcome = OUTCOMES.get(text_at(detection, "TYPE").lower())
        result = text_at(detection, "RESULTS")
        if outcome is None:
            host.information += 1
            logged_in(host, number, result)
            return
        if text_at(detection, "STATUS").lower() == "fixed":
            outcome = ScanOutcome.FIXED
        said = cves_of(
            [
                *(cve.text for cve in detection.iterfind("QDS_FACTORS/QDS_FACTOR")),
                text_at(detection, "CVE_ID_LIST"),
                *(cve.text for cve in detection.iterfind("CVE_LIST/CVE")),
            ]
        )
        severity = SEVERITIES.get(text_at(detection, "SEVERITY"))
        self._draft.check(ScanCheck(f"QID-{number}", f"QID {number}", said, severity))
        installed, fixed = installed_and_fixed(result)
        self._draft.saw(
            host,
            ScanSighting(
                f"QID-{number}",
                outcome,
                port_of(text_at(detection, "PORT")),
                words(text_at(detection, "PROTOCOL"), 8).lower(),
                installed,
                fixed,
                time_ns(text_at(detection, "FIRST_FOUND_DATETIME")),
                time_ns(text_at(detection, "LAST_FOUND_DATETIME")),
            ),
        )

    def _vulnerability(self, element: Element) -> None:
        number = words(text_at(element, "QID"), 12)
        if number.isdigit():
            self._draft.check(
                ScanCheck(
                    f"QID-{number}",
                    words(text_at(element, "TITLE")),
                    cves_of(cve.text for cve in element.iterfind("CVE_LIST/CVE/ID")),
                    SEVERITIES.get(text_at(element, "SEVERITY_LEVEL")),
                    text_at(element, "SOLUTION"),
                )
            )


READER = QualysDetections
