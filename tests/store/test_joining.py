"""Joining, splitting and undoing: rows move, counts are conserved, and the very rows come back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.store.conftest import HOUR, DeltaMaker

from medwarden.inventory.identity import Resolver
from medwarden.kernel.errors import ConfigurationError
from medwarden.model.evidence import Evidence
from medwarden.model.inventory_delta import InventoryDelta
from medwarden.store.open import Store


def _decide(reason: str = "the same device") -> Any:
    from medwarden.store.changes import Change

    return Change("user:anna", reason, site="main")


def _apply(delta: InventoryDelta) -> None:
    from medwarden.store.changes import Change
    from medwarden.store.delta import apply_delta

    with Change("sensor:s", "heard", site="main") as change:
        apply_delta(change, delta)


def _join(kept: str, gone: str) -> int:
    from medwarden.store.joining import join

    with _decide() as change:
        return join(change, kept, gone)


def _undo(number: int) -> None:
    from medwarden.store.joining import undo

    with _decide("a mistake") as change:
        undo(change, number)


def _part(device: str, identities: Iterable[str]) -> int:
    from medwarden.store.joining import part

    with _decide("two devices") as change:
        return part(change, device, list(identities))


def _rows(leave: frozenset[str] = frozenset()) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows of the inventory without the numbers that the database gives them."""
    from medwarden.store import models

    shown: dict[str, list[tuple[Any, ...]]] = {}
    for model in (
        models.Interface,
        models.Address,
        models.EvidenceEntry,
        models.Service,
        models.Conversation,
        models.ActivityHour,
        models.Device,
        models.Finding,
        models.RiskScore,
        models.Identification,
        models.CaptureJob,
    ):
        names = [
            f.attname
            for f in model._meta.concrete_fields
            if not (f.primary_key and f.get_internal_type() == "BigAutoField")
            and f.attname not in {"added_ns", "stale", "marks", *leave}
        ]
        shown[model.__name__] = sorted(model.objects.values_list(*names), key=repr)
    return shown


def _heard_with_peers(heard: DeltaMaker, ts: int) -> InventoryDelta:
    """Return a round in which every device of five also talks with its two neighbours."""
    import msgspec

    delta = heard(1, 2, 3, 4, 5, ts=ts)
    talks = [
        msgspec.structs.replace(
            delta.conversations[0],
            device=f"d-main-{n}",
            peer_device=f"d-main-{m}",
            peer_ip=None,
            scope="internal",
            flows=n,
            packets=m,
        )
        for n in range(1, 6)
        for m in (n % 5 + 1, (n + 1) % 5 + 1)
    ]
    return msgspec.structs.replace(delta, conversations=(*delta.conversations, *talks))


def test_a_join_shows_one_device_with_all_rows(store: Store, heard: DeltaMaker) -> None:
    from medwarden.store.models import AuditEntry, Device, EvidenceEntry, Service
    from medwarden.store.queries import Scope, find_device, ids_over_time

    _apply(heard(1, 2, 3))
    _join("d-main-1", "d-main-2")
    one = Device.objects.get(pk="d-main-1")
    assert one.macs == ["02:00:00:00:00:01", "02:00:00:00:00:02"] and one.ips == ["10.0.0.1", "10.0.0.2"]
    assert one.vlans == [1, 2] and Device.objects.count() == 2
    facts = EvidenceEntry.objects.filter(device="d-main-1").values_list("value", "count")
    assert sorted(facts) == [("host-1", 2), ("host-2", 2)]
    assert Service.objects.get(device="d-main-1").flows == 8
    row = find_device(Scope(), "d-main-2")
    assert row is not None and row.pk == "d-main-1"
    assert ids_over_time(Scope(), "d-main-1") == ["d-main-1", "d-main-2"]
    assert AuditEntry.objects.filter(action="device.merged", actor="user:anna").count() == 1


def test_new_evidence_of_either_interface_goes_to_the_joined_device(store: Store, heard: DeltaMaker) -> None:
    from medwarden.store.models import Device, EvidenceEntry

    _apply(heard(1, 2))
    _join("d-main-1", "d-main-2")
    _apply(heard(2, ts=20 * HOUR))
    assert Device.objects.count() == 1
    assert Device.objects.get().last_seen == 20 * HOUR + 5
    assert dict(EvidenceEntry.objects.values_list("value", "count")) == {"host-1": 2, "host-2": 4}


