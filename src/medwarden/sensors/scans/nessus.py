"""Reports of Nessus and Tenable in the form ``.nessus`` (NessusClientData_v2).

After Tenable's "Nessus v2 File Format": a ReportHost has HostProperties (tags) and ReportItems (one result of
one plugin). Plugins 19506, 20811, 22869, 62042 and 93962 tell of the scan itself, programs and updates.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar
from xml.etree.ElementTree import Element

from medwarden.model.scan import (
    ScanCheck,
    ScanManifest,
    ScanOutcome,
    ScanReport,
    ScanSighting,
    ScanSoftware,
)
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
from medwarden.sensors.scans.xml_records import XmlRecords, root_of, text_at

SELF_REPORTED = "self-reported version"
"""Tenable's words where a plugin did not test but believed a banner."""
_SEVERITIES: Mapping[str, float] = MappingProxyType({"1": 2.0, "2": 5.0, "3": 7.5, "4": 9.5})
_ABOUT_THE_SCAN, _INSTALLED, _PACKAGES = "19506", "20811", "22869"
_UPDATES_INSTALLED = frozenset({"62042", "93962"})
_PROGRAM = re.compile(
    r"^[ \t]*+([^\[\]\n]{2,120}?)[ \t]{1,20}\[version\s{1,20}([^\]\n]{1,60})\]", re.MULTILINE
)
_DPKG = re.compile(r"^[ \t]*+ii[ \t]++([a-z0-9][a-z0-9+.-]{1,80})(?::\w+)?\s+(\S{1,80})\s", re.MULTILINE)
_RPM = re.compile(r"^[ \t]*+([A-Za-z0-9][\w+.-]{0,80}?)-((?:\d+:)?\d[\w.~^+]*-[\w.~^+]+)\|", re.MULTILINE)


class Nessus:
    """Reads host by host, result by result."""

    manifest: ClassVar[ScanManifest] = ScanManifest(
        name="nessus",
        title="Nessus or Tenable report (.nessus)",
        scanner="nessus",
        reference="Tenable, Nessus v2 File Format",
    )

    def __init__(self, source: str) -> None:
        self._draft = ReportDraft(self.manifest, source)
        self._host: HostDraft | None = None
        self._xml = XmlRecords(
            source, {"HostProperties": self._properties, "ReportItem": self._item}, self._begin
        )

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Tell whether a document begins with Nessus' root element."""
        return root_of(head) == b"NessusClientData_v2"

    def feed(self, piece: bytes) -> None:
        """Take the next piece of the document."""
        self._xml.feed(piece)

    def finish(self) -> ScanReport:
        """Return what was read."""
        self._xml.finish()
        return self._draft.finish()

    def _begin(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "Report":
            self._draft.title = attributes.get("name", "")
        elif tag == "ReportHost":
            name = attributes.get("name", "")
            self._host = self._draft.host(name[:255])
            self._host.ips += ips_of(name)
            self._host.names += names_of(name)

    def _properties(self, element: Element) -> None:
        host = self._host
        if host is None:
            return
        for tag in element.iterfind("tag"):
            name, value = tag.get("name", ""), (tag.text or "").strip()
            if name == "host-ip":
                host.ips += ips_of(value)
            elif name == "mac-address":
                host.macs += macs_of(value)
            elif name in ("host-fqdn", "netbios-name", "hostname", "host-rdns"):
                host.names += names_of(value)
            elif name == "operating-system":
                host.os = words(value.partition("\n")[0], 200)
            elif name == "Credentialed_Scan":
                host.credentialed = value.lower() == "true"
            elif name in ("HOST_END", "HOST_END_TIMESTAMP", "HOST_START", "HOST_START_TIMESTAMP"):
                host.seen_ns = max(host.seen_ns, time_ns(value))
            elif name == "cpe" or name.startswith("cpe-"):
                cpe, _, title = value.partition(" -> ")
                if cpe.startswith(("cpe:/a", "cpe:2.3:a")):
                    host.runs(ScanSoftware(words(title, 120), "", "", words(cpe, 200)))

    def _item(self, element: Element) -> None:
        host = self._host
        plugin = element.get("pluginID", "")
        if host is None or not plugin.isdigit() or len(plugin) > 12:
            self._draft.reject(f"a result of no host or no plugin: {words(plugin, 20) or 'without pluginID'}")
            return
        output = text_at(element, "plugin_output")
        cves = cves_of(cve.text for cve in element.iterfind("cve"))
        severity = element.get("severity", "0")
        self._tells(host, plugin, output)
        score = score_of(text_at(element, "cvss3_base_score") or text_at(element, "cvss_base_score"))
        if severity not in _SEVERITIES:
            host.information += 1
            return
        self._draft.check(
            ScanCheck(
                plugin,
                words(element.get("pluginName") or text_at(element, "plugin_name")),
                cves,
                score if score is not None else _SEVERITIES[severity],
                text_at(element, "solution"),
            )
        )
        installed, fixed = installed_and_fixed(output)
        believed = SELF_REPORTED in " ".join(text_at(element, "description").split())
        self._draft.saw(
            host,
            ScanSighting(
                plugin,
                ScanOutcome.POTENTIAL if believed else ScanOutcome.VULNERABLE,
                port_of(element.get("port")),
                words(element.get("protocol"), 8).lower(),
                installed,
                fixed,
                0,
                host.seen_ns,
            ),
        )

    @staticmethod
    def _tells(host: HostDraft, plugin: str, output: str) -> None:
        """Take what plugins say of the scan, of programs and of updates."""
        if plugin == _ABOUT_THE_SCAN:
            said = re.search(r"Credentialed checks\s*:\s*(yes|no)", output)
            if said and host.credentialed is None:
                host.credentialed = said.group(1) == "yes"
        elif plugin == _INSTALLED:
            for name, version in _PROGRAM.findall(output):
                host.runs(ScanSoftware(words(name, 120), words(version, 60)))
            host.credentialed = True
        elif plugin == _PACKAGES:
            for name, version in (*_DPKG.findall(output), *_RPM.findall(output)):
                host.runs(ScanSoftware(words(name, 120), words(version, 60)))
            host.credentialed = True
        elif plugin in _UPDATES_INSTALLED:
            host.updates += updates_of(output)


READER = Nessus
