"""Reports of InsightVM and Nexpose in CSV: "Basic Vulnerability Check Results" and exports with its columns.

After Rapid7's description of the CSV template; result codes ve, vv and vp are exploited, by version and
potential, starting with n not vulnerable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from medwarden.kernel.errors import MalformedInput
from medwarden.model.scan import ScanCheck, ScanManifest, ScanOutcome, ScanReport, ScanSighting
from medwarden.sensors.scans.csv_records import CsvRecords, Row, heading
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
from medwarden.sensors.scans.nexpose import OUTCOMES

_CODES: Mapping[str, ScanOutcome] = MappingProxyType(
    {
        "ve": ScanOutcome.VULNERABLE,
        "vv": ScanOutcome.POTENTIAL,
        "vp": ScanOutcome.POTENTIAL,
        "nv": ScanOutcome.NOT_VULNERABLE,
        "ns": ScanOutcome.NOT_VULNERABLE,
    }
)
_ADDRESS = re.compile(rb'(?:^|[,;\t])"?(?:asset )?ip address"?[,;\t]')


class InsightVmCsv:
    """Reads row by row and gathers them by address."""

    manifest: ClassVar[ScanManifest] = ScanManifest(
        name="insightvm_csv",
        title="InsightVM or Nexpose report (CSV)",
        scanner="rapid7",
        reference="Rapid7, CSV export template",
    )

    def __init__(self, source: str) -> None:
        self._draft = ReportDraft(self.manifest, source)
        self._source = source
        self._csv = CsvRecords(source)
        self._columns: dict[str, int] | None = None

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Tell whether the first line names Rapid7's columns."""
        first = head.removeprefix(b"\xef\xbb\xbf")[:8192].partition(b"\n")[0].lower()
        return bool(_ADDRESS.search(first)) and b"vulnerability id" in first and b"title" in first

    def feed(self, piece: bytes) -> None:
        """Take the next piece of the table."""
        for line, cells in self._csv.rows(piece):
            self._row(line, cells)

    def finish(self) -> ScanReport:
        """Return what was read. Raises MalformedInput where no heading came."""
        for line, cells in self._csv.rows(b"", final=True):
            self._row(line, cells)
        if self._columns is None:
            raise MalformedInput(self._source, "the table has no line that names its columns")
        return self._draft.finish()

    def _row(self, line: int, cells: list[str]) -> None:
        if self._columns is None:
            names = [heading(cell) for cell in cells]
            if not any(name.startswith("vulnerability") for name in names):
                raise MalformedInput(self._source, "the first line does not name Rapid7's columns")
            self._columns = {name: at for at, name in reversed(list(enumerate(names))) if name}
            return
        row = Row(self._columns, cells)
        address = row.get("asset ip address", "ip address")
        named = row.get("asset names", "asset name", "host name")
        name = words(row.get("vulnerability id", "vulnerability natural id"), 200).lower()
        if not name or not (ips_of(address) or names_of(named)):
            self._draft.reject(f"line {line}: no vulnerability, or no host it is about")
            return
        host = self._draft.host(words(address or named, 64))
        host.ips += ips_of(address)
        host.names += names_of(named)
        host.macs += macs_of(row.get("asset mac address", "asset mac addresses", "mac address"))
        host.os = host.os or words(f"{row.get('asset os name')} {row.get('asset os version')}", 200)
        seen = time_ns(row.get("vulnerability test date", "scan end", "last scan time"))
        host.seen_ns = max(host.seen_ns, seen)
        code = row.get("vulnerability test result code", "result code").lower()
        outcome = _CODES.get(code[:2]) or OUTCOMES.get(code)
        if outcome is None and code:
            host.information += 1
            return
        said = score_of(row.get("vulnerability cvssv3 score") or row.get("vulnerability cvss score"))
        self._draft.check(
            ScanCheck(
                name,
                words(row.get("vulnerability title")),
                cves_of([row.get("vulnerability cve ids", "vulnerability cve", "cve ids"), name]),
                said,
                row.get("vulnerability solution", "solution"),
            )
        )
        installed, fixed = installed_and_fixed(row.get("vulnerability proof", "proof"))
        self._draft.saw(
            host,
            ScanSighting(
                name,
                outcome or ScanOutcome.POTENTIAL,
                port_of(row.get("service port", "port")),
                words(row.get("service protocol", "protocol"), 8).lower(),
                installed,
                fixed,
                time_ns(row.get("vulnerable since", "vulnerability age since")),
                seen,
            ),
        )


READER = InsightVmCsv
