"""``vulnerabilities``, ``knowledge import`` and ``replay`` of a list, together from an empty data folder."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from tests.cli.conftest import Say

COLUMNS = (
    "mac", "ip", "name", "vendor", "model", "category", "os", "os_version", "firmware", "serial", "location",
)  # fmt: skip
DEVICES = [
    (
        f"02:00:00:00:01:0{n}",
        f"10.9.0.{n}",
        f"{name}-{n}",
        vendor,
        model,
        kind,
        "",
        "",
        firmware,
        f"S{n}",
        "A/1",
    )
    for n, name, vendor, model, kind, firmware in (
        (1, "pump", "Bbraun", "Infusomat Space", "infusion_pump", "2.0"),
        (2, "pump", "B. Braun", "Infusomat Space", "infusion_pump", "3.1"),
        (3, "pump", "B. Braun", "Infusomat Space", "infusion_pump", ""),
        (4, "ct", "GE Healthcare", "Optima 680", "ct_scanner", "1.0"),
    )
]
CONTRACT = {"device", "mac", "cve", "advisory", "verdict", "reason", "evidence"}
VERDICTS = {"confirmed", "potential", "fixed", "not_affected", "irrelevant"}


def advisory(folder: Path, identifier: str, cve: str, version: str) -> None:
    product = {"name": f"Infusomat Space {version}", "product_id": "P1"}
    branch = {"category": "product_version_range", "name": version, "product": product}
    named = {"category": "product_name", "name": "Infusomat Space", "branches": [branch]}
    document = {
        "document": {
            "category": "csaf_security_advisory",
            "csaf_version": "2.0",
            "title": "B. Braun Infusomat Space",
            "publisher": {"category": "vendor", "name": "made up", "namespace": "https://example.org"},
            "tracking": {
                "id": identifier,
                "status": "final",
                "version": "1",
                "initial_release_date": "2020-01-01T00:00:00Z",
                "current_release_date": "2020-01-01T00:00:00Z",
                "revision_history": [{"date": "2020-01-01T00:00:00Z", "number": "1", "summary": "first"}],
            },
        },
        "product_tree": {
            "branches": [{"category": "vendor", "name": "B. Braun Medical", "branches": [named]}]
        },
        "vulnerabilities": [{"cve": cve, "product_status": {"known_affected": ["P1"]}}],
    }
    folder.mkdir(exist_ok=True)
    (folder / f"{identifier.lower()}.json").write_text(json.dumps(document))


@pytest.fixture
def house(say: Say, tmp_path: Path) -> Path:
    """Return an empty data folder into which a list of devices and a folder of advisories came."""
    home, table, folder = tmp_path / "empty", tmp_path / "inventory.csv", tmp_path / "published"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows((COLUMNS, *DEVICES))
    advisory(folder, "MADE-20-001", "CVE-2020-0001", "<= 2.5")
    advisory(folder, "MADE-20-002", "CVE-2020-0002", "<= 3.1")
    assert say("replay", table, home=home).status == 0
    assert say("knowledge", "import", folder, "--unsigned", home=home).status == 0
    return home


def rows(say: Say, home: Path, *words: object) -> list[dict[str, object]]:
    said = say("vulnerabilities", *words, "--json", home=home)
    assert said.status == 0, said.err
    return [json.loads(line) for line in said.out.splitlines()]


def test_a_list_a_folder_of_files_and_the_verdicts_work_together(say: Say, house: Path) -> None:
    found = rows(say, house)
    assert len(found) == 6, "three pumps and two vulnerabilities; nothing is said of the CT"
    for row in found:
        assert row.keys() >= CONTRACT
        assert row["verdict"] in VERDICTS
        assert str(row["reason"]).endswith(".")
        assert isinstance(row["evidence"], list)
        assert {aspect["name"] for aspect in row["evidence"]} >= {"vendor", "product", "version"}
    verdicts = {(row["mac"], row["cve"]): row["verdict"] for row in found}
    assert verdicts == {
        ("02:00:00:00:01:01", "CVE-2020-0001"): "confirmed",
        ("02:00:00:00:01:01", "CVE-2020-0002"): "confirmed",
        ("02:00:00:00:01:02", "CVE-2020-0001"): "fixed",
        ("02:00:00:00:01:02", "CVE-2020-0002"): "confirmed",
        ("02:00:00:00:01:03", "CVE-2020-0001"): "potential",
        ("02:00:00:00:01:03", "CVE-2020-0002"): "potential",
    }
    (unknown,) = rows(say, house, "--cve", "CVE-2020-0001", "--verdict", "potential")
    assert "the device's version is not known" in str(unknown["reason"])
    assert [row["mac"] for row in rows(say, house, "pump-2")] == ["02:00:00:00:01:02"] * 2
    assert "MADE-20-001" in say("vulnerabilities", home=house).out


def test_a_person_says_it_is_irrelevant_and_takes_it_back(say: Say, house: Path) -> None:
    asked = ("vulnerabilities", "--cve", "CVE-2020-0001", "--device", "10.9.0.1")
    assert say(*asked, "--irrelevant", home=house).status == 2
    said = say(*asked, "--irrelevant", "--reason", "no network", "--until", "2099-01-01", home=house)
    assert said.status == 0, said.err
    (row,) = rows(say, house, "--device", "10.9.0.1", "--cve", "CVE-2020-0001")
    assert row["verdict"] == "irrelevant"
    assert "no network" in str(row["reason"])
    assert say(*asked, "--relevant", "--reason", "it has one", home=house).status == 0
    (row,) = rows(say, house, "--device", "10.9.0.1", "--cve", "CVE-2020-0001")
    assert row["verdict"] == "confirmed"


def test_names_of_the_hospitals_own_are_learnt_said_and_taken_back(say: Say, house: Path) -> None:
    added = say(
        "vulnerabilities", "alias", "add", "--vendor", "GE Healthcare", "--product", "Optima 680",
        "--product", "Our big CT", "--reason", "that is what we call it", home=house,
    )  # fmt: skip
    assert added.status == 0, added.err
    said = say("vulnerabilities", "alias", "list", home=house)
    assert "Our big CT" in said.out
    assert (
        say("vulnerabilities", "alias", "remove", "Our big CT", "--reason", "wrong", home=house).status == 0
    )
    assert "Our big CT" not in say("vulnerabilities", "alias", "list", home=house).out
    assert (
        say("vulnerabilities", "alias", "remove", "Our big CT", "--reason", "wrong", home=house).status == 2
    )