def test_undo_brings_the_very_rows_back_with_what_was_heard_since(store: Store, heard: DeltaMaker) -> None:
    from medwarden.store.models import Device, EvidenceEntry, Identity, IdentityEvidence

    for round_ in range(2):
        _apply(_heard_with_peers(heard, (10 + round_) * HOUR))
    number = _join("d-main-1", "d-main-2")
    _apply(_heard_with_peers(heard, 12 * HOUR))
    assert EvidenceEntry.objects.filter(device="d-main-1").count() == 2
    _undo(number)
    joined_then_undone = _rows()
    assert Identity.objects.count() == IdentityEvidence.objects.count() == 0
    Device.objects.all().delete()
    for model in (EvidenceEntry, *_folded()):
        model.objects.all().delete()
    for round_ in range(3):
        _apply(_heard_with_peers(heard, (10 + round_) * HOUR))
    assert _rows() == joined_then_undone


def _folded() -> tuple[Any, ...]:
    from medwarden.store import models

    return (models.Interface, models.Address, models.Service, models.Conversation, models.ActivityHour)


@pytest.fixture
def fresh(store: Store) -> Callable[[], None]:
    """Empty the inventory: each example of a property begins with nothing."""

    def empty() -> None:
        from django.apps import apps

        from medwarden.store.models import Device, EvidenceEntry, IdentityDecision

        for model in apps.get_app_config("store").get_models():
            if (model._meta.model_name or "").startswith("identity"):
                model._default_manager.all().delete()
        for table in (EvidenceEntry, *_folded(), Device, IdentityDecision):
            table._default_manager.all().delete()

    return empty


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_any_sequence_equals_one_in_which_the_undone_was_never_done(
    data: st.DataObject, fresh: Callable[[], None], heard: DeltaMaker
) -> None:
    from medwarden.store.models import Device, EvidenceEntry, Identity, IdentityDecision

    fresh()
    rounds = 0
    total = 0
    for _ in range(data.draw(st.integers(3, 9))):
        step = data.draw(st.sampled_from(["hear", "join", "join", "part", "undo"]))
        devices = sorted(Device.objects.values_list("pk", flat=True))
        if step == "hear" or len(devices) < 2:
            _apply(_heard_with_peers(heard, (10 + rounds) * HOUR))
            rounds, total = rounds + 1, total + 10
        elif step == "join":
            pair = data.draw(st.permutations(devices))[:2]
            _join(pair[0], pair[1])
        elif step == "part":
            several = sorted(set(Identity.objects.values_list("device", flat=True)))
            if several:
                device = data.draw(st.sampled_from(several))
                members = sorted(Identity.objects.filter(device=device).values_list("pk", flat=True))
                taken = data.draw(st.permutations(members))[: data.draw(st.integers(1, len(members) - 1))]
                _part(device, taken)
        else:
            holding = sorted(IdentityDecision.objects.filter(undone_ns=None).values_list("number", flat=True))
            if holding:
                _undo(data.draw(st.sampled_from(holding)))
        assert sum(EvidenceEntry.objects.values_list("count", flat=True)) == total
    for number in IdentityDecision.objects.filter(undone_ns=None).values_list("number", flat=True):
        _undo(number)
    after = _rows()
    assert Identity.objects.count() == 0
    fresh()
    for round_ in range(rounds):
        _apply(_heard_with_peers(heard, (10 + round_) * HOUR))
    assert after == _rows()


def _round(resolver: Resolver, *facts: Evidence) -> InventoryDelta:
    resolver.evidence(facts, "s")
    delta = resolver.delta()
    _apply(delta)
    return delta


def _fact(at: int, mac: str | None, ip: str | None, field: str, value: str) -> Evidence:
    return Evidence(at * HOUR, mac, ip, None, field, value, field.partition(".")[0])


def _names() -> dict[str, set[str]]:
    from medwarden.store.models import EvidenceEntry

    said: dict[str, set[str]] = {}
    for device, value in EvidenceEntry.objects.filter(field="dhcp.host_name").values_list("device", "value"):
        said.setdefault(device, set()).add(value)
    return said


ONE, TWO = "00:1b:21:00:00:01", "00:1b:21:00:00:02"


