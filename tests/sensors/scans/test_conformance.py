"""Every reader of scan reports against every case: whole, in pieces, cut, flipped, packed, and garbage.

The format of a case stands in ``cases/README.md``.
"""

from __future__ import annotations

import gzip
import io
import ipaddress
import json
import random
import re
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from medwarden.kernel.errors import MalformedInput
from medwarden.model.scan import SCANNERS, ScanReader, ScanReport
from medwarden.sensors.scans.registry import HEAD, read_report, readers, recognise

CASES = Path(__file__).parent / "cases"
COPIES = 60
MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}")


def case_files() -> list[Path]:
    return sorted(CASES.glob("*/*.case.json"))


@cache
def case_of(path: Path) -> dict[str, Any]:
    case: dict[str, Any] = json.loads(path.read_text())
    assert case["note"] and case["origin"], "a case says what it shows and where it is from"
    return case


def document_of(path: Path) -> bytes:
    name: str = case_of(path)["file"]
    return (path.parent / name).read_bytes()


def reader_of(path: Path) -> type[ScanReader]:
    return next(reader for reader in readers() if reader.manifest.name == path.parent.name)


def in_pieces(kind: type[ScanReader], document: bytes, size: int) -> ScanReport:
    reader = kind("case")
    for at in range(0, len(document), size):
        reader.feed(document[at : at + size])
    return reader.finish()


def lean(value: object) -> object:
    """Leave out what says nothing, as cases do."""
    if isinstance(value, dict):
        empty: tuple[object, ...] = (None, "", [], {}, 0)
        return {
            k: lean(v) for k, v in value.items() if v not in empty or (k == "credentialed" and v is False)
        }
    return [lean(v) for v in value] if isinstance(value, list) else value


def check_form(report: ScanReport) -> None:
    assert report.scanner in SCANNERS
    assert 0 <= report.started_ns <= report.ended_ns or report.ended_ns == 0
    assert report.rejected >= len(report.problems) > 0 or report.rejected == 0
    for host in report.hosts:
        assert host.information >= 0
        for ip in host.ips:
            assert str(ipaddress.ip_address(ip)) == ip
        assert all(MAC.fullmatch(mac) for mac in host.macs)
        assert all(name == name.lower() and len(name) <= 255 for name in host.names)
        assert all(re.fullmatch(r"KB\d{6,7}", update) for update in host.updates)
        assert all(software.name or software.cpe for software in host.software)
        for sighting in host.sightings:
            assert sighting.check in report.checks
            assert 0 <= sighting.port <= 65535
            assert len(sighting.installed) <= 60 and len(sighting.fixed) <= 60
    for check in report.checks.values():
        assert check.score is None or 0.0 <= check.score <= 10.0
        assert all(re.fullmatch(r"CVE-\d{4}-\d{4,7}", cve) for cve in check.cves)
        assert len(check.title) <= 300 and (check.title.isprintable() or not check.title)


def test_every_form_has_a_case() -> None:
    assert {reader.manifest.name for reader in readers()} == {path.parent.name for path in case_files()}
    assert len(readers()) == 10


@pytest.mark.parametrize("path", case_files(), ids=lambda p: f"{p.parent.name}-{p.name}")
def test_a_report_is_read_as_its_case_says(path: Path) -> None:
    document = document_of(path)
    report = read_report(io.BytesIO(document), "case")
    assert report.form == path.parent.name
    check_form(report)
    said: dict[str, object] = json.loads(msgspec.json.encode(report))
    expected = case_of(path)["report"]
    assert lean({k: v for k, v in said.items() if k not in ("form", "scanner")}) == lean(expected)


@pytest.mark.parametrize("path", case_files(), ids=lambda p: f"{p.parent.name}-{p.name}")
def test_only_its_own_reader_recognises_it(path: Path) -> None:
    head = document_of(path)[:HEAD]
    assert [r.manifest.name for r in readers() if r.recognises(head)] == [path.parent.name]


@pytest.mark.parametrize("path", case_files(), ids=lambda p: f"{p.parent.name}-{p.name}")
def test_cut_into_pieces_it_says_the_same(path: Path) -> None:
    document, kind = document_of(path), reader_of(path)
    whole = in_pieces(kind, document, len(document))
    for size in (1, 2, 7, 64, 1000):
        assert in_pieces(kind, document, size) == whole, size


@pytest.mark.parametrize("path", case_files(), ids=lambda p: f"{p.parent.name}-{p.name}")
def test_packed_with_gzip_it_says_the_same(path: Path) -> None:
    document = document_of(path)
    packed = io.BytesIO(gzip.compress(document))
    assert read_report(packed, "case") == read_report(io.BytesIO(document), "case")
    with pytest.raises(MalformedInput, match="gzip"):
        read_report(io.BytesIO(gzip.compress(document)[:-20]), "case")


