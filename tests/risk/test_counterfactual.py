"""What would help: the answer is the score of the device as it is after the change was really made."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medwarden.model.device import Conversation, Device, DeviceClass, Service
from medwarden.model.evidence import LedgerEntry
from medwarden.model.finding import FindingKind, Severity
from medwarden.model.mds2 import Claim, DeclaredPort, Disclosure, Edition
from medwarden.model.vulnerability import Cvss, MatchState
from medwarden.risk.assess import assess_device
from medwarden.risk.context import (
    AtWork,
    DeviceRecord,
    KnownVulnerability,
    LiveFinding,
    PolicyInForce,
    RiskContext,
    SupportEnd,
)
from medwarden.risk.counterfactual import Action, ActionKind, actions_for, nothing_allowed, what_if

NOW = 1_790_000_000 * 10**9
HOUR = 3600 * 10**9
APPS = [("telnet", 23), ("vnc", 5900), ("dicom", 104), ("http", 80), ("smb", 445), ("snmp", 161)]
FIELDS = {
    "telnet": ("telnet.banner", "login"),
    "dicom": ("dicom.patient_data", "yes"),
    "http": ("http.auth_scheme", "basic"),
    "smb": ("smb.dialect", "NT LM 0.12"),
    "snmp": ("snmp.community", "public"),
}
CLAIMED = (
    "anti_malware", "encrypted_at_rest", "encrypted_in_transit", "external_communication", "login_required",
    "owner_patches", "passwords_changeable", "phi_outside", "remote_patching", "remote_service",
    "services_closed", "shared_accounts", "unique_accounts", "vendor_patches_only",
)  # fmt: skip
VECTORS = (
    "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
    "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N",
    "AV:N/AC:L/Au:N/C:P/I:P/A:P",
)


def call(app: str, port: int, role: str, peer: int, scope: str = "internal") -> Conversation:
    return Conversation(
        device="d1", role=role, peer_device=f"p{peer}" if scope == "internal" else None,
        peer_ip=f"10.0.0.{peer}" if scope == "internal" else f"203.0.113.{peer}", peer_name=None,
        scope=scope, transport="tcp", port=port, application=app, first_seen=NOW - HOUR,
        last_seen=NOW - HOUR // 2, flows=3, packets=9, bytes_sent=100, bytes_received=100, established=True,
    )  # fmt: skip


def peer(number: int, kind: DeviceClass, subnet: str = "10.0.0.0/24") -> Device:
    return Device(id=f"p{number}", site="main", device_class=kind, subnet=subnet, last_seen=NOW)


PEERS = [
    *(peer(n, DeviceClass.IT) for n in range(1, 4)),
    *(peer(n, DeviceClass.IOMT, "10.9.0.0/24") for n in range(4, 9)),
]


def as_device(offered: list[int], used: list[int], internet: bool) -> Device:
    """Return a pump that offers some services (heard with their facts) and uses others."""
    services = [APPS[i] for i in offered]
    clients = [APPS[i] for i in used]
    heard = {app for app, _ in services} | {app for app, _ in clients} | ({"http"} if internet else set())
    return Device(
        id="d1", site="main", names=("pump-1",), device_class=DeviceClass.IOMT, category="infusion_pump",
        subnet="10.0.0.0/24", phi=True, managed=False, first_seen=NOW - HOUR, last_seen=NOW,
        services=tuple(
            Service("tcp", port, app, NOW - HOUR, NOW - 9, 1, 3, 200) for app, port in services
        ),
        conversations=(
            *(call(app, port, "server", 1 + port % 3) for app, port in services),
            *(call(app, port, "client", 2) for app, port in clients),
            *((call("http", 8080, "server", 7, "internet"),) if internet else ()),
        ),
        ledger=tuple(
            LedgerEntry(
                field=FIELDS[app][0], value=FIELDS[app][1], source=app, sensor="s", first_seen=NOW - HOUR,
                last_seen=NOW - 9, count=2,
            )
            for app in sorted(heard)
            if app in FIELDS
        ),
    )  # fmt: skip


def context_of(
    device: Device,
    known: tuple[KnownVulnerability, ...] = (),
    record: DeviceRecord | None = None,
    form: Disclosure | None = None,
) -> RiskContext:
    context = RiskContext.build([device, *PEERS], NOW, vulnerabilities={"d1": known})
    records = {} if record is None else {"d1": record}
    disclosures = {} if form is None else {"d1": form}
    return msgspec.structs.replace(context, records=records, disclosures=disclosures)


devices = st.tuples(
    st.lists(st.integers(0, len(APPS) - 1), unique=True),
    st.lists(st.integers(0, len(APPS) - 1), unique=True),
    st.booleans(),
)
weaknesses = st.lists(
    st.builds(
        KnownVulnerability,
        st.sampled_from(["CVE-1", "CVE-2", "CVE-3", "CVE-4"]),
        st.sampled_from([MatchState.CONFIRMED, MatchState.POTENTIAL]),
        st.just("because"),
        st.just(NOW - HOUR),
        st.floats(0, 10),
        st.booleans(),
        st.booleans(),
        st.none() | st.floats(0, 1),
        st.sampled_from(VECTORS).map(lambda v: (Cvss(v[5:8] if v[0] == "C" else "2.0", v, 9.8, "x"),)),
    ),
    max_size=5,
    unique_by=lambda one: one.vulnerability,
).map(tuple)

records = st.none() | st.builds(
    DeviceRecord,
    findings=st.lists(
        st.builds(
            LiveFinding, st.uuids().map(str), st.sampled_from(FindingKind), st.just("t"),
            st.sampled_from(Severity), st.just("a recall, a threat or a contradiction"), st.just(NOW - HOUR),
            st.just(NOW - 9),
        ),
        max_size=3,
    ).map(tuple),
    at_work=st.none() | st.just(AtWork("it spoke dicom", NOW - 9)),
    support=st.none() | st.builds(SupportEnd, st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.just("list")),
)  # fmt: skip
forms = st.none() | st.dictionaries(st.sampled_from(CLAIMED), st.none() | st.booleans()).map(
    lambda said: Disclosure(
        "f1", Edition.HN1_2019, "Maker", "Pump", ports=(DeclaredPort("tcp", 80),),
        claims={name: Claim(name, holds, "Q-1", "as written") for name, holds in said.items()},
    )
)  # fmt: skip
beside = st.tuples(weaknesses, records, forms)
"""What counts beside what the device does: vulnerabilities, recalls and threats, its maker's form."""

