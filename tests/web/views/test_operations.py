"""Operations: names and disputes, the do-not-probe list, where active query is on; each decision audited."""

from __future__ import annotations

from collections.abc import Callable

from django.test import Client

from medwarden.model.role import Role
from medwarden.store.models import AuditEntry, Device, DoNotProbe, EvidenceEntry, ProbeSubnet
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
