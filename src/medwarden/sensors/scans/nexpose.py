"""Reports of Nexpose and InsightVM in "XML Export 2.0".

After Rapid7's report template of that name: nodes with tests, each test with the id of a vulnerability and a
status; definitions of the vulnerabilities follow the nodes. Ids are compared without regard to case.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar
from xml.etree.ElementTree import Element

from medwarden.model.scan import ScanCheck, ScanManifest, ScanOutcome, ScanReport, ScanSighting, ScanSoftware
from medwarden.sensors.scans.gathering import (
    HostDraft,
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
from medwarden.sensors.scans.xml_records import XmlRecords, root_of

OUTCOMES: Mapping[str, ScanOutcome] = MappingProxyType(
    {
        "vulnerable-exploited": ScanOutcome.VULNERABLE,
        "vulnerable-version": ScanOutcome.POTENTIAL,
        "vulnerable-potential": ScanOutcome.POTENTIAL,
        "potential": ScanOutcome.POTENTIAL,
        "not-vulnerable": ScanOutcome.NOT_VULNERABLE,
        "not-vulnerable-version": ScanOutcome.NOT_VULNERABLE,
        "skipped-version": ScanOutcome.NOT_VULNERABLE,
    }
)
"""Statuses that say something; those of checks that did not run or were excepted by a person do not.

A version that was read without logging in is a banner, which makes it potential.
"""


class Nexpose:
    """Reads node by node, then the definitions."""

    manifest: ClassVar[ScanManifest] = ScanManifest(
        name="nexpose",
        title="Nexpose or InsightVM report (XML Export 2.0)",
        scanner="rapid7",
        reference="Rapid7, XML Export 2.0",
    )

    def __init__(self, source: str) -> None:
        self._draft = ReportDraft(self.manifest, source)
        self._xml = XmlRecords(source, {"node": self._node, "vulnerability": self._definition}, self._begin)

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Tell whether a document begins with Nexpose's root element."""
        return root_of(head) == b"NexposeReport"

    def feed(self, piece: bytes) -> None:
        """Take the next piece of the document."""
        self._xml.feed(piece)

    def finish(self) -> ScanReport:
        """Return what was read."""
        self._xml.finish()
        return self._draft.finish()

    def _begin(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "scan":
            started, ended = time_ns(attributes.get("startTime")), time_ns(attributes.get("endTime"))
            self._draft.title = self._draft.title or attributes.get("name", "")
            self._draft.started_ns = self._draft.started_ns or started
            self._draft.ended_ns = max(self._draft.ended_ns, ended)

    def _node(self, element: Element) -> None:
        address = element.get("address", "")
        if not address:
            self._draft.reject("a node without an address")
            return
        host = self._draft.host(element.get("device-id") or address)
        host.ips += ips_of(address)
        host.names += names_of(address, *(name.text for name in element.iterfind("names/name")))
        host.macs += macs_of(element.get("hardware-address"))
        host.seen_ns = max(host.seen_ns, self._draft.ended_ns)
        systems = sorted(
            element.iterfind("fingerprints/os"), key=lambda os: -(score_of(os.get("certainty")) or 0.0)
        )
        if systems:
            host.os = _named(systems[0])
        for found in element.iterfind("software/fingerprint"):
            host.runs(_software(found))
            host.credentialed = True  # programs are listed by a scan that is logged in
        for test in element.iterfind("tests/test"):
            self._test(host, test, 0, "")
        for endpoint in element.iterfind("endpoints/endpoint"):
            port, transport = port_of(endpoint.get("port")), words(endpoint.get("protocol"), 8).lower()
            for service in endpoint.iterfind("services/service"):
                for found in service.iterfind("fingerprints/fingerprint"):
                    host.runs(_software(found))
                for test in service.iterfind("tests/test"):
                    self._test(host, test, port, transport)

    def _test(self, host: HostDraft, test: Element, port: int, transport: str) -> None:
        name = words(test.get("id"), 200).lower()
        status = test.get("status", "")
        outcome = OUTCOMES.get(status)
        if status == "vulnerable-version" and host.credentialed:
            outcome = ScanOutcome.VULNERABLE
        if not name or outcome is None:
            host.information += 1
            return
        proof = "\n".join(text.strip() for text in test.itertext())
        installed, fixed = installed_and_fixed(proof)
        self._draft.saw(
            host,
            ScanSighting(
                name,
                outcome,
                port,
                transport,
                installed,
                fixed,
                time_ns(test.get("vulnerable-since")),
                host.seen_ns,
            ),
        )

    def _definition(self, element: Element) -> None:
        name = words(element.get("id"), 200).lower()
        if not name:
            self._draft.reject("a definition of a vulnerability without an id")
            return
        said = [
            reference.text
            for reference in element.iterfind("references/reference")
            if reference.get("source", "").upper() == "CVE"
        ]
        solution = element.find("solution")
        remedy = " ".join(solution.itertext()) if solution is not None else ""
        score = score_of(element.get("cvssV3Score") or element.get("cvssScore"))
        self._draft.check(ScanCheck(name, words(element.get("title")), cves_of([*said, name]), score, remedy))


def _named(element: Element) -> str:
    """Return maker, product and version of a fingerprint, without saying a word twice."""
    parts = [element.get("vendor", ""), element.get("product", ""), element.get("version", "")]
    return words(" ".join(dict.fromkeys(part for part in parts if part)), 200)


def _software(element: Element) -> ScanSoftware:
    return ScanSoftware(
        words(element.get("product") or element.get("family"), 120),
        words(element.get("version"), 60),
        words(element.get("vendor"), 120),
        words(element.get("cpe"), 200),
    )


READER = Nexpose