Beside = tuple[tuple[KnownVulnerability, ...], DeviceRecord | None, Disclosure | None]


@settings(deadline=None, max_examples=200)
@given(devices, beside)
def test_a_service_that_is_off_counts_as_one_that_never_was(
    drawn: tuple[list[int], list[int], bool], known: Beside
) -> None:
    offered, used, internet = drawn
    device = as_device(offered, used, internet)
    for at in offered:
        app, port = APPS[at]
        promised = what_if(
            device, context_of(device, *known), [Action(ActionKind.DISABLE_SERVICE, f"tcp/{port}")]
        )
        really = as_device([i for i in offered if i != at], used, internet)
        assert promised.after == assess_device(really, context_of(really, *known))[0], app


@settings(deadline=None, max_examples=200)
@given(devices, beside, st.data())
def test_what_is_patched_counts_as_what_never_concerned_it(
    drawn: tuple[list[int], list[int], bool], around: Beside, data: st.DataObject
) -> None:
    device, (known, record, form) = as_device(*drawn), around
    chosen = data.draw(st.sampled_from(["", *(one.vulnerability for one in known)]))
    left = tuple(one for one in known if chosen and one.vulnerability != chosen)
    promised = what_if(device, context_of(device, known, record, form), [Action(ActionKind.PATCH, chosen)])
    assert promised.after == assess_device(device, context_of(device, left, record, form))[0]
    assert promised.score <= promised.before.score


@settings(deadline=None, max_examples=200)
@given(devices, beside)
def test_isolating_and_enforcing_are_what_a_policy_in_force_does(
    drawn: tuple[list[int], list[int], bool], around: Beside
) -> None:
    device, (known, held, form) = as_device(*drawn), around
    context = context_of(device, known, held, form)
    isolated = what_if(device, context, [Action(ActionKind.ISOLATE)])
    record = msgspec.structs.replace(held or DeviceRecord(), policy=nothing_allowed(NOW))
    later = msgspec.structs.replace(device, last_seen=NOW + HOUR)
    assert isolated.after is not None
    really, _ = assess_device(later, context_of(later, known, record, form))
    assert (really.score, [f.id for f in really.factors]) == (
        isolated.score,
        [f.id for f in isolated.after.factors],
    )
    assert isolated.score <= isolated.before.score
    learnt = PolicyInForce("p", "Learnt", 0, "beyond", lambda c: c.scope == "internal", lambda _t, _p: True)
    enforced = what_if(device, context, [Action(ActionKind.ENFORCE)], learnt)
    assert isolated.score <= enforced.score <= enforced.before.score


