"""Joining, splitting and undoing: rows move, counts are conserved, and the very rows come back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.store.conftest import HOUR, DeltaMaker

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
            and f.attname not in {"added_ns", "stale", *leave}
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
