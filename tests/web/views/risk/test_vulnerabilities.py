from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from medwarden.kernel.clock import NANOSECONDS, wall_clock
from medwarden.model.role import Role
from medwarden.store.changes import Change
from medwarden.store.models import AuditEntry, Device, Interface, MatchProfile, VulnerabilityWeight
from medwarden.store.open import Store
from medwarden.store.vulnerabilities import profiles_of, record_members, record_verdicts

SignedIn = Callable[..., Client]
ONE, TWO, ADVISORY = "CVE-2020-0001", "CVE-2020-0002", "ICSMA-20-001-01"


def text(answer: object) -> str:
    content = getattr(answer, "content")  # noqa: B009 (a response of the test client)
    return re.sub(r"\s+", " ", content.decode())


@pytest.fixture
def matched(store: Store) -> list[Device]:
    """Two devices that are affected by one vulnerability and perhaps by another."""
    from medwarden.model.vulnerability import Aspect, Match, MatchState

    devices = list(Device.objects.filter(retired_at=None).exclude(ips=[]).order_by("pk")[:2])
    said = {
        ONE: (MatchState.CONFIRMED, "It is named: it is affected."),
        TWO: (MatchState.POTENTIAL, "It may be affected, because its version is not known."),
    }
    with Change("rule:matching", "test", site=devices[0].site_id) as change:
        fresh = record_members(change, profiles_of("default", [d.pk for d in devices]), "new")
        aspects = (Aspect("version", True, "2.0", "firmware", "below 3", "2.0 is among those named"),)
        matches = [
            Match("", name, ADVISORY, state, reason, aspects) for name, (state, reason) in said.items()
        ]
        record_verdicts(change, dict.fromkeys(fresh, matches), edition=1, rules="test", cause="test")
    VulnerabilityWeight.objects.create(
        tenant_id="default", vulnerability=ONE, score=9.8, exploited=True, title="Anybody can stop the pump",
        remedy="Install version 3.",
        exploit_count=3, exploits_by={"metasploit": 1, "exploit_db": 2},
    )  # fmt: skip
    VulnerabilityWeight.objects.create(tenant_id="default", vulnerability=TWO, score=5.0, epss=0.2)
    return devices


def test_what_to_do_is_that_of_the_product_that_is_here(
    signed_in: SignedIn, matched: list[Device], store: Store
) -> None:
    from medwarden.store.models import VulnerabilityVerdict, WorkRemedy

    profiles = VulnerabilityVerdict.objects.filter(vulnerability=ONE).values_list("profile_id", flat=True)
    for profile in set(profiles):
        WorkRemedy.objects.create(
            tenant_id="default", profile_id=profile, vulnerability=ONE, key="k", edition=1, rules="test",
            choice={"texts": [["Maker", "Install version 7 on this very pump.", ""]], "meanwhile": []},
        )  # fmt: skip
    client = signed_in(Role.ANALYST)
    page = text(client.get(f"/risk/vulnerabilities/{ONE}/"))
    assert "Install version 7 on this very pump." in page
    assert "Install version 3." not in page
    assert "Install version 7 on this very pump." in text(client.get("/risk/vulnerabilities/"))
    assert "Install version 7 on this very pump." in text(client.get(f"/devices/{matched[0].pk}/?tab=risk"))


def nessus(device: Device, *cves: str, login: str = "true") -> bytes:
    mac = Interface.objects.filter(device=device)[0].mac
    items = "".join(
        f'<ReportItem port="443" protocol="tcp" severity="3" pluginID="{n}" pluginName="Check of {cve}">'
        f"<cve>{cve}</cve><cvss3_base_score>7.1</cvss3_base_score></ReportItem>"
        for n, cve in enumerate(cves, 100)
    )
    return (
        '<NessusClientData_v2><Report name="Ward"><ReportHost name="x"><HostProperties>'
        f'<tag name="mac-address">{mac}</tag><tag name="Credentialed_Scan">{login}</tag>'
        f'<tag name="HOST_END_TIMESTAMP">{wall_clock() // NANOSECONDS}</tag></HostProperties>{items}'
        '</ReportHost><ReportHost name="203.0.113.77"/></Report></NessusClientData_v2>'
    ).encode()