@settings(deadline=None, max_examples=60)
@given(devices, beside)
def test_a_device_that_is_moved_counts_as_one_that_stands_there(
    drawn: tuple[list[int], list[int], bool], known: Beside
) -> None:
    device = as_device(*drawn)
    promised = what_if(device, context_of(device, *known), [Action(ActionKind.MOVE, "10.9.0.0/24")])
    really = msgspec.structs.replace(device, subnet="10.9.0.0/24")
    assert promised.after == assess_device(really, context_of(really, *known))[0]


def test_several_actions_are_taken_one_after_the_other_and_retiring_ends_it() -> None:
    device = as_device([0, 1, 4], [2], True)
    known = (KnownVulnerability("CVE-1", MatchState.CONFIRMED, "because", NOW, 9.8, True),)
    context = context_of(device, known)
    both = what_if(device, context, [Action(ActionKind.PATCH), Action(ActionKind.ISOLATE)])
    for action in (Action(ActionKind.PATCH), Action(ActionKind.ISOLATE)):
        assert both.score <= what_if(device, context, [action]).score
    assert both.cost == pytest.approx(4.0)
    assert "exploited_vulnerabilities" in both.gone
    assert "enforced_policy" in both.come
    retired = what_if(device, context, [Action(ActionKind.RETIRE), Action(ActionKind.PATCH)])
    assert (retired.after, retired.score, retired.level.value) == (None, 0, "none")


def test_only_what_makes_sense_is_offered() -> None:
    quiet = as_device([], [], False)
    assert actions_for(quiet, context_of(quiet)) == (Action(ActionKind.ISOLATE),)
    device = as_device([0], [], False)
    known = (KnownVulnerability("CVE-1", MatchState.CONFIRMED, "because", NOW, 9.8),)
    offered = actions_for(
        device, context_of(device, known), segments=["10.0.0.0/24", "10.9.0.0/24"], each_vulnerability=1
    )
    assert [(a.kind.value, a.subject) for a in offered] == [
        ("patch", ""), ("patch", "CVE-1"), ("disable_service", "tcp/23"), ("move", "10.9.0.0/24"),
        ("isolate", ""),
    ]  # fmt: skip
    assert all(action.words[0].isupper() for action in offered)
    held = context_of(device, known, DeviceRecord(policy=nothing_allowed(NOW)))
    assert ActionKind.ISOLATE not in {a.kind for a in actions_for(device, held)}


def test_a_policy_that_traffic_contradicts_lowers_nothing() -> None:
    device = as_device([0], [], False)
    before, _ = assess_device(device, context_of(device))
    long_ago = DeviceRecord(policy=nothing_allowed(NOW - 10 * HOUR))
    after, _ = assess_device(device, context_of(device, (), long_ago))
    assert after.score == before.score
    assert "enforced_policy" not in {f.id for f in after.factors}


def test_what_was_not_seen_for_long_no_longer_counts() -> None:
    old = as_device([0, 4], [], True)
    days = 366 * 24 * HOUR
    fresh = Service("tcp", 80, "http", NOW - HOUR, NOW + days, 1, 3, 200)
    later = msgspec.structs.replace(old, services=(*old.services, fresh), last_seen=NOW + days)
    before = {f.id for f in assess_device(old, context_of(old))[0].factors}
    after = {f.id for f in assess_device(later, context_of(later))[0].factors}
    assert "telnet_server" in before - after
    assert "inbound_internet" in before - after
    named_in_a_book = msgspec.structs.replace(old, last_seen=NOW + days)
    counted = assess_device(named_in_a_book, context_of(old))[0]
    assert {f.id: f.points for f in counted.factors} == {
        f.id: f.points for f in assess_device(old, context_of(old))[0].factors
    }
