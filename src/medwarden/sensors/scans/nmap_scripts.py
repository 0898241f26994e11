"""What nmap's scripts found: vulners, everything that reports through nmap's library ``vulns``, and ssl-*.

After nmap.dtd and the documentation of NSE. The library writes tables with ``title``, ``state`` and ``ids``;
vulners looks versions up by CPE: its answers are potential. Older smb-vuln scripts write true or false.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar
from xml.etree.ElementTree import Element

from medwarden.model.scan import ScanCheck, ScanManifest, ScanOutcome, ScanReport, ScanSighting, ScanSoftware
from medwarden.sensors.scans.gathering import (
    HostDraft,
    ReportDraft,
    cves_of,
    ips_of,
    macs_of,
    names_of,
    port_of,
    score_of,
    time_ns,
    words,
)
from medwarden.sensors.scans.xml_records import XmlRecords, root_of

_BULLETIN = re.compile(r"(?:smb|http|rdp|ftp|ssl|rmi|samba)-vuln-(.+)\Z")
_WEAK = re.compile(r"\b(?:SWEET32|64-bit block cipher)", re.IGNORECASE)


class NmapScripts:
    """Reads host by host."""

    manifest: ClassVar[ScanManifest] = ScanManifest(
        name="nmap_scripts",
        title="nmap report with script results (XML)",
        scanner="nmap",
        reference="nmap.dtd; Nmap Scripting Engine, library vulns",
        whole=False,
    )

    def __init__(self, source: str) -> None:
        self._draft = ReportDraft(self.manifest, source)
        self._xml = XmlRecords(source, {"host": self._host}, self._begin)

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Tell whether a document begins with nmap's root element."""
        return root_of(head) == b"nmaprun"

    def feed(self, piece: bytes) -> None:
        """Take the next piece of the document."""
        self._xml.feed(piece)

    def finish(self) -> ScanReport:
        """Return what was read."""
        self._xml.finish()
        return self._draft.finish()

    def _begin(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "nmaprun":
            self._draft.started_ns = time_ns(attributes.get("start"))
            self._draft.title = "nmap"
        elif tag == "finished":
            self._draft.ended_ns = time_ns(attributes.get("time"))

    def _host(self, element: Element) -> None:
        addresses = [(each.get("addrtype", ""), each.get("addr", "")) for each in element.iterfind("address")]
        ips = [ip for kind, written in addresses if kind != "mac" for ip in ips_of(written)]
        macs = [mac for kind, written in addresses if kind == "mac" for mac in macs_of(written)]
        if not ips and not macs:
            self._draft.reject("a host without an address")
            return
        host = self._draft.host((ips or macs)[0])
        host.ips += ips
        host.macs += macs
        host.names += names_of(*(name.get("name") for name in element.iterfind("hostnames/hostname")))
        host.seen_ns = (
            time_ns(element.get("endtime")) or time_ns(element.get("starttime")) or self._draft.started_ns
        )
        for script in element.iterfind("hostscript/script"):
            self._script(host, script, 0, "")
        for each in element.iterfind("ports/port"):
            port, transport = port_of(each.get("portid")), words(each.get("protocol"), 8).lower()
            service = each.find("service")
            if service is not None and service.get("product"):
                cpe = next(
                    (c.text or "" for c in service.iterfind("cpe") if (c.text or "").startswith("cpe:/a")), ""
                )
                host.runs(
                    ScanSoftware(
                        words(service.get("product"), 120),
                        words(service.get("version"), 60),
                        "",
                        words(cpe, 200),
                    )
                )
            for script in each.iterfind("script"):
                self._script(host, script, port, transport)

    def _script(self, host: HostDraft, script: Element, port: int, transport: str) -> None:
        name = words(script.get("id"), 80)
        if name == "vulners":
            self._vulners(host, script, port, transport)
        elif name == "ssl-enum-ciphers":
            if any(_WEAK.search(text) for text in script.itertext()):
                check = ScanCheck(
                    "ssl-enum-ciphers", "Ciphers with 64-bit blocks (SWEET32)", ("CVE-2016-2183",), 7.5
                )
                self._saw(host, check, ScanOutcome.VULNERABLE, port, transport)
        elif not self._tables(host, name, script, port, transport):
            self._plainly(host, name, script, port, transport)

    def _vulners(self, host: HostDraft, script: Element, port: int, transport: str) -> None:
        for table in script.iter("table"):
            said = {each.get("key", ""): (each.text or "").strip() for each in table.iterfind("elem")}
            for cve in cves_of([said.get("id")]):
                check = ScanCheck(cve, cve, (cve,), score_of(said.get("cvss")))
                self._saw(host, check, ScanOutcome.POTENTIAL, port, transport)

    def _tables(self, host: HostDraft, name: str, script: Element, port: int, transport: str) -> bool:
        """Take what the library ``vulns`` wrote; tell whether there was anything of it."""
        found = False
        for table in script.iter("table"):
            said = {each.get("key", ""): (each.text or "").strip() for each in table.iterfind("elem")}
            outcome = _state(said.get("state", ""))
            if outcome is None or "title" not in said:
                continue
            found = True
            ids = [each.text for each in table.iterfind("table[@key='ids']/elem")]
            cves = cves_of([*ids, table.get("key")])
            scores = [each.text for each in table.iterfind("table[@key='scores']/elem")]
            own = f"{name}:{words(table.get('key'), 80)}" if table.get("key") else name
            check = ScanCheck(own, words(said["title"]), cves, score_of(scores[0]) if scores else None)
            self._saw(host, check, outcome, port, transport)
        return found

    def _plainly(self, host: HostDraft, name: str, script: Element, port: int, transport: str) -> None:
        """Take what a script wrote without the library: true or false, or the library's words as text."""
        bulletin = _BULLETIN.match(name)
        output = (script.get("output") or "").strip()
        if bulletin is None:
            host.information += 1
            return
        state = re.search(r"State:\s*([A-Z ()a-z]+)", output)
        outcome = _state(state.group(1)) if state else None
        if output.lower() == "false":
            outcome = ScanOutcome.NOT_VULNERABLE
        elif output.lower() == "true":
            outcome = ScanOutcome.VULNERABLE
        if outcome is None:
            host.information += 1
            return
        cves = cves_of([name, output if state else ""])
        self._saw(host, ScanCheck(name, bulletin.group(1).upper(), cves), outcome, port, transport)

    def _saw(
        self, host: HostDraft, check: ScanCheck, outcome: ScanOutcome, port: int, transport: str
    ) -> None:
        self._draft.check(check)
        self._draft.saw(host, ScanSighting(check.id, outcome, port, transport, seen_ns=host.seen_ns))


def _state(text: str) -> ScanOutcome | None:
    """Return what a state of the library ``vulns`` means; None for one that says nothing."""
    said = text.strip().upper()
    if said.startswith("NOT VULNERABLE"):
        return ScanOutcome.NOT_VULNERABLE
    if said.startswith("LIKELY VULNERABLE"):
        return ScanOutcome.POTENTIAL
    return ScanOutcome.VULNERABLE if said.startswith("VULNERABLE") else None


READER = NmapScripts
