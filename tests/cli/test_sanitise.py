"""``sanitise`` as a command: statuses of the contract, a report, never over an input."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Say
from tests.product.patients import hospital, invented
from tests.product.test_privacy import leaks


def test_captures_come_out_without_patients_and_with_a_report(say: Say, tmp_path: Path) -> None:
    patients = invented(2)
    source = tmp_path / "in.pcap"
    source.write_bytes(hospital(patients))
    said = say("sanitise", source, tmp_path / "out.pcap", "--json")
    assert said.status == 0, said.err
    (report,) = [json.loads(line) for line in said.out.splitlines()]
    assert report["report"]["overwritten"]["hl7 field"] > 0
    assert report["report"]["unknown"]["tcp/9100"] == 2
    assert leaks([("out", (tmp_path / "out.pcap").read_bytes())], patients) == []
    assert "packets written" in said.err
    table = say("sanitise", source, tmp_path / "again.pcap")
    assert "http body" in table.out


def test_statuses(say: Say, tmp_path: Path) -> None:
    source, broken = tmp_path / "in.pcap", tmp_path / "broken.pcap"
    source.write_bytes(hospital(invented(1)))
    broken.write_bytes(source.read_bytes()[:-5])
    assert say("sanitise", source, source).status == 2
    assert say("sanitise", tmp_path / "none.pcap", tmp_path / "x").status == 2
    out = tmp_path / "out"
    out.mkdir()
    said = say("sanitise", source, broken, out)
    assert said.status == 1
    assert "broken.pcap, byte" in said.err
    assert sorted(path.name for path in out.iterdir()) == ["broken.pcap", "in.pcap"]
    assert say("sanitise", source, broken, out).status == 2
