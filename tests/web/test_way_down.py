"""Findings of all kinds lead down, also when what they rest on has ended; no URL breaks the way."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from urllib.parse import urlencode

from django.test import Client
from msgspec import to_builtins
from msgspec.structs import replace
from tests.web.test_pages_down_to_packets import (
    _EVIDENCE,
    HEARD,
    SAID,
    Ways,
    house,  # noqa: F401 - a fixture of `known`
    known,  # noqa: F401 - a fixture
    people_and_plans,
    shown,
)

from medwarden.app.way_down import _TELLERS
from medwarden.inventory.reconcile_findings import NOT_IN_BOOKS, book_findings
from medwarden.knowledge.fingerprints.rules import LEVELS
from medwarden.knowledge.reconciliation import default_rules
from medwarden.model.device import Device as ModelDevice
from medwarden.model.finding import Finding as ModelFinding
from medwarden.model.finding import FindingEvidence, FindingKind, Severity
from medwarden.model.place import PARTS, PlanKey
from medwarden.model.role import Role
from medwarden.model.vulnerability import Aspect
from medwarden.risk.matching.findings import TYPE as VULNERABLE
from medwarden.risk.matching.versions import read_versions
from medwarden.risk.recalls.codes import Limits
from medwarden.risk.recalls.days import days_of
from medwarden.risk.recalls.engine import RecallState
from medwarden.risk.recalls.facts import DeviceFacts
from medwarden.risk.recalls.findings import Standing
from medwarden.risk.recalls.findings import findings_of as recall_findings
from medwarden.risk.recalls.notice import MAKER, Notice
from medwarden.risk.recalls.serials import CodeList
from medwarden.risk.recalls.units import judge_units
from medwarden.store.changes import Change
from medwarden.store.findings import record_findings
from medwarden.store.models import (
    Device,
    DeviceSupport,
    Finding,
    MatchProfile,
    Policy,
    PolicyVersion,
    ProfileMember,
    RecallNotice,
    RecallVerdict,
    VulnerabilityVerdict,
)
from medwarden.store.open import Store

SignedIn = Callable[..., Client]


def test_every_finding_leads_down(signed_in: SignedIn, known: list[Device]) -> None:  # noqa: F811
    client = signed_in(Role.VIEWER)
    ways = Ways(client)
    recalled(known[0])
    affected(known[1])
    unbooked(known)
    asked: dict[tuple[str, str], str] = {}
    findings = Finding.objects.filter(device__in=[device.pk for device in known]).order_by("type", "pk")
    assert findings
    for finding in findings:
        page = shown(client, f"/findings/{finding.pk}/").partition("<main")[2]
        links = [html.unescape(link) for link in _EVIDENCE.findall(page)]
        assert len(links) == len(finding.evidence), finding
        for evidence, link in zip(finding.evidence, links, strict=True):
            asked.setdefault((finding.type, evidence["field"]), link)
    assert {field for kind, field in asked if kind == "recall"} == {"units", "serial", "made", "firmware"}
    assert {field for kind, field in asked if kind == VULNERABLE} == set(NAMES)
    assert {field for kind, field in asked if kind == NOT_IN_BOOKS} == {"mac"}
    assert len({kind for kind, _ in asked}) > 2
    ends = {about: ways.end(link) for about, link in asked.items()}
    assert not {about: end for about, end in ends.items() if end not in (HEARD, SAID)}
    assert ("legacy_names", "conversation") not in ends or ends["legacy_names", "conversation"] == HEARD


def recalled(device: Device) -> None:
    """Have two recalls concern a device of which neither serial number nor day nor firmware is known."""
    listed = Limits(
        serials=CodeList(singles=frozenset({"4711"})),
        made=days_of("2024-01"),
        firmware=(read_versions("before 2.0"),),
        said=True,
    )
    facts = DeviceFacts(device.pk, "Pump", vendor="Acme")
    standing = []
    for number, limits in (("Z-1-2026", Limits(every=True, said=True)), ("Z-2-2026", listed)):
        notice = Notice(number, "Pumps stop", "Acme", MAKER)
        aspects = judge_units(facts, limits).aspects
        assert not any(aspect.device_value for aspect in aspects)
        row = RecallNotice.objects.create(
            tenant_id=device.tenant_id, id=number, number=number, origin=MAKER, recall_class="I",
            title=notice.title, body=to_builtins(notice), added_ns=1,
        )  # fmt: skip
        RecallVerdict.objects.create(
            tenant_id=device.tenant_id, site_id=device.site_id, device_id=device.pk, notice=row,
            state=RecallState.UNKNOWN.value, reason="It may be meant.", since_ns=1, cause="a new recall",
            aspects=to_builtins(aspects), rules_version="1",
        )  # fmt: skip
        standing.append(Standing(device.pk, "Pump", notice, RecallState.UNKNOWN, "May be.", 1, aspects))
    found(device, recall_findings(device.site_id, standing, 2))


NAMES = ("CVE-2026-1", "SSA-123456", "VDE-2021-001", "cisco-sa-asaftd-x-2026", "RHSA-2024:1", "PYSEC-2024-1")


def affected(device: Device) -> None:
    """Have a device been affected by vulnerabilities of all kinds of names; only the second still counts."""
    own = {"tenant_id": device.tenant_id, "site_id": device.site_id}
    profile = MatchProfile.objects.create(tenant_id=device.tenant_id, id="profile-1", facts={})
    ProfileMember.objects.filter(device_id=device.pk).update(until_ns=1)
    ProfileMember.objects.create(**own, device_id=device.pk, profile=profile, since_ns=2, cause="heard")
    for name in NAMES:
        reason = f"{name} names this version."
        VulnerabilityVerdict.objects.create(
            tenant_id=device.tenant_id, profile=profile, vulnerability=name, state="confirmed",
            reason=reason, since_ns=3, until_ns=None if name == NAMES[1] else 9,
            rules_version="1", cause="new knowledge",
            aspects=[to_builtins(Aspect("version", True, "", "firmware", "2.0", "named"))],
        )  # fmt: skip
        one = ModelFinding(
            f"f-{name}", FindingKind.VULNERABILITY, VULNERABLE, Severity.HIGH, device.pk, "Affected", reason,
            "Update it.", (FindingEvidence(name, reason, 1, 2),), (), 1, 2, "1",
        )  # fmt: skip
        found(device, [one])


def unbooked(devices: list[Device]) -> None:
    """Have devices be in no book: one by its MAC address, one by nothing."""
    rules = default_rules()
    rules = replace(rules, findings=replace(rules.findings, not_in_books=True))
    for row, macs in zip(devices, (devices[0].macs, ()), strict=False):
        told = ModelDevice(id=row.pk, site=row.site_id, macs=tuple(macs), first_seen=1, last_seen=2)
        found(row, book_findings([told], {}, rules, 3))


def found(device: Device, findings: Sequence[ModelFinding]) -> None:
    """Keep findings of a device."""
    with Change("rule:test", "found", tenant=device.tenant_id, site=device.site_id) as change:
        kinds = frozenset(each.kind for each in findings)
        assert record_findings(change, [device.pk], findings, kinds, only=[each.id for each in findings])


def test_what_ended_since_still_leads_to_what_was_said(signed_in: SignedIn, known: list[Device]) -> None:  # noqa: F811
    """A recall withdrawn, an end of support that moved, a policy with another name, a finding with one."""
    client = signed_in(Role.VIEWER)
    ways = Ways(client)
    device = known[0]
    recalled(device)
    RecallVerdict.objects.filter(device_id=device.pk).update(until_ns=2)
    own = {"tenant_id": device.tenant_id, "site_id": device.site_id}
    DeviceSupport.objects.create(
        **own, device_id=device.pk, notice="n-1", subject="model", ending="support", day="2025-01-01",
        state="confirmed", reason="The maker says 2025.", source="a list", since_ns=1, until_ns=2,
    )  # fmt: skip
    policy = Policy.objects.create(
        **own, id="p-1", subject_kind="device", subject=device.pk, title="Pumps, new name", state="enforced",
        version=2, rules_count=1, devices_count=1, updated_ns=3,
    )  # fmt: skip
    for number, title in enumerate(("Pumps", policy.title), 1):
        PolicyVersion.objects.create(
            **own, policy=policy, version=number, state="enforced", document={"title": title}, at_ns=number,
            actor="user:anna", reason="learnt",
        )  # fmt: skip
    for field, value in (
        ("units", "the notice names all units"),
        ("support", "The maker says 2025."),
        ("policy", "Pumps"),
        ("finding recall", "Recalled: called otherwise then"),
    ):
        asked = urlencode({"field": field, "value": value})
        assert ways.end(f"/devices/{device.pk}/evidence/?{asked}") == SAID, field


FIELDS = (
    *(
        "",
        "x",
        "a" * 3000,
        "\0",
        "\U0001f4a9",
        "http.server",
        "dhcp.host_name",
        NAMES[0],
        "segment",
        "support",
    ),
    *(
        "subnet",
        "name",
        "stated",
        "policy",
        "at work",
        "conversation",
        "service",
        "peer",
        "prefix",
        "location",
    ),
    *("version", "product", "platform", "phi", "mac", "ip", "vlan", "place", "units", "finding recall"),
    *("flow.serves", "flow.client_of", "flow.shape", "interface.mac", "oui.vendor", "mac.x", "model.rest"),
    *(f"{begins}{name}" for begins in _TELLERS for name in ("", "x", "\0")),
    *(f"plan.{kind.value}" for kind in PlanKey),
    *(f"place.{part}" for part in PARTS),
    *LEVELS,
)
HOSTILE = (
    "",
    "x",
    "a" * 3000,
    "\0",
    "\U0001f4a9\u202e\u00df",
    "10.0.0.0/99: 1 x",
    "tcp/99999 2",
    "fe80::1%x y",
)


def test_no_field_and_value_breaks_page_or_api(
    signed_in: SignedIn,
    known: list[Device],  # noqa: F811
    store: Store,
) -> None:
    """Whatever stands in the URL: it is answered, or said not to be known."""
    client = signed_in(Role.VIEWER)
    client.raise_request_exception = False
    people_and_plans(known, store.home)
    device = next(each for each in known if each.ips and each.macs)
    page, api = f"/devices/{device.pk}/evidence/", f"/api/v1/devices/{device.pk}/evidence"
    read = ("segment", "subnet", "ip", "mac", "vlan", "support", *(f"plan.{kind.value}" for kind in PlanKey))
    asked = [(page, field, value) for field in read for value in HOSTILE]
    for at, field in enumerate(FIELDS):  # each field meets some of the values, each value many fields
        asked += [(page, field, HOSTILE[at % len(HOSTILE)]), (api, field, HOSTILE[(at + 3) % len(HOSTILE)])]
    broken = [
        (path, field[:40], value[:40])
        for path, field, value in asked
        if client.get(path, {"field": field, "value": value}).status_code not in (200, 404, 422)
    ]
    assert not broken


def test_only_what_a_device_has_or_had_stands_over_its_evidence(
    signed_in: SignedIn,
    known: list[Device],  # noqa: F811
) -> None:
    client = signed_in(Role.VIEWER)
    device = next(each for each in known if each.vendor and each.subnet and ":" not in each.subnet)
    asked = urlencode({"field": "vendor", "value": "Pwned Inc."})
    page = shown(client, f"/devices/{device.pk}/evidence/?{asked}")
    (heading,) = re.findall("<h1[^>]*>(.*?)</h1>", page)
    assert html.unescape(heading) == device.vendor
    for value, status in (
        (f"{device.subnet}: 3 devices", 200),
        (f"{device.subnet}: is open to all", 404),
        ("203.0.113.0/24: 3 devices", 404),
        ("call 555-0100: at once", 404),
    ):
        answer = client.get(f"/devices/{device.pk}/evidence/", {"field": "segment", "value": value})
        assert answer.status_code == status, value
