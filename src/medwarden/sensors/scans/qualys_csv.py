"""Reports of Qualys in CSV: lists of vulnerabilities by host or asset, with a few lines before the heading.

Columns as the VM "Scan-based" and "Host-based" templates and VMDR write them; told by their headings.
"""

from __future__ import annotations

import re
from typing import ClassVar

from medwarden.kernel.errors import MalformedInput
from medwarden.model.scan import ScanCheck, ScanManifest, ScanOutcome, ScanReport, ScanSighting
from medwarden.sensors.scans.csv_records import CsvRecords, Row, heading
from medwarden.sensors.scans.gathering import (
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
from medwarden.sensors.scans.qualys_report import OUTCOMES, SEVERITIES, logged_in

_QID = re.compile(rb'(?:^|[,;\t])"?QID"?(?:[,;\t]|$)')
_BEFORE = 60
"""Lines before the heading beyond which there is none."""


class QualysCsv:
    """Reads row by row and gathers them by asset."""

    manifest: ClassVar[ScanManifest] = ScanManifest(
        name="qualys_csv",
        title="Qualys report (CSV)",
        scanner="qualys",
        reference="Qualys, VM and VMDR report downloads in CSV",
    )

    def __init__(self, source: str) -> None:
        self._draft = ReportDraft(self.manifest, source)
        self._source = source
        self._csv = CsvRecords(source)
        self._columns: dict[str, int] | None = None
        self._before = 0

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Tell whether a table has a heading with Qualys' columns near its start."""
        if head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in (b"<", b"{", b"["):
            return False
        for line in head[:16384].splitlines()[:_BEFORE]:
            if _QID.search(line):
                said = line.lower()
                return b"title" in said and b"severity" in said and (b"ip" in said or b"asset" in said)
        return False

    def feed(self, piece: bytes) -> None:
        """Take the next piece of the table."""
        for line, cells in self._csv.rows(piece):
            self._row(line, cells)

    def finish(self) -> ScanReport:
        """Return what was read. Raises MalformedInput where no heading came."""
        for line, cells in self._csv.rows(b"", final=True):
            self._row(line, cells)
        if self._columns is None:
            raise MalformedInput(self._source, "no line names the columns QID and Title")
        return self._draft.finish()

    def _row(self, line: int, cells: list[str]) -> None:
        if self._columns is None:
            names = [heading(cell) for cell in cells]
            if "qid" in names and "title" in names:
                self._columns = {name: at for at, name in reversed(list(enumerate(names))) if name}
            elif self._before >= _BEFORE:
                raise MalformedInput(self._source, "no line near the start names the columns QID and Title")
            else:
                self._before += 1
                for cell in cells:
                    self._draft.ended_ns = max(self._draft.ended_ns, time_ns(cell.strip()))
                self._csv.separator = ""
            return
        self._result(line, Row(self._columns, cells))

    def _result(self, line: int, row: Row) -> None:
        number = row.get("qid")
        address = row.get("asset ipv4", "ip", "ip address", "host ip")
        name = row.get("asset name", "dns", "fqdn", "netbios")
        if not number.isdigit() or len(number) > 12 or not (ips_of(address) or names_of(name)):
            self._draft.reject(f"line {line}: no QID, or no host it is about")
            return
        host = self._draft.host(words(row.get("asset id") or address or name, 64))
        host.ips += ips_of(f"{address} {row.get('asset ipv6', 'ipv6')}")
        host.names += names_of(name, row.get("dns"), row.get("netbios"))
        host.os = host.os or words(row.get("operating system", "os"), 200)
        last = time_ns(row.get("last detected", "last found"))
        host.seen_ns = max(host.seen_ns, last)
        outcome = OUTCOMES.get(row.get("type detected", "type").lower())
        result = row.get("results", "result")
        if outcome is None:
            host.information += 1
            logged_in(host, number, result)
            return
        status = row.get("status", "vuln status").lower()
        if status == "fixed":
            outcome = ScanOutcome.FIXED
        said = row.get("cvss3 base", "cvssv3 1 base nvd", "cvssv3 base", "cvss base", "cvssv2 base nvd")
        found = re.match(r"\d+(?:\.\d)?", said)
        score = score_of(found.group(0)) if found else None
        self._draft.check(
            ScanCheck(
                f"QID-{number}",
                words(row.get("title")),
                cves_of([row.get("cve", "cve id")]),
                SEVERITIES.get(row.get("severity")) if score is None else score,
                row.get("solution"),
            )
        )
        installed, fixed = installed_and_fixed(result)
        self._draft.saw(
            host,
            ScanSighting(
                f"QID-{number}",
                outcome,
                port_of(row.get("port")),
                words(row.get("protocol"), 8).lower(),
                installed,
                fixed,
                time_ns(row.get("first detected", "first found")),
                last,
            ),
        )


READER = QualysCsv
