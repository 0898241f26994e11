"""Vulnerabilities as Tenable's export API hands them out: a JSON array of findings, or one per line.

After Tenable's developer documentation, "Export vulnerabilities": each finding has ``asset``, ``plugin``,
``port``, ``scan``, ``state`` (OPEN, REOPENED, FIXED) and ``severity_id`` (0 informs). An export is bound by
dates and states and says itself what is fixed, so what it does without is not refuted.
"""

from __future__ import annotations

import re
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
    score_of,
    time_ns,
    updates_of,
    words,
)
from medwarden.sensors.scans.json_document import JsonDocument, decoded
from medwarden.sensors.scans.nessus import SELF_REPORTED

_SCORES = (0.0, 2.0, 5.0, 7.5, 9.5)


class _Asset(msgspec.Struct):
    uuid: str = ""
    ipv4: str | None = None
    ipv6: str | None = None
    mac_address: str | None = None
    fqdn: str | None = None
    hostname: str | None = None
    netbios_name: str | None = None
    operating_system: list[str] | None = None
    last_authenticated_results: str | None = None


class _Plugin(msgspec.Struct):
    id: int
    name: str = ""
    cve: list[str] | None = None
    cvss3_base_score: float | None = None
    cvss_base_score: float | None = None
    solution: str | None = None
    description: str | None = None
    cpe: list[str] | None = None


class _Port(msgspec.Struct):
    port: int = 0
    protocol: str | None = None


class _Scan(msgspec.Struct):
    started_at: str | None = None
    completed_at: str | None = None


class _Finding(msgspec.Struct):
    asset: _Asset
    plugin: _Plugin
    port: _Port = msgspec.field(default_factory=_Port)
    scan: _Scan = msgspec.field(default_factory=_Scan)
    output: str | None = None
    severity_id: int = 0
    state: str = "OPEN"
    first_found: str | None = None
    last_found: str | None = None


class TenableJson:
    """Reads the findings and gathers them by asset."""

    manifest: ClassVar[ScanManifest] = ScanManifest(
        name="tenable_json",
        title="Tenable vulnerability export (JSON)",
        scanner="nessus",
        reference="Tenable Vulnerability Management API, Export vulnerabilities",
        whole=False,
    )

    def __init__(self, source: str) -> None:
        self._draft = ReportDraft(self.manifest, source)
        self._document = JsonDocument(source)

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Tell whether a document begins with findings that have an asset and a plugin."""
        text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
        return (
            bool(re.match(rb"\[?\s*\{", text))
            and b'"asset"' in text
            and b'"plugin"' in text
            and b'"severity_id"' in text
        )

    def feed(self, piece: bytes) -> None:
        """Take the next piece of the document."""
        self._document.feed(piece)

    def finish(self) -> ScanReport:
        """Return what was read."""
        for number, record in enumerate(self._document.records(), 1):
            finding = decoded(record, _Finding)
            if finding is None:
                self._draft.reject(f"finding {number} is not of the published form")
                continue
            self._take(finding)
        return self._draft.finish()

    def _take(self, finding: _Finding) -> None:
        asset, plugin = finding.asset, finding.plugin
        host = self._draft.host(asset.uuid or asset.ipv4 or asset.hostname or "")
        self._identity(host, asset)
        started = time_ns(finding.scan.started_at)
        ended = time_ns(finding.scan.completed_at) or started
        seen = time_ns(finding.last_found) or ended
        host.seen_ns = max(host.seen_ns, seen)
        if started:
            self._draft.started_ns = min(self._draft.started_ns or started, started)
        self._draft.ended_ns = max(self._draft.ended_ns, ended)
        output = finding.output or ""
        for cpe in plugin.cpe or ():
            if cpe.startswith(("cpe:/a", "cpe:2.3:a")) and finding.severity_id == 0:
                host.runs(ScanSoftware("", "", "", words(cpe, 200)))
        if plugin.id in (62042, 93962):
            host.updates += updates_of(output)
        if not 1 <= finding.severity_id <= 4:
            host.information += 1
            return
        score = plugin.cvss3_base_score if plugin.cvss3_base_score is not None else plugin.cvss_base_score
        name = str(plugin.id)
        rated = score_of(score)
        self._draft.check(
            ScanCheck(
                name,
                words(plugin.name),
                cves_of(plugin.cve or ()),
                _SCORES[finding.severity_id] if rated is None else rated,
                plugin.solution or "",
            )
        )
        installed, fixed = installed_and_fixed(output)
        self._draft.saw(
            host,
            ScanSighting(
                name,
                _outcome(finding),
                port_of(finding.port.port),
                words(finding.port.protocol, 8).lower(),
                installed,
                fixed,
                time_ns(finding.first_found),
                seen,
            ),
        )

    @staticmethod
    def _identity(host: HostDraft, asset: _Asset) -> None:
        host.ips += ips_of(f"{asset.ipv4 or ''} {asset.ipv6 or ''}")
        host.macs += macs_of(asset.mac_address)
        host.names += names_of(asset.fqdn, asset.hostname, asset.netbios_name)
        host.os = host.os or words(next(iter(asset.operating_system or ()), ""), 200)
        if asset.last_authenticated_results:
            host.credentialed = True


def _outcome(finding: _Finding) -> ScanOutcome:
    if finding.state.upper() == "FIXED":
        return ScanOutcome.FIXED
    believed = SELF_REPORTED in " ".join((finding.plugin.description or "").split())
    return ScanOutcome.POTENTIAL if believed else ScanOutcome.VULNERABLE


READER = TenableJson
