"""Assets of InsightVM in JSON: pages of the cloud integration API (v4) and of the console's API (v3).

After Rapid7's API descriptions. A v4 asset lists vulnerabilities that are ``new``, the ``same`` as at the
time of comparison, or ``remediated``; a v3 asset tells addresses, system and programs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

import msgspec

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
    time_ns,
    words,
)
from medwarden.sensors.scans.json_document import JsonDocument, decoded

_OUTCOMES: Mapping[str, ScanOutcome] = MappingProxyType(
    {
        "VULNERABLE_EXPL": ScanOutcome.VULNERABLE,
        "VULNERABLE_VERS": ScanOutcome.POTENTIAL,
        "VULNERABLE_POTENTIAL": ScanOutcome.POTENTIAL,
        "NOT_VULNERABLE": ScanOutcome.NOT_VULNERABLE,
        "NOT_VULNERABLE_VERSION": ScanOutcome.NOT_VULNERABLE,
    }
)


class _Seen(msgspec.Struct):
    vulnerability_id: str = ""
    status: str | None = None
    port: int | None = None
    protocol: str | None = None
    proof: str | None = None
    first_found: str | None = None
    last_found: str | None = None
    solution_summary: str | None = None
    solution_fix: str | None = None


class _Credential(msgspec.Struct):
    status: str | None = None


class _Address(msgspec.Struct):
    ip: str | None = None
    mac: str | None = None


class _Cpe(msgspec.Struct, rename={"text": "v2.3"}):
    text: str | None = None


class _Program(msgspec.Struct):
    product: str | None = None
    family: str | None = None
    version: str | None = None
    vendor: str | None = None
    cpe: _Cpe | None = None


class _Asset(msgspec.Struct, rename={"hostName": "hostName"}):
    id: str | int = ""
    ip: str | None = None
    mac: str | None = None
    host_name: str | None = None
    hostName: str | None = None  # noqa: N815  the console's own spelling
    os_description: str | None = None
    os: str | None = None
    last_scan_end: str | None = None
    last_assessed_for_vulnerabilities: str | None = None
    addresses: list[_Address] | None = None
    software: list[_Program] | None = None
    credential_assessments: list[_Credential] | None = None
    new: list[_Seen] | None = None
    same: list[_Seen] | None = None
    remediated: list[_Seen] | None = None


class InsightVmJson:
    """Reads asset by asset."""

    manifest: ClassVar[ScanManifest] = ScanManifest(
        name="insightvm_json",
        title="InsightVM assets (API, JSON)",
        scanner="rapid7",
        reference="Rapid7, InsightVM cloud integration API v4 and console API v3",
    )

    def __init__(self, source: str) -> None:
        self._draft = ReportDraft(self.manifest, source)
        self._document = JsonDocument(source)

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Tell whether a document begins with assets of one of both APIs."""
        if not re.match(rb"(?:\xef\xbb\xbf)?\s*[\[{]", head):
            return False
        cloud = b'"assessed_for_vulnerabilities"' in head and b'"ip"' in head
        console = b'"assessedForVulnerabilities"' in head and b'"ip"' in head
        return cloud or console

    def feed(self, piece: bytes) -> None:
        """Take the next piece of the document."""
        self._document.feed(piece)

    def finish(self) -> ScanReport:
        """Return what was read."""
        for number, record in enumerate(self._document.records(("data", "resources")), 1):
            asset = decoded(record, _Asset)
            if asset is None or not (asset.ip or asset.mac or asset.host_name or asset.hostName):
                self._draft.reject(f"asset {number} is not of the published form or has no address")
                continue
            self._take(asset)
        return self._draft.finish()

    def _take(self, asset: _Asset) -> None:
        host = self._draft.host(words(str(asset.id) or asset.ip, 120))
        others = asset.addresses or []
        host.ips += ips_of(" ".join(filter(None, (asset.ip, *(each.ip for each in others)))))
        host.macs += macs_of(" ".join(filter(None, (asset.mac, *(each.mac for each in others)))))
        host.names += names_of(asset.host_name, asset.hostName)
        host.os = words(asset.os_description or asset.os, 200)
        host.seen_ns = time_ns(asset.last_scan_end) or time_ns(asset.last_assessed_for_vulnerabilities)
        logins = [(each.status or "").upper() for each in asset.credential_assessments or ()]
        if logins:
            host.credentialed = any(_logged_in(login) for login in logins)
        for program in asset.software or ():
            host.runs(
                ScanSoftware(
                    words(program.product or program.family, 120),
                    words(program.version, 60),
                    words(program.vendor, 120),
                    words(program.cpe.text, 200) if program.cpe else "",
                )
            )
        if asset.software and host.credentialed is None:
            host.credentialed = True  # programs are listed by a scan that is logged in
        for seen in (*(asset.same or ()), *(asset.new or ())):
            status = (seen.status or "").upper()
            logged_in = status == "VULNERABLE_VERS" and host.credentialed
            self._seen(host, seen, ScanOutcome.VULNERABLE if logged_in else _OUTCOMES.get(status))
        for seen in asset.remediated or ():
            self._seen(host, seen, ScanOutcome.FIXED)

    def _seen(self, host: HostDraft, seen: _Seen, outcome: ScanOutcome | None) -> None:
        name = words(seen.vulnerability_id, 200).lower()
        if not name or outcome is None:
            host.information += 1
            return
        remedy = seen.solution_summary or seen.solution_fix or ""
        self._draft.check(ScanCheck(name, name, cves_of([name]), None, remedy))
        installed, fixed = installed_and_fixed(seen.proof)
        self._draft.saw(
            host,
            ScanSighting(
                name,
                outcome,
                port_of(seen.port),
                words(seen.protocol, 8).lower(),
                installed,
                fixed,
                time_ns(seen.first_found),
                time_ns(seen.last_found) or host.seen_ns,
            ),
        )


def _logged_in(status: str) -> bool:
    return "SUCCESS" in status or status in ("ALL_CREDENTIALS_SUCCESSFUL", "LOCAL_ADMIN", "ROOT")


READER = InsightVmJson
