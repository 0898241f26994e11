"""``scans connect`` and ``pull``: a scanner is asked, its reports count, its secret is nowhere to be read."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Said, Say
from tests.connectors.scanners.contract import ACCOUNT, SECRET, Contract, serving, status

CHECK = (
    '<ReportItem port="22" protocol="tcp" severity="3" pluginID="1" pluginName="OpenSSH">'
    "<cve>CVE-2018-15473</cve><cvss3_base_score>5.3</cvss3_base_score></ReportItem>"
)


def report(mac: str, ended: int, found: str = CHECK) -> str:
    return (
        '<?xml version="1.0"?><NessusClientData_v2><Report name="Ward"><ReportHost name="a"><HostProperties>'
        f'<tag name="mac-address">{mac}</tag><tag name="Credentialed_Scan">true</tag>'
        f'<tag name="HOST_END_TIMESTAMP">{ended}</tag></HostProperties>{found}</ReportHost></Report>'
        "</NessusClientData_v2>"
    )


def listed(*scans: tuple[int, int]) -> dict[str, Any]:
    return {
        "json": {
            "scans": [
                {"id": id, "name": f"Ward {id}", "status": "completed", "last_modification_date": at}
                for id, at in scans
            ]
        }
    }


def export(id: int, *documents: str) -> list[dict[str, Any]]:
    return [
        {"ask": f"POST /scans/{id}/export", "answers": [{"json": {"file": id}}]},
        {"ask": f"GET /scans/{id}/export/{id}/status", "answers": [{"json": {"status": "ready"}}]},
        {
            "ask": f"GET /scans/{id}/export/{id}/download",
            "answers": [{"text": document} for document in documents],
        },
    ]


@pytest.fixture
def mac(say: Say, home: Path) -> str:
    rows = [json.loads(line) for line in say("devices", "--json", home=home).out.splitlines()]
    return str(next(row["macs"][0] for row in rows if row["macs"]))


@pytest.fixture
def nessus(tmp_path: Path, mac: str) -> Iterator[Contract]:
    """Serve one scan, which is changed for the second pull and then without the finding."""
    case = tmp_path / "nessus" / "own.case.json"
    case.parent.mkdir()
    case.write_text(
        json.dumps(
            {
                "note": "one scan that changes",
                "origin": "made up",
                "headers": {"X-ApiKeys": f"accessKey={ACCOUNT}; secretKey={SECRET}"},
                "routes": [
                    {"ask": "GET /scans", "answers": [listed((3, 10)), listed((3, 20))]},
                    *export(3, report(mac, 1_780_000_000), report(mac, 1_780_100_000, "")),
                ],
            }
        )
    )
    with serving(case) as server:
        yield server


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{ACCOUNT}\n{SECRET}\n"))


def connected(say: Say, home: Path, address: str, *more: object) -> Said:
    return say(
        "scans", "connect", "Basement", "--interface", "nessus", "--address", address, *more, home=home
    )


def connection(say: Say, home: Path) -> dict[str, Any]:
    (line,) = say("scans", "connections", "--json", home=home).out.splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


@pytest.mark.usefixtures("typed")
def test_what_a_scanner_says_counts_until_it_says_otherwise(say: Say, home: Path, nessus: Contract) -> None:
    made = connected(say, home, nessus.url, "--every", "24")
    assert made.status == 0, made.err
    assert connection(say, home)["next_ns"] > 0, "it is due at once"

    first = say("scans", "pull", "Basement", home=home)
    assert (first.status, first.out) == (
        0,
        "Basement: 1 new reports, 1 of 1 hosts are devices here, 1 sightings\n",
    ), first.err
    (scan,) = map(json.loads, say("scans", "list", "--json", home=home).out.splitlines())
    assert (scan["source"], scan["actor"]) == ("Basement: Ward 3.nessus", "scanner:Basement")
    (row,) = map(json.loads, say("vulnerabilities", "--json", home=home).out.splitlines())
    assert (row["cve"], row["verdict"]) == ("CVE-2018-15473", "confirmed")
    assert row["reason"].startswith("Nessus, logged in, found it at port 22")
    after = connection(say, home)
    assert (after["brought"], after["error"]) == (1, "")
    assert after["next_ns"] - after["ended_ns"] == 24 * 3600 * 1_000_000_000
    assert say("scans", "pull", "--due", home=home).out == "", "nothing is due"

    assert say("scans", "pull", home=home).status == 0
    assert say("vulnerabilities", "--json", home=home).out == "", "the later report does without it"


@pytest.mark.usefixtures("typed")
def test_what_is_pulled_equals_the_same_report_as_a_file(
    say: Say, home: Path, nessus: Contract, mac: str, tmp_path: Path
) -> None:
    connected(say, home, nessus.url)
    say("scans", "pull", home=home)
    (pulled,) = map(json.loads, say("vulnerabilities", "--json", home=home).out.splitlines())
    path = tmp_path / "by hand.nessus"
    path.write_text(report(mac, 1_780_000_000))
    again = json.loads(say("scans", "import", path, "--json", home=home).out)
    assert again["already"] is True, "it is the same report"
    (by_hand,) = map(json.loads, say("vulnerabilities", "--json", home=home).out.splitlines())
    assert by_hand == pulled


@pytest.mark.usefixtures("typed")
def test_a_failure_is_said_and_tried_again_sooner(say: Say, home: Path, nessus: Contract) -> None:
    connected(say, home, nessus.url, "--every", "24")
    nessus.faults[0] = status(403)
    failed = say("scans", "pull", home=home)
    assert failed.status == 1
    assert "does not let it read this: give it the right to see scans" in failed.err
    row = connection(say, home)
    assert "give it the right" in row["error"]
    assert row["next_ns"] - row["ended_ns"] == 15 * 60 * 1_000_000_000
    nessus.begin_anew()
    assert say("scans", "pull", home=home).status == 0
    assert connection(say, home)["error"] == ""


@pytest.mark.usefixtures("typed")
def test_a_report_that_cannot_be_read_keeps_no_other_back(
    say: Say, home: Path, nessus: Contract, mac: str
) -> None:
    routes = nessus.case["routes"]
    nessus.case = {
        **nessus.case,
        "routes": [
            {"ask": "GET /scans", "answers": [listed((3, 10), (4, 10))]},
            *export(3, "<html>sign in</html>"),
            *export(4, report(mac, 1_780_000_000)),
        ],
    }
    connected(say, home, nessus.url)
    first = say("scans", "pull", home=home)
    assert first.status == 1
    assert "no scanner's report that is known" in first.err
    assert first.out.startswith("Basement: 1 new reports")
    assert connection(say, home)["failures"]
    nessus.case = {**nessus.case, "routes": [*nessus.case["routes"][:1], *routes[1:], *export(4)]}
    second = say("scans", "pull", home=home)
    assert second.status == 0, "the one that could not be read is asked for again, and only that"
    assert connection(say, home)["failures"] == []


@pytest.mark.usefixtures("typed")
def test_the_secret_is_nowhere_to_be_read(
    say: Say, home: Path, nessus: Contract, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    said = [connected(say, home, nessus.url), say("scans", "pull", home=home)]
    nessus.from_then_on = (0, status(401))
    said += [say("scans", "pull", home=home), say("scans", "connections", "--json", home=home)]
    assert all(SECRET not in each.out + each.err and ACCOUNT not in each.out + each.err for each in said)
    assert SECRET not in caplog.text
    for path in home.rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes(), path
            assert ACCOUNT.encode() not in path.read_bytes(), path
    with sqlite3.connect(home / "state.sqlite3") as database:
        (sealed,) = database.execute("SELECT sealed FROM store_scannerconnection").fetchone()
    assert sealed.startswith("sealed1:")

    (home / "secret.key").write_text("another\n")
    assert "give them anew" in say("scans", "pull", home=home).err


@pytest.mark.usefixtures("typed")
def test_a_connection_is_changed_and_ended(
    say: Say, home: Path, nessus: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected(say, home, nessus.url)
    again = connected(say, home, nessus.url)
    assert again.status == 2, "standard input is at its end: no credentials"
    changed = say(
        "scans", "change", "Basement", "--rename", "Cellar", "--every", "6", "--choose", "Ward 3", home=home,
    )  # fmt: skip
    assert changed.status == 0, changed.err
    row = connection(say, home)
    assert (row["name"], row["every_hours"], row["chosen"]) == ("Cellar", 6, ["Ward 3"])
    fingerprint = "AB:" * 31 + "AB"
    for way in (("--address", "https://elsewhere.example"), ("--fingerprint", fingerprint)):
        moved = say("scans", "change", "Cellar", *way, home=home)
        assert moved.status == 2
        assert "credentials have to be given again" in moved.err
    through = ("--proxy", "http://10.0.0.9:3128", "--credentials")
    monkeypatch.setattr("sys.stdin", io.StringIO("another\nsecret of another\n"))
    assert "over a proxy only https" in say("scans", "change", "Cellar", *through, home=home).err
    monkeypatch.setattr("sys.stdin", io.StringIO("another\nsecret of another\n"))
    believed = say("scans", "change", "Cellar", "--credentials", "--fingerprint", fingerprint, home=home)
    assert believed.status == 0, believed.err
    assert connection(say, home)["fingerprint"] == "ab" * 32
    assert "does not accept these credentials" in say("scans", "pull", "Cellar", home=home).err

    ended = say("scans", "disconnect", "Cellar", "--reason", "replaced", home=home)
    assert ended.status == 0, ended.err
    assert say("scans", "connections", "--json", home=home).out == ""
    with sqlite3.connect(home / "state.sqlite3") as database:
        assert database.execute("SELECT sealed FROM store_scannerconnection").fetchall() == [("",)]
    assert say("scans", "pull", "Cellar", home=home).status == 2


@pytest.mark.parametrize(
    ("interface", "address"),
    [
        ("nessus", "http://nessus.example:8834"),
        ("nessus", "https://user:word@nessus.example"),
        ("nessus", "nessus.example"),
        ("nessus", "unix:///run/gvmd/gvmd.sock"),
        ("gmp", "https://greenbone.example"),
        ("gmp", "tls://greenbone.example"),
    ],
)
@pytest.mark.usefixtures("typed")
def test_an_address_that_cannot_be_asked_safely_is_refused(
    say: Say, home: Path, interface: str, address: str
) -> None:
    made = say("scans", "connect", "a", "--interface", interface, "--address", address, home=home)
    assert made.status == 2
    assert say("scans", "connections", "--json", home=home).out == ""


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--fingerprint", "ab", "64 hexadecimal"),
        ("--proxy", "socks5://proxy", "write a proxy"),
        ("--every", "100000", "every 1 to"),
    ],
)
@pytest.mark.usefixtures("typed")
def test_what_does_not_hold_is_refused(say: Say, home: Path, option: str, value: str, words: str) -> None:
    made = connected(say, home, "https://nessus.example:8834", option, value)
    assert made.status == 2
    assert words in made.err


@pytest.mark.usefixtures("typed")
def test_certificates_that_are_none_are_refused(say: Say, home: Path, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n")
    made = connected(say, home, "https://nessus.example:8834", "--authorities", path)
    assert "no certificates in PEM" in made.err
