from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.kernel.errors import ConfigurationError
from medwarden.knowledge.taxonomy import categories
from medwarden.operations.in_use import Use
from medwarden.operations.interlock import (
    LIFTABLE,
    EntryKind,
    Override,
    ProtectedEntry,
    Protects,
    Refusal,
    Registry,
    Request,
    check_network,
    decide,
)
from medwarden.operations.permit import Action, ActionKind, Permit, Target

from .wards import GRANT, HOUR, NOW, ON, SECOND, SNMP, device, fact, idle, request, talk


def refused(outcome: Permit | Refusal) -> Protects:
    assert isinstance(outcome, Refusal), outcome
    assert outcome.reason
    assert outcome.by
    return outcome.protects


def ask(*devices: Any, registry: Registry = ON, override: Override | None = None, **more: Any) -> Any:
    use = more.pop("use", None)
    now = more.pop("now", NOW)
    return decide(request(*devices, **more), registry, idle(*devices) if use is None else use, override, now)


def override(**more: object) -> Override:
    made = Override(
        "o-1", "d-1", frozenset({SNMP}), frozenset(LIFTABLE), "anna", "service visit", NOW - 1, NOW + HOUR
    )
    return msgspec.structs.replace(made, **more)


def test_a_known_idle_printer_in_a_subnet_that_is_on_is_permitted() -> None:
    permit = ask(device())
    assert isinstance(permit, Permit)
    assert (permit.devices, permit.grant, permit.override, permit.medical) == (("d-1",), "g-1", "", False)


def test_everything_is_off_by_default() -> None:
    assert refused(ask(device(), registry=Registry())) is Protects.NOT_SWITCHED_ON
    assert refused(ask(device(), ip="10.0.1.7")) is Protects.NOT_SWITCHED_ON
    assert refused(ask(device(), action=Action(ActionKind.PROBE, "dicom_echo"))) is Protects.NOT_SWITCHED_ON
    changes: list[dict[str, object]] = [
        {"site": "other"},
        {"until_ns": NOW},
        {"since_ns": NOW + 1},
        {"network": "nonsense"},
        {"probers": frozenset()},
    ]
    for change in changes:
        grant = msgspec.structs.replace(GRANT, **change)
        assert refused(ask(device(), registry=Registry(grants=(grant,)))) is Protects.NOT_SWITCHED_ON
    other_hours = frozenset(range(24)) - {NOW // HOUR % 24}
    grant = msgspec.structs.replace(GRANT, hours=other_hours)
    assert refused(ask(device(), registry=Registry(grants=(grant,)))) is Protects.OUTSIDE_HOURS


def test_the_narrowest_subnet_decides() -> None:
    narrow = msgspec.structs.replace(GRANT, id="g-2", network="10.0.0.0/28", probers=frozenset({"tls_hello"}))
    registry = Registry(grants=(GRANT, narrow))
    assert refused(ask(device(), registry=registry)) is Protects.NOT_SWITCHED_ON
    assert isinstance(ask(device(ip="10.0.0.99"), registry=registry, ip="10.0.0.99"), Permit)


@pytest.mark.parametrize(
    "ip",
    ["10.0.0.0", "10.0.0.255", "255.255.255.255", "224.0.0.251", "ff02::fb", "0.0.0.0", "::", "x", "",
     "::ffff:10.0.0.7", "010.0.0.7", "10.0.0.7 ", "0.1.2.3", "240.0.0.1"],
)  # fmt: skip
def test_only_single_devices_are_targets(ip: str) -> None:
    grant = msgspec.structs.replace(GRANT, network="::/0")
    assert refused(ask(device(), registry=Registry(grants=(GRANT, grant)), ip=ip)) is Protects.NO_SUCH_TARGET


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (EntryKind.DEVICE, "d-1"),
        (EntryKind.MAC, "02-00-00-00-00-07"),
        (EntryKind.MAC, "0200.0000.0007"),
        (EntryKind.IP, "10.0.0.7"),
        (EntryKind.IP, "10.0.0.7/"),
        (EntryKind.SUBNET, "10.0.0.0/29"),
        (EntryKind.SUBNET, "10.0.0.1/8"),
        (EntryKind.CATEGORY, "Printer"),
        (EntryKind.VENDOR, "ACME"),
        (EntryKind.MODEL, "acme/p-1"),
        (EntryKind.MODEL, "P-1"),
        (EntryKind.SUBNET, "cannot be read"),
    ],
)
def test_an_entry_of_the_registry_stops_everything_and_no_override_lifts_it(
    kind: EntryKind, value: str
) -> None:
    entry = ProtectedEntry("p-1", kind, value, "recalled", "ben", NOW - HOUR)
    registry = Registry((entry,), ON.grants)
    outcome = ask(device(), registry=registry, override=override())
    assert refused(outcome) is Protects.REGISTRY
    assert outcome.by == "ben"
    assert "recalled" in outcome.reason
    enforce = Action(ActionKind.ENFORCE, "quarantine")
    assert refused(ask(device(), registry=registry, action=enforce)) is Protects.REGISTRY
    late = msgspec.structs.replace(entry, until_ns=NOW)
    assert isinstance(ask(device(), registry=Registry((late,), ON.grants)), Permit)
    future = msgspec.structs.replace(entry, since_ns=NOW + HOUR)
    assert refused(ask(device(), registry=Registry((future,), ON.grants))) is Protects.REGISTRY