@pytest.mark.parametrize("path", case_files(), ids=lambda p: f"{p.parent.name}-{p.name}")
def test_damaged_it_is_refused_with_a_sentence_or_read_within_its_form(path: Path) -> None:
    document, kind = document_of(path), reader_of(path)
    chance = random.Random(path.name)
    for _ in range(COPIES):
        flipped = bytearray(document)
        for _ in range(chance.randrange(1, 12)):
            flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
        for damaged in (bytes(flipped), document[: chance.randrange(len(document))]):
            try:
                report = in_pieces(kind, damaged, chance.choice((37, 512, 1 << 16)))
            except MalformedInput as error:
                assert error.source == "case" and error.reason
            else:
                check_form(report)


@pytest.mark.parametrize("kind", readers(), ids=lambda kind: kind.manifest.name)
def test_garbage_is_nobodys_and_harms_nobody(kind: type[ScanReader]) -> None:
    chance = random.Random(7)
    for size in (0, 1, 100, 5000):
        garbage = chance.randbytes(size)
        assert not kind.recognises(garbage)
        reader = kind("garbage")
        with pytest.raises(MalformedInput):
            reader.feed(garbage)
            reader.finish()


def test_what_no_scanner_wrote_is_said() -> None:
    for foreign in (b"", b"<html></html>", b'{"a": 1}', b"a,b\n1,2\n", b"<report><x/></report>"):
        assert recognise(foreign) is None
        with pytest.raises(MalformedInput, match="Nessus"):
            read_report(io.BytesIO(foreign), "case")


@pytest.mark.parametrize("root", ["NessusClientData_v2", "nmaprun", "NexposeReport", "ASSET_DATA_REPORT"])
def test_entities_are_refused_and_nothing_is_fetched(root: str) -> None:
    kind = recognise(f"<{root}>".encode())
    assert kind is not None
    bombs = (
        f'<!DOCTYPE {root} [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><{root}>&b;</{root}>',
        f'<!DOCTYPE {root} [<!ENTITY x SYSTEM "file:///etc/passwd">]><{root}>&x;</{root}>',
        f'<!DOCTYPE {root} SYSTEM "http://127.0.0.1:9/x.dtd" [<!ENTITY % p "">]><{root}/>',
    )
    for bomb in bombs:
        reader = kind("bomb")
        with pytest.raises(MalformedInput, match="entities"):
            reader.feed(bomb.encode())
            reader.finish()


def test_depth_and_size_of_a_record_are_bounded() -> None:
    kind = recognise(b"<NexposeReport>")
    assert kind is not None
    deep = b"<NexposeReport><nodes>" + b"<a>" * 70
    with pytest.raises(MalformedInput, match="deep"):
        kind("deep").feed(deep)
    wide = kind("wide")
    with pytest.raises(MalformedInput, match="MiB of text"):
        wide.feed(b"<NexposeReport><nodes><node>")
        for _ in range(80):
            wide.feed(b'<a b="%b"/>' % (b"x" * (900 << 10)))
    with pytest.raises(MalformedInput, match="larger"):
        read_report(io.BytesIO(b"<NexposeReport>" + b" " * 100_000), "large", largest=50_000)


def test_what_a_check_printed_about_people_does_not_leave_the_reader() -> None:
    report = read_report(io.BytesIO((CASES / "nessus" / "credentialed.nessus").read_bytes()), "case")
    said = msgspec.json.encode(report).decode()
    for name in ("svc-scan", "HOSPITAL", "system32"):
        assert name not in said
    nmap = read_report(io.BytesIO((CASES / "nmap_scripts" / "scripts.xml").read_bytes()), "case")
    assert "Nobody" not in msgspec.json.encode(nmap).decode()


def test_real_reports_are_read(shared: Path) -> None:
    folder = shared / "contracts" / "scan-samples"
    found = {}
    for path in sorted(folder.glob("*/*")):
        if path.parent.name == "ms_defender":
            continue
        with path.open("rb") as file:
            report = read_report(file, path.name)
        check_form(report)
        assert report.rejected == 0, report.problems
        found[path.name] = (len(report.hosts), sum(len(host.sightings) for host in report.hosts))
    assert found["nessus_with_cvssv3.nessus"] == (1, 25)
    assert found["Qualys_Sample_Report.xml"] == (7, 92)
    assert found["many_vulns_cve.csv"] == (5, 5)
    assert found["empty.xml"] == (0, 0)
    assert found["report_detail_v2.xml"] == (1, 1)
