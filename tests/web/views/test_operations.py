"""Operations: names and disputes, the do-not-probe list, where active query is on; each decision audited."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from django.test import Client

from medwarden.kernel.clock import wall_clock
from medwarden.model.role import Role
from medwarden.store.models import AuditEntry, Device, DoNotProbe, EvidenceEntry, ProbeLog, ProbeSubnet
from medwarden.store.open import ensure_site
from medwarden.web.recent import forget

SignedIn = Callable[..., Client]


def test_a_shared_title_is_a_dispute_and_the_registry_names_both(signed_in: SignedIn) -> None:
    first, second = Device.objects.filter(category="patient_monitor").order_by("pk")[:2]
    for device, since in ((first, 1), (second, 2)):
        EvidenceEntry.objects.create(
            tenant_id="default",
            site_id=device.site_id,
            device=device,
            source="dicom",
            field="dicom.ae_title",
            value="ONE_FOR_TWO",
            sensor="s",
            count=3,
            first_seen=since,
            last_seen=device.last_seen,
        )
    forget()
    client = signed_in(Role.BIOMEDICAL_ENGINEER)
    page = client.get("/operations/names/", {"q": "one_for_two"}).content.decode()
    assert "Shared" in page
    assert f"{first.name} and {second.name} both use ONE_FOR_TWO" in page
    answer = client.get("/api/v1/clinical-names").json()
    (dispute,) = [c for c in answer["conflicts"] if c["name"] == "ONE_FOR_TWO"]
    assert dispute["devices"] == [first.pk, second.pk]


def test_a_protection_is_entered_and_ended_with_a_reason(signed_in: SignedIn) -> None:
    client = signed_in(Role.BIOMEDICAL_ENGINEER)
    form = {"kind": "subnet", "value": "10.20.30.0/24", "hours": "", "reason": "dialysis ward"}
    page = client.post("/operations/protected/add/", form, follow=True).content.decode()
    assert "10.20.30.0/24 is on the do-not-probe list" in page
    entry = DoNotProbe.objects.get()
    assert (entry.who, entry.reason, entry.until_ns) == ("user:biomedical_engineer", "dialysis ward", None)
    assert client.get("/api/v1/do-not-probe").json()["items"][0]["value"] == "10.20.30.0/24"
    page = client.post(f"/operations/protected/{entry.pk}/end/", {"reason": ""}, follow=True).content.decode()
    assert "Say why" in page
    client.post(f"/operations/protected/{entry.pk}/end/", {"reason": "ward closed"})
    entry.refresh_from_db()
    assert entry.removed_by == "user:biomedical_engineer"
    assert client.get("/api/v1/do-not-probe").json()["total"] == 0
    assert client.get("/api/v1/do-not-probe", {"ended": "true"}).json()["total"] == 1
    told = AuditEntry.objects.filter(action__startswith="probing.").order_by("sequence")
    assert [(e.action, e.reason) for e in told] == [
        ("probing.protected", "dialysis ward"),
        ("probing.unprotected", "ward closed"),
    ]


def test_what_cannot_be_protected_is_said(signed_in: SignedIn) -> None:
    client = signed_in(Role.ADMINISTRATOR)
    for form, said in (
        ({"kind": "ip", "value": "nobody", "reason": "x"}, "nobody"),
        ({"kind": "cloud", "value": "x", "reason": "x"}, "Choose what the entry speaks of"),
        ({"kind": "ip", "value": "10.0.0.1", "reason": " "}, "Say why"),
    ):
        assert said in client.post("/operations/protected/add/", form, follow=True).content.decode()
    assert DoNotProbe.objects.count() == 0


def test_active_query_is_off_until_a_subnet_is_switched_on(signed_in: SignedIn) -> None:
    client = signed_in(Role.NETWORK_ENGINEER)
    assert "Active query is off" in client.get("/operations/query/").content.decode()
    form = {"network": "10.20.40.0/24", "per_minute": "10", "prober": ["snmp_get"], "reason": "printers"}
    ensure_site(None, "clinic")
    page = client.post("/operations/query/subnets/on/", form, follow=True).content.decode()
    assert "Choose one site above" in page
    page = client.post("/operations/query/subnets/on/?site=main", form, follow=True).content.decode()
    assert "Active query is on in 10.20.40.0/24" in page
    grant = ProbeSubnet.objects.get()
    assert (grant.probers, grant.per_minute, grant.site_id) == (["snmp_get"], 10, "main")
    client.post(f"/operations/query/subnets/{grant.pk}/off/", {"reason": "done"})
    assert client.get("/api/v1/query/subnets").json()["total"] == 0
    wide = form | {"network": "10.0.0.0/8"}
    assert (
        "too wide"
        in client.post("/operations/query/subnets/on/?site=main", wide, follow=True).content.decode()
    )


def test_who_may_not_decide_may_look(signed_in: SignedIn) -> None:
    client = signed_in(Role.VIEWER)
    for path in ("/operations/names/", "/operations/protected/", "/operations/query/"):
        page = client.get(path)
        assert page.status_code == 200
        assert 'name="reason"' not in page.content.decode()
    form = {"kind": "ip", "value": "10.0.0.1", "reason": "x"}
    assert client.post("/operations/protected/add/", form).status_code == 403
    assert client.post("/operations/query/subnets/on/", {}).status_code == 403


def test_a_person_of_one_site_does_not_end_what_others_decided(signed_in: SignedIn) -> None:
    ensure_site(None, "clinic")
    admin = signed_in(Role.ADMINISTRATOR)
    form = {"kind": "ip", "value": "10.0.0.1", "reason": "x"}
    admin.post("/operations/protected/add/?site=main", form)
    entry = DoNotProbe.objects.get()
    clara = signed_in(Role.BIOMEDICAL_ENGINEER, "clara", ("clinic",))
    answer = clara.post(f"/operations/protected/{entry.pk}/end/", {"reason": "mine"})
    assert answer.status_code == 404
    entry.refresh_from_db()
    assert entry.removed_ns is None


def test_a_battery_that_runs_low_is_marked(signed_in: SignedIn) -> None:
    pump = Device.objects.filter(category="infusion_pump").order_by("pk")[0]
    EvidenceEntry.objects.create(
        tenant_id="default",
        site_id=pump.site_id,
        device=pump,
        source="hl7",
        field="hl7.battery_percent",
        value="10",
        sensor="s",
        count=1,
        first_seen=1,
        last_seen=2,
    )
    forget()
    client = signed_in(Role.BIOMEDICAL_ENGINEER)
    page = client.get("/operations/batteries/").content.decode()
    assert "1 battery told of their state; 1 was at 20 %" in page
    assert (pump.name or "?") in page and "10 %" in page
    (row,) = client.get("/api/v1/batteries").json()
    assert (row["battery"]["device"], row["battery"]["percent"]) == (pump.pk, 10)


def test_lists_are_sorted_searched_and_taken_away(signed_in: SignedIn) -> None:
    client = signed_in(Role.ADMINISTRATOR)
    for value, reason in (("10.9.0.0/24", "zebra"), ("10.8.0.0/24", "antelope")):
        client.post("/operations/protected/add/", {"kind": "subnet", "value": value, "reason": reason})
    page = client.get("/operations/protected/", {"sort": "value"}).content.decode()
    assert page.rindex("10.8.0.0/24") < page.rindex("10.9.0.0/24")
    assert 'aria-sort="ascending"' in page
    taken = client.get("/operations/export/protected.csv", {"q": "zebra"})
    lines = b"".join(taken.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert lines[0].startswith("id,site,kind,value,reason,who,since,until")
    assert len(lines) == 2 and ",subnet,10.9.0.0/24,zebra,user:administrator,20" in lines[1]
    assert AuditEntry.objects.filter(action="protected.exported").count() == 1
    for what in ("names", "batteries", "query", "captures"):
        answer = client.get(f"/operations/export/{what}.json")
        assert b"".join(answer.streaming_content).startswith(b"[")  # type: ignore[attr-defined]
    assert client.get("/operations/export/people.csv").status_code == 404
    assert client.get("/operations/export/names.xlsx").status_code == 404
    assert signed_in(Role.VIEWER).get("/operations/export/names.csv").status_code == 403


def test_the_log_is_searched_by_address_by_name_and_by_outcome(signed_in: SignedIn) -> None:
    for number, outcome in enumerate(("answered", "refused", "silent")):
        ProbeLog.objects.create(
            tenant_id="default",
            site_id="main",
            at_ns=number + 1,
            run="r",
            device="",
            label=f"printer {number}",
            ip=f"10.1.1.{number}",
            port=161,
            prober="snmp_get",
            outcome=outcome,
            reason="it prints" if outcome == "refused" else "",
            actor="user:nora",
        )
    client = signed_in(Role.ANALYST)

    def taken(**query: str) -> list[str]:
        answer = client.get("/operations/export/query.json", query)
        rows = json.loads(b"".join(answer.streaming_content))  # type: ignore[attr-defined]
        return [row["outcome"] for row in rows]

    assert taken() == ["silent", "refused", "answered"]
    assert taken(q="10.1.1.0") == ["answered"]
    assert taken(q="PRINTER 2") == ["silent"]
    assert taken(q="prints") == ["refused"]
    assert taken(outcome="refused") == ["refused"]
    assert taken(sort="ip") == ["answered", "refused", "silent"]
    page = client.get("/operations/query/").content.decode()
    assert "SNMP GET" in page and "It prints" in page


def test_batteries_and_names_are_sorted_and_searched(signed_in: SignedIn) -> None:
    pumps = Device.objects.filter(category="infusion_pump").order_by("pk")[:3]
    for pump, charge in zip(pumps, ("90", "10", "50"), strict=True):
        EvidenceEntry.objects.create(
            tenant_id="default",
            site_id=pump.site_id,
            device=pump,
            source="hl7",
            field="hl7.battery_percent",
            value=charge,
            sensor="s",
            count=1,
            first_seen=1,
            last_seen=int(charge),
        )
    forget()
    client = signed_in(Role.ANALYST)

    def charges(**query: str) -> list[int]:
        answer = client.get("/operations/export/batteries.json", query)
        return [row["percent"] for row in json.loads(b"".join(answer.streaming_content))]  # type: ignore[attr-defined]

    assert charges() == [10, 50, 90]
    assert charges(sort="-charge") == [90, 50, 10]
    assert charges(sort="last") == [10, 50, 90]
    assert charges(q=pumps[2].name or "?") == [50]
    assert "No battery matches" in client.get("/operations/batteries/", {"q": "zzz"}).content.decode()
    page = client.get("/operations/names/", {"sort": "-name"}).content.decode()
    assert 'aria-sort="descending"' in page


def test_a_device_in_use_says_so_and_why(signed_in: SignedIn) -> None:
    scanner = Device.objects.filter(category="ct").order_by("pk")[0]
    client = signed_in(Role.BIOMEDICAL_ENGINEER)
    said = client.get(f"/api/v1/devices/{scanner.pk}/in-use").json()
    assert said["state"] in ("unknown", "no") and said["reason"]
    EvidenceEntry.objects.create(
        tenant_id="default",
        site_id=scanner.site_id,
        device=scanner,
        source="dicom",
        field="dicom.ae_title",
        value="CT9",
        sensor="s",
        count=1,
        first_seen=1,
        last_seen=wall_clock(),
    )
    said = client.get(f"/api/v1/devices/{scanner.pk}/in-use").json()
    assert (said["state"], said["evidence"][-1]["what"]) == ("yes", "it spoke dicom (dicom.ae_title)")
    page = client.get(f"/devices/{scanner.pk}/").content.decode()
    assert "yes: it spoke dicom (dicom.ae_title)" in " ".join(re.sub("<[^>]*>", "", page).split())
    assert f"/operations/protected/?kind=device&amp;value={scanner.pk}" in page
    form = client.get("/operations/protected/", {"kind": "device", "value": scanner.pk}).content.decode()
    assert f'value="{scanner.pk}"' in form and '<option value="device" selected>' in form
    assert client.get("/api/v1/devices/none/in-use").status_code == 404