def test_an_entry_means_any_address_and_any_plausible_label_of_a_device() -> None:
    second = ProtectedEntry("p-1", EntryKind.IP, "10.9.9.9", "r", "ben", 0)
    two = device(ips=("10.0.0.7", "10.9.9.9"))
    assert refused(ask(two, registry=Registry((second,), ON.grants))) is Protects.REGISTRY
    pumps = ProtectedEntry("p-2", EntryKind.CATEGORY, "label_printer", "r", "ben", 0)
    maybe = device(runner_up="label_printer", runner_up_confidence=0.12)
    assert refused(ask(maybe, registry=Registry((pumps,), ON.grants))) is Protects.REGISTRY
    hardly = device(runner_up="label_printer", runner_up_confidence=0.05)
    assert isinstance(ask(hardly, registry=Registry((pumps,), ON.grants)), Permit)


@pytest.mark.parametrize("category", [c.id for c in categories().values() if c.criticality >= 4])
def test_life_critical_kinds_are_protected_unless_listed(category: str) -> None:
    assert refused(ask(device(category))) in (Protects.LIFE_CRITICAL, Protects.UNKNOWN_KIND)
    doubtful = device(runner_up=category, runner_up_confidence=0.2)
    assert refused(ask(doubtful)) is Protects.LIFE_CRITICAL
    listed = Registry(grants=(msgspec.structs.replace(GRANT, categories=frozenset({category})),))
    if category.startswith("unknown"):
        assert refused(ask(device(category), registry=listed)) is Protects.UNKNOWN_KIND
        return
    assert isinstance(ask(device(category), registry=listed), Permit)
    for state in (Use.YES, Use.UNKNOWN):
        busy = idle(device(category), state=state)
        assert refused(ask(device(category), registry=listed, use=busy)) in (
            Protects.IN_USE,
            Protects.USE_UNKNOWN,
        )


def test_use_that_is_not_known_is_use() -> None:
    assert refused(ask(device(), use={})) is Protects.USE_UNKNOWN
    assert refused(ask(device(), use=idle(device(), state=Use.UNKNOWN))) is Protects.USE_UNKNOWN
    assert refused(ask(device(), use=idle(device(), state=Use.YES))) is Protects.IN_USE
    old = {"d-1": msgspec.structs.replace(idle(device())["d-1"], judged_ns=NOW - 6 * SECOND)}
    assert refused(ask(device(), use=old)) is Protects.USE_UNKNOWN
    ahead = {"d-1": msgspec.structs.replace(idle(device())["d-1"], judged_ns=NOW + 1)}
    assert refused(ask(device(), use=ahead)) is Protects.USE_UNKNOWN


def test_every_device_at_the_address_must_be_free() -> None:
    pump = device("infusion_pump", identifier="d-2")
    assert refused(ask(device(), pump)) is Protects.LIFE_CRITICAL
    assert refused(ask(pump, device())) is Protects.LIFE_CRITICAL
    assert refused(ask(device(), pump, override=override())) is Protects.LIFE_CRITICAL


def test_unknown_devices_are_protected_where_medical_ones_are() -> None:
    for medical in (True, None):
        assert refused(ask(device(None), medical=medical)) is Protects.UNKNOWN_KIND
        assert refused(ask(device("printer", confidence=0.5), medical=medical)) is Protects.UNKNOWN_KIND
    speaks = device(None, conversations=(talk("hl7", 90_000),))
    assert refused(ask(speaks, medical=False)) is Protects.UNKNOWN_KIND
    told = device(None, ledger=(fact("dicom.ae_title", "CT1", 90_000),))
    assert refused(ask(told, medical=False)) is Protects.UNKNOWN_KIND
    unknown = idle(device(None), state=Use.UNKNOWN)
    assert refused(ask(device(None), use=unknown)) is Protects.USE_UNKNOWN


def test_a_person_may_vouch_for_unknown_devices_of_a_subnet_without_medical_ones() -> None:
    vouched = Registry(grants=(msgspec.structs.replace(GRANT, categories=frozenset({"unknown"})),))
    unknown = idle(device(None), state=Use.UNKNOWN)
    assert isinstance(ask(device(None), registry=vouched, use=unknown), Permit)
    for medical in (True, None):
        assert (
            refused(ask(device(None), registry=vouched, use=unknown, medical=medical))
            is Protects.UNKNOWN_KIND
        )
    busy = idle(device(None), state=Use.YES)
    assert refused(ask(device(None), registry=vouched, use=busy)) is Protects.IN_USE
    known = idle(device("ultrasound"), state=Use.UNKNOWN)
    assert refused(ask(device("ultrasound"), registry=vouched, use=known)) is Protects.USE_UNKNOWN