@pytest.fixture
def resolver(store: Store) -> Resolver:
    assert store.home.exists()
    return Resolver("main")


def _restarted() -> Resolver:
    from medwarden.store.queries import load_state

    again = Resolver("main")
    again.restore(load_state("main"))
    return again


def test_a_join_holds_over_a_restart_of_the_resolver(resolver: Resolver) -> None:
    _round(resolver, _fact(1, ONE, None, "dhcp.host_name", "a"), _fact(1, TWO, None, "dhcp.host_name", "b"))
    one, two = (resolver.owner(mac, None, HOUR) or "" for mac in (ONE, TWO))
    number = _join(one, two)
    again = _restarted()
    assert again.owner(TWO, None, HOUR) == two  # the resolver tells them apart for ever
    _round(again, _fact(2, TWO, None, "dhcp.host_name", "c"))
    assert _names() == {one: {"a", "b", "c"}}
    _undo(number)
    assert _names() == {one: {"a"}, two: {"b", "c"}}
    _round(_restarted(), _fact(3, TWO, None, "dhcp.host_name", "d"))
    assert _names() == {one: {"a"}, two: {"b", "c", "d"}}


def test_an_address_joined_by_hand_is_found_on_an_interface(resolver: Resolver) -> None:
    """What the resolver finds and what a person said add up: address, interface and the other are one."""
    from medwarden.store.models import Device, IdentityDecision
    from medwarden.store.queries import Scope, find_device

    _round(
        resolver,
        _fact(1, None, "10.0.0.9", "dhcp.host_name", "by-address"),
        _fact(1, TWO, None, "dhcp.host_name", "other"),
    )
    by_address = resolver.owner(None, "10.0.0.9", HOUR) or ""
    other = resolver.owner(TWO, None, HOUR) or ""
    number = _join(by_address, other)
    delta = _round(resolver, _fact(2, ONE, "10.0.0.9", "arp.ip", "10.0.0.9"))
    assert [merge.gone for merge in delta.merges] == [by_address]
    found = resolver.owner(ONE, None, HOUR) or ""
    assert _names() == {found: {"by-address", "other"}}
    row = find_device(Scope(), by_address)
    assert row is not None and row.pk == found and row.macs == [ONE, TWO]
    assert IdentityDecision.objects.get().left == [found]
    _undo(number)
    assert _names() == {found: {"by-address"}, other: {"other"}}
    assert set(Device.objects.values_list("pk", flat=True)) == {found, other}
    _round(_restarted(), _fact(3, None, "10.0.0.9", "dhcp.host_name", "later"))
    assert _names()[found] == {"by-address", "later"}


def test_a_split_interface_never_comes_back_by_itself(resolver: Resolver) -> None:
    from medwarden.app.identity import link_site
    from medwarden.store.models import Device

    uuid = "4c4c4544-0043-4b10-8052-b7c04f4e3932"
    said = [_fact(1, mac, None, "dhcp.machine_uuid", uuid) for mac in (ONE, TWO)]
    _round(resolver, *said)
    assert link_site("default", "main").joined == 1 and Device.objects.count() == 1
    two = resolver.owner(TWO, None, HOUR) or ""
    device = Device.objects.get()
    _part(device.pk, [two if device.pk != two else resolver.owner(ONE, None, HOUR) or ""])
    _round(resolver, *[_fact(2, mac, None, "dhcp.machine_uuid", uuid) for mac in (ONE, TWO)])
    linked = link_site("default", "main")
    assert (linked.joined, linked.proposed) == (0, 0) and Device.objects.count() == 2


def test_an_undone_automatic_join_is_a_persons_no(resolver: Resolver) -> None:
    from medwarden.app.identity import link_site
    from medwarden.store.models import Device, IdentityDecision

    uuid = "4c4c4544-0043-4b10-8052-b7c04f4e3932"
    _round(resolver, *[_fact(1, mac, None, "dhcp.machine_uuid", uuid) for mac in (ONE, TWO)])
    assert link_site("default", "main").joined == 1
    _undo(IdentityDecision.objects.get().number)
    assert link_site("default", "main").joined == 0 and Device.objects.count() == 2


