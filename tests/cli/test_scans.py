"""``scans``: reports are taken in, listed, shown, taken back, and exclusions written for each scanner."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from tests.cli.conftest import Say

CASES = Path(__file__).parents[1] / "sensors" / "scans" / "cases"


@pytest.fixture
def device(say: Say, home: Path) -> dict[str, list[str]]:
    found: list[dict[str, list[str]]] = [
        json.loads(line) for line in say("devices", "--json", home=home).out.splitlines()
    ]
    return next(row for row in found if row["macs"] and row["ips"])


@pytest.fixture
def report(tmp_path: Path, device: dict[str, list[str]]) -> Path:
    path = tmp_path / "ward.nessus"
    path.write_text(
        '<?xml version="1.0"?><NessusClientData_v2><Report name="Ward">'
        f'<ReportHost name="a"><HostProperties><tag name="mac-address">{device["macs"][0]}</tag>'
        '<tag name="Credentialed_Scan">true</tag><tag name="HOST_END_TIMESTAMP">1780000000</tag>'
        '<tag name="cpe-0">cpe:/a:openbsd:openssh:7.4</tag></HostProperties>'
        '<ReportItem port="22" protocol="tcp" severity="3" pluginID="1" pluginName="OpenSSH">'
        "<cve>CVE-2018-15473</cve><cvss3_base_score>5.3</cvss3_base_score></ReportItem></ReportHost>"
        '<ReportHost name="203.0.113.9"/></Report></NessusClientData_v2>'
    )
    return path


def test_a_report_is_taken_in_once_shown_and_taken_back(say: Say, home: Path, report: Path) -> None:
    taken = say("scans", "import", report, home=home)
    assert taken.status == 0, taken.err
    assert "1 of 2 hosts are devices here, 1 sightings" in taken.out
    assert "203.0.113.9" in taken.out
    again = json.loads(say("scans", "import", report, "--json", home=home).out)
    assert again["already"] is True
    (scan,) = [json.loads(line) for line in say("scans", "list", "--json", home=home).out.splitlines()]
    assert (scan["scanner"], scan["hosts"], scan["unknown"], scan["standing"]) == ("nessus", 2, 1, 1)
    assert "by its MAC address" in say("scans", "show", scan["id"], home=home).out
    (lost,) = say("scans", "show", scan["id"], "--unknown", "--json", home=home).out.splitlines()
    assert json.loads(lost)["ips"] == ["203.0.113.9"]

    (row,) = map(json.loads, say("vulnerabilities", "--json", home=home).out.splitlines())
    assert (row["cve"], row["verdict"]) == ("CVE-2018-15473", "confirmed")
    assert row["reason"].startswith("Nessus, logged in, found it at port 22")
    assert row["evidence"][0]["evidence_field"] == "scan:nessus"

    assert say("scans", "remove", scan["id"], "--reason", "the wrong ward", home=home).status == 0
    assert say("vulnerabilities", "--json", home=home).out == ""
    assert say("scans", "list", "--json", home=home).out == ""
    assert "taken back" in say("scans", "list", "--removed", home=home).out


def test_what_is_no_report_is_said_and_others_are_taken_in(say: Say, home: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "letter.txt"
    wrong.write_text("Dear scanner")
    said = say("scans", "import", wrong, CASES / "openvas" / "detail.xml", home=home)
    assert said.status == 1
    assert "no scanner's report that is known" in said.err
    assert "openvas, 0 of 1 hosts are devices here" in said.out


def test_every_scanner_gets_its_own_form_of_what_to_leave_alone(
    say: Say, home: Path, tmp_path: Path, device: dict[str, list[str]]
) -> None:
    ip = device["ips"][0]
    kept = say("query", "protect", "add", "ip", ip, "--reason", "it breaks when scanned", home=home)
    assert kept.status == 0, kept.err
    texts = {}
    for name in ("nessus", "tenable", "qualys", "rapid7", "openvas", "nmap", "reasons"):
        out = tmp_path / name
        said = say("scans", "exclude", "--for", name, "--out", out, home=home)
        assert said.status == 0, said.err
        texts[name] = out.read_text()
        assert ip in texts[name]
    assert f"\nreject {ip}\n" in texts["nessus"]
    assert texts["nessus"].rstrip().endswith("default accept")
    assert ip in json.loads(texts["rapid7"])
    assert ip in texts["openvas"].strip().split(",")
    assert ip in texts["nmap"].splitlines()
    assert ip in texts["qualys"].splitlines()
    table = list(csv.DictReader(texts["tenable"].splitlines()))
    assert ip in {row["members"] for row in table}
    reasons = {row["address"]: row["reason"] for row in csv.DictReader(texts["reasons"].splitlines())}
    assert "it breaks when scanned" in reasons[ip]