def test_nobody_known_there() -> None:
    assert refused(ask()) is Protects.NOBODY_KNOWN
    permit = ask(override=override(device="10.0.0.7"))
    assert isinstance(permit, Permit)
    assert permit.medical
    assert refused(ask(override=override(device="10.0.0.8"))) is Protects.NOBODY_KNOWN


def test_who_was_not_heard_lately_may_have_left_its_address() -> None:
    assert isinstance(ask(device(last_seen=NOW - 14 * 60 * SECOND)), Permit)
    gone = device(last_seen=NOW - 16 * 60 * SECOND)
    assert refused(ask(gone)) is Protects.NOBODY_KNOWN
    assert isinstance(ask(gone, override=override()), Permit)
    enforce = Action(ActionKind.ENFORCE, "quarantine")
    assert refused(ask(gone, action=enforce)) is Protects.NOBODY_KNOWN


def test_an_override_is_named_reasoned_bounded_and_for_one_device_and_action() -> None:
    scanner = device("ultrasound")
    unknown = idle(scanner, state=Use.UNKNOWN)
    permit = ask(scanner, use=unknown, override=override())
    assert isinstance(permit, Permit)
    assert permit.override == "o-1"
    changes: list[dict[str, object]] = [
        {"who": " "},
        {"reason": ""},
        {"device": "d-2"},
        {"actions": frozenset({Action(ActionKind.PROBE, "tls_hello")})},
        {"until_ns": NOW},
        {"since_ns": NOW + 1},
        {"since_ns": NOW - 1, "until_ns": NOW + 25 * HOUR},
        {"lifts": frozenset({Protects.IN_USE})},
    ]
    for change in changes:
        assert refused(ask(scanner, use=unknown, override=override(**change))) is Protects.USE_UNKNOWN, change
    lifts_all = override(lifts=frozenset(Protects))
    assert refused(ask(scanner, registry=Registry(), override=lifts_all)) is Protects.NOT_SWITCHED_ON


def test_nobody_probes_a_life_critical_device_at_work() -> None:
    pump = device("infusion_pump")
    busy = idle(pump, state=Use.YES)
    assert refused(ask(pump, use=busy, override=override())) is Protects.IN_USE
    enforce = Action(ActionKind.ENFORCE, "quarantine")
    allowed = override(actions=frozenset({enforce}))
    assert refused(ask(pump, use=busy, action=enforce)) is Protects.LIFE_CRITICAL
    assert isinstance(ask(pump, use=busy, action=enforce, override=allowed), Permit)
    doubtful = device(runner_up="ventilator", runner_up_confidence=0.3)
    assert refused(ask(doubtful, use=idle(doubtful, state=Use.YES), override=override())) is Protects.IN_USE
    nobody = device(None)
    assert refused(ask(nobody, use=idle(nobody, state=Use.YES), override=override())) is Protects.IN_USE


KINDS = st.sampled_from([*sorted(categories()), None, "no_such_kind"])


@given(
    KINDS, KINDS, st.floats(0, 1), st.floats(0, 1), st.sampled_from(Use), st.booleans(), st.booleans(),
    st.sampled_from([True, False, None]), st.sets(st.sampled_from(sorted(categories())), max_size=4),
)  # fmt: skip
def test_no_permit_without_reason(
    category: str | None,
    second: str | None,
    sure: float,
    second_sure: float,
    state: Use,
    on: bool,
    overridden: bool,
    medical: bool | None,
    listed: set[str],
) -> None:
    some = device(category, confidence=sure, runner_up=second, runner_up_confidence=second_sure)
    grants = (msgspec.structs.replace(GRANT, categories=frozenset(listed)),) if on else ()
    lifted = override() if overridden else None
    outcome = decide(
        request(some, medical=medical), Registry(grants=grants), idle(some, state=state), lifted, NOW
    )
    if isinstance(outcome, Refusal):
        return
    assert on
    labels = {category} | ({second} if second_sure >= 0.1 else set())
    critical = [x for x in labels if x and (x not in categories() or categories()[x].criticality >= 4)]
    if not overridden:
        assert state is Use.NO or ("unknown" in listed and state is Use.UNKNOWN and medical is False)
        assert set(critical) <= listed
        assert medical is False or (category is not None and sure >= 0.8)
    if state is Use.YES:
        assert overridden
        assert not critical


def test_enforcers_need_no_subnet_but_everything_else() -> None:
    enforce = Action(ActionKind.ENFORCE, "quarantine")
    assert isinstance(ask(device(), registry=Registry(), action=enforce), Permit)
    assert refused(ask(device("ct"), registry=Registry(), action=enforce)) is Protects.LIFE_CRITICAL
    assert (
        refused(decide(Request(enforce, Target("main", "10.0.0.7"), ()), ON, {}, None, NOW))
        is Protects.NOBODY_KNOWN
    )


def test_subnets_are_written_in_one_form() -> None:
    assert check_network("10.0.0.9/24") == "10.0.0.0/24"
    for wrong in ("10.0.0.0/33", "here", "224.0.0.0/4"):
        with pytest.raises(ConfigurationError):
            check_network(wrong)