def test_a_proposal_is_accepted_or_rejected_once(resolver: Resolver) -> None:
    from medwarden.app.identity import decide_stored, link_site
    from medwarden.store.models import Device, IdentityProposal

    prl = "1,3,6,15,31,33,43,44,46,47,119,121,249,252"
    _round(
        resolver,
        *[_fact(1, mac, None, "dhcp.host_name", "nb-0042") for mac in (ONE, TWO)],
        *[_fact(1, mac, None, "dhcp.parameter_request_list", prl) for mac in (ONE, TWO)],
    )
    assert link_site("default", "main").proposed == 1
    proposal = IdentityProposal.objects.get()
    decide_stored(proposal.pk, accepted=False, reason="two notebooks with one name", actor="user:anna")
    assert link_site("default", "main").proposed == 0
    with pytest.raises(ConfigurationError, match="rejected"):
        decide_stored(proposal.pk, accepted=True, reason="after all", actor="user:anna")
    IdentityProposal.objects.update(state="open")
    number = decide_stored(proposal.pk, accepted=True, reason="one notebook", actor="user:anna")
    assert number is not None and Device.objects.count() == 1
    assert link_site("default", "main").proposed == 0


def test_what_belongs_to_a_device_moves_and_comes_back(store: Store, heard: DeltaMaker) -> None:
    from medwarden.model.finding import Finding, FindingKind, Severity
    from medwarden.operations.interlock import EntryKind
    from medwarden.store.changes import Change
    from medwarden.store.findings import record_findings
    from medwarden.store.models import CaptureJob, DoNotProbe
    from medwarden.store.models import Finding as Row
    from medwarden.store.probing import protect

    assert store.home.exists()
    _apply(heard(1, 2))
    found = Finding("f-1", FindingKind.EXPOSURE, "telnet", Severity.HIGH, "d-main-2", "t", "d", "f")
    with Change("rule:risk", "seen", site="main") as change:
        record_findings(change, ["d-main-2"], [found])
    CaptureJob.objects.create(
        id="c1", tenant_id="default", site_id="main", device="d-main-2", label="x", interface="e", folder="/",
        reason="r", who="w", state="done", created_ns=1, seconds=1, megabytes=1,
    )  # fmt: skip
    with Change("user:anna", "a life hangs on it", site="main") as change:
        protect(change, EntryKind.DEVICE, "d-main-2")
    before = _rows()
    number = _join("d-main-1", "d-main-2")
    assert DoNotProbe.objects.get().value == "d-main-1"
    assert CaptureJob.objects.get().device == "d-main-1"
    row = Row.objects.get()
    assert (row.device_id, row.state) == ("d-main-1", "resolved")
    _undo(number)
    assert _rows() == before
    assert DoNotProbe.objects.get().value == "d-main-2"


def test_devices_of_two_sites_are_never_merged(store: Store, heard: DeltaMaker) -> None:
    from medwarden.store.open import ensure_site

    assert store.home.exists()
    ensure_site("default", "clinic")
    _apply(heard(1))
    _apply(heard(1, site="clinic"))
    with pytest.raises(ConfigurationError, match="different sites"):
        _join("d-main-1", "d-clinic-1")


def test_a_phone_with_three_hundred_addresses_is_one_device_with_a_count(resolver: Resolver) -> None:
    from medwarden.app.identity import link_site
    from medwarden.store.models import Device
    from medwarden.store.queries import Scope
    from medwarden.store.queries.identity import identities

    for n in range(300):
        mac = f"da:a1:19:00:{n // 256:02x}:{n % 256:02x}"
        for field, value in (
            ("dhcp.host_name", "annas-pixel-8"),
            ("dhcpv6.duid", "000400112233445566778899aabbccddeeff"),
            ("dhcp.parameter_request_list", "1,3,6,15,26,28,51,58,59,43,114"),
        ):
            resolver.evidence([_fact(n * 2 + 1, mac, None, field, value)], "s")
    _apply(resolver.delta())
    assert Device.objects.count() == 300
    assert link_site("default", "main").joined == 299
    phone = Device.objects.get()
    assert len(phone.macs) == 300
    parts = identities(Scope(), phone.pk)
    assert len(parts) == 300 and all(part.randomised for part in parts)
    assert link_site("default", "main").joined == 0
    _round(resolver, _fact(700, "da:a1:19:00:00:07", None, "dhcp.host_name", "annas-pixel-8"))
    assert Device.objects.get().last_seen == 700 * HOUR