def test_page_api_and_export_say_the_same(signed_in: SignedIn, matched: list[Device]) -> None:
    client = signed_in(Role.ANALYST)
    page = text(client.get("/risk/vulnerabilities/"))
    assert ONE in page and TWO in page
    assert "Used in attacks" in page and "Install version 3." in page
    api = client.get("/api/v1/vulnerabilities").json()
    assert [(row["id"], row["confirmed"], row["potential"]) for row in api["items"]] == [
        (ONE, 2, 0),
        (TWO, 0, 2),
    ]
    exported = csv.DictReader(
        io.StringIO("".join(part.decode() for part in client.get("/risk/vulnerabilities/export.csv")))
    )
    assert [row["id"] for row in exported] == [ONE, TWO]
    assert [r["id"] for r in client.get("/api/v1/vulnerabilities?exploited=true").json()["items"]] == [ONE]
    assert [r["id"] for r in client.get("/api/v1/vulnerabilities?sort=score").json()["items"]] == [TWO, ONE]
    assert [(r["exploit_count"], r["exploits_by"]) for r in api["items"]] == [
        (3, {"metasploit": 1, "exploit_db": 2}),
        (0, {}),
    ]
    assert [r["id"] for r in client.get("/api/v1/vulnerabilities?exploits=2").json()["items"]] == [ONE]
    assert [r["id"] for r in client.get("/api/v1/vulnerabilities?sort=exploits").json()["items"]] == [
        TWO,
        ONE,
    ]
    coded = text(client.get("/risk/vulnerabilities/?exploits=1&sort=-exploits"))
    assert "With public exploits <strong>1</strong>" in coded and TWO not in coded
    only = text(client.get("/risk/vulnerabilities/?state=confirmed&least=critical"))
    assert ONE in only and TWO not in only
    assert client.get("/api/v1/vulnerabilities?state=whatever").status_code == 422


def test_a_vulnerability_is_as_grave_in_the_list_as_in_its_findings(
    signed_in: SignedIn, matched: list[Device], store: Store
) -> None:
    from medwarden.risk.matching.findings import findings_of
    from medwarden.store.queries import Scope
    from medwarden.store.queries.vulnerabilities import VerdictFilter, verdicts

    VulnerabilityWeight.objects.filter(vulnerability=ONE).update(score=4.3)
    client = signed_in(Role.ANALYST)
    listed = {row["id"]: row["severity"] for row in client.get("/api/v1/vulnerabilities").json()["items"]}
    for name in (ONE, TWO):
        views = verdicts(Scope(), VerdictFilter(vulnerability=name), at_ns=wall_clock())
        found = findings_of(matched[0].site_id, views, 1)
        assert {finding.severity for finding in found} == {listed[name]}
    pages = (
        "/risk/vulnerabilities/",
        f"/risk/vulnerabilities/{ONE}/",
        f"/risk/advisories/{ADVISORY}/",
        f"/devices/{matched[0].pk}/?tab=risk",
    )
    for path in pages:
        page = text(client.get(path))
        assert "Critical" in page and "CVSS 4.3, raised: used in attacks" in page, path
    assert "CVSS 5.0, raised: likely to be used, lowered: not sure yet" in text(client.get(pages[0]))
    assert ONE in text(client.get("/risk/vulnerabilities/?least=critical"))
    assert TWO not in text(client.get("/risk/vulnerabilities/?least=critical"))


def test_one_vulnerability_and_one_advisory_show_devices_and_reasons(
    signed_in: SignedIn, matched: list[Device]
) -> None:
    client = signed_in(Role.VIEWER)
    page = text(client.get(f"/risk/vulnerabilities/{ONE}/"))
    assert "It is named: it is affected." in page
    assert "2.0 is among those named" in page
    assert all((device.name or device.pk) in page for device in matched)
    assert "It is irrelevant" not in page, "a viewer decides nothing"
    advisory = text(client.get(f"/risk/advisories/{ADVISORY}/"))
    assert ONE in advisory and TWO in advisory
    assert client.get("/risk/vulnerabilities/CVE-1999-0000/").status_code == 404
    assert client.get("/risk/advisories/none/").status_code == 404
    rows = client.get(f"/api/v1/verdicts?vulnerability={ONE}").json()
    assert {row["device"] for row in rows["items"]} == {device.pk for device in matched}
    assert client.get("/api/v1/verdicts").status_code == 422


def test_a_persons_word_counts_until_its_day_and_is_taken_back(
    signed_in: SignedIn, matched: list[Device]
) -> None:
    client, device = signed_in(Role.ANALYST), matched[0]
    form = {"device": device.pk, "vulnerability": ONE, "days": "30", "reason": "the port is closed"}
    back = f"/risk/vulnerabilities/{ONE}/"
    answer = client.post("/risk/vulnerabilities/irrelevant/", form | {"back": back})
    assert answer["Location"] == back
    assert client.post("/risk/vulnerabilities/irrelevant/", form | {"back": "https://evil.example/"})[
        "Location"
    ].startswith("/risk/")
    row = next(
        r for r in client.get("/api/v1/vulnerabilities?state=irrelevant").json()["items"] if r["id"] == ONE
    )
    assert (row["confirmed"], row["irrelevant"]) == (1, 1)
    page = text(client.get(back))
    assert "the port is closed" in page and "It counts again" in page
    assert AuditEntry.objects.filter(action="vulnerability.irrelevant").exists()
    client.post(
        "/risk/vulnerabilities/irrelevant/",
        {"device": device.pk, "vulnerability": ONE, "step": "relevant", "reason": "open again"},
    )
    assert client.get("/api/v1/vulnerabilities?state=irrelevant").json()["total"] == 0
    wrong = client.post("/risk/vulnerabilities/irrelevant/", form | {"days": "7"}, follow=True)
    assert "Say until when it is irrelevant" in text(wrong)
    api = client.post(
        f"/api/v1/devices/{device.pk}/irrelevant",
        json.dumps({"vulnerability": ONE, "reason": "r", "expires_ns": wall_clock() + NANOSECONDS * 3600}),
        content_type="application/json",
    )
    assert api.status_code == 204


def test_a_scanners_report_is_put_beside_the_verdicts(signed_in: SignedIn, matched: list[Device]) -> None:
    client, device = signed_in(Role.ANALYST), matched[0]
    site = device.site_id
    upload = SimpleUploadedFile("ward.nessus", nessus(device, ONE, TWO, "CVE-2021-9999"))
    said = text(client.post(f"/risk/scans/import/?site={site}", {"report": upload}, follow=True))
    assert "1 of 2 hosts are devices here" in said and "203.0.113.77" in said
    rows = {r["vulnerability"]: r for r in client.get(f"/api/v1/verdicts?device={device.pk}").json()["items"]}
    assert rows[ONE]["seen_by"] == ["medwarden", "nessus"]
    assert rows[TWO]["state"] == "confirmed"
    assert rows["CVE-2021-9999"]["seen_by"] == ["nessus"]
    counted = {r["id"]: r for r in client.get("/api/v1/vulnerabilities").json()["items"]}
    assert (counted[TWO]["confirmed"], counted[TWO]["potential"]) == (1, 1)
    assert counted["CVE-2021-9999"]["score"] == 7.1
    both = client.get("/api/v1/vulnerabilities?seen_by=both").json()["items"]
    assert {row["id"] for row in both} == {ONE, TWO}
    tab = text(client.get(f"/devices/{device.pk}/?tab=risk"))
    assert "CVE-2021-9999" in tab and "Nessus" in tab
    (scan,) = client.get("/api/v1/scans").json()["items"]
    assert "by its MAC address" in text(client.get(f"/risk/scans/{scan['id']}/"))
    assert "203.0.113.77" in text(client.get(f"/risk/scans/{scan['id']}/?unknown=1"))
    gone = client.post(f"/risk/scans/{scan['id']}/remove/", {"reason": "the wrong ward"}, follow=True)
    assert "is taken back" in text(gone)
    rows = {r["vulnerability"]: r for r in client.get(f"/api/v1/verdicts?device={device.pk}").json()["items"]}
    assert rows[TWO]["state"] == "potential"
    assert "CVE-2021-9999" not in rows


def test_reports_come_in_through_the_api_and_broken_ones_are_refused(
    signed_in: SignedIn, matched: list[Device]
) -> None:
    client, site = signed_in(Role.ANALYST), matched[0].site_id
    body = {"site": site, "name": "ward.nessus", "report": nessus(matched[0], ONE).decode()}
    done = client.post("/api/v1/scans", json.dumps(body), content_type="application/json")
    assert (done.status_code, done.json()["known"]) == (200, 1)
    wrong = client.post(
        "/api/v1/scans", json.dumps(body | {"report": "Dear scanner"}), content_type="application/json"
    )
    assert wrong.status_code == 422
    assert "no scanner's report" in wrong.json()["detail"]
    broken = SimpleUploadedFile("x.nessus", b"<NessusClientData_v2><Report")
    said = text(client.post(f"/risk/scans/import/?site={site}", {"report": broken}, follow=True))
    assert "broken XML" in said


def test_what_scanners_should_leave_alone_is_downloaded_and_audited(
    signed_in: SignedIn, matched: list[Device]
) -> None:
    client, site = signed_in(Role.BIOMEDICAL_ENGINEER), matched[0].site_id
    rules = client.get(f"/risk/scans/exclusions/nessus/?site={site}")
    assert rules["Content-Disposition"] == 'attachment; filename="nessusd.rules"'
    reasons = client.get(f"/api/v1/scan-exclusions?site={site}").json()
    assert all(each["reasons"] for each in reasons)
    assert {each["address"] for each in reasons} == set(
        re.findall(r"(?m)^reject (\S+)$", rules.content.decode())
    )
    assert AuditEntry.objects.filter(action="scan_exclusions.exported").exists()
    assert client.get("/api/v1/scan-exclusions/none?site=" + site).status_code == 422


def test_names_are_said_and_taken_back_on_the_page(signed_in: SignedIn, matched: list[Device]) -> None:
    client = signed_in(Role.BIOMEDICAL_ENGINEER)
    form = {"kind": "product", "vendor": "BD", "names": "PCU 15\nAlaris PC unit 8015", "reason": "we say so"}
    said = text(client.post("/risk/names/change/", form, follow=True))
    assert "Kept: the verdicts of" in said
    assert "PCU 15 = Alaris PC unit 8015" in text(client.get("/risk/names/"))
    (entry,) = AuditEntry.objects.filter(action="aliases.changed")
    assert entry.reason == "we say so"
    client.post("/risk/names/change/", {"remove": "pcu 15", "reason": "no"})
    assert "PCU 15" not in text(client.get("/risk/names/"))
    assert MatchProfile.objects.exists()
    assert text(client.get("/risk/names/?suggest=1"))


def test_the_exploits_of_a_vulnerability_are_named_once(
    signed_in: SignedIn, matched: list[Device], store: Store
) -> None:
    from tests.feeds import making

    from medwarden.app.knowledge import import_files

    folder = store.home / "published"
    folder.mkdir()
    (folder / "exploits.csv").write_bytes(making.exploitdb(("50001", ONE), ("50002", ONE)))
    (folder / "modules.json").write_bytes(making.metasploit(pump=[ONE, "EDB-50001"]))
    import_files(store.home, [folder], unsigned=True)
    client = signed_in(Role.VIEWER)
    page = text(client.get(f"/risk/vulnerabilities/{ONE}/"))
    assert "2 public exploits: 1 Metasploit module, 1 entry of the Exploit Database." in page
    assert "MSF:exploit/pump" in page and "also EDB-50001" in page
    told = client.get(f"/api/v1/vulnerabilities/{ONE}").json()["exploits"]
    assert (told["total"], told["by"]) == (2, {"metasploit": 1, "exploit_db": 1})
