from __future__ import annotations

from collections.abc import Iterable

import pytest
from tests.operations.wards import HOUR, NOW, SNMP, device, idle, request

from medwarden.kernel.errors import ConfigurationError
from medwarden.knowledge.taxonomy import categories
from medwarden.model.role import GRANTS, Permission, Role
from medwarden.operations.interlock import EntryKind, Protects, Refusal, decide
from medwarden.operations.permit import Action, ActionKind, Permit
from medwarden.store.changes import Change
from medwarden.store.models import AuditEntry, ProbeLog, User
from medwarden.store.open import Store, ensure_site
from medwarden.store.probe_log import Aimed, log_outcome, log_refused, log_sending
from medwarden.store.probing import (
    override,
    override_for,
    protect,
    registry,
    require,
    revoke,
    switch_off,
    switch_on,
    unprotect,
)
from medwarden.store.queries import Scope
from medwarden.store.queries.probing import ProbeFilter, overrides, probe_log, probe_subnets, protections

PROBERS = ("snmp_get", "tls_hello")
MAIN = Scope()


def by(who: str = "user:nina", reason: str = "find printers", now: int = NOW) -> Change:
    return Change(who, reason, site="main", clock=lambda: now)


def on(network: str = "10.0.0.0/24", listed: Iterable[str] = ()) -> str:
    with by() as change:
        return switch_on(
            change,
            network,
            probers=["snmp_get"],
            known_probers=PROBERS,
            listed=listed,
        ).id


def answer(now: int = NOW + 1) -> Permit | Refusal:
    return decide(request(device()), registry("default", "main"), idle(device()), None, now)


def actions() -> list[str]:
    rows = AuditEntry.objects.filter(action__startswith="probing.").order_by("sequence")
    return list(rows.values_list("action", flat=True))


def test_nothing_is_on_until_somebody_says_so_and_off_again_at_a_word(store: Store) -> None:
    outcome = answer()
    assert isinstance(outcome, Refusal)
    assert outcome.protects is Protects.NOT_SWITCHED_ON
    identifier = on("10.0.0.9/24")
    assert isinstance(answer(), Permit)
    (row,) = probe_subnets(MAIN).items
    assert (row.id, row.network, row.probers, row.who, row.reason) == (
        identifier, "10.0.0.0/24", ["snmp_get"], "user:nina", "find printers",
    )  # fmt: skip
    with by() as change:
        switch_off(change, "10.0.0.0/24")
    assert isinstance(answer(), Refusal)
    assert probe_subnets(MAIN).total == 0
    assert probe_subnets(MAIN, ended=True).items[0].removed_by == "user:nina"
    assert actions() == ["probing.switched_on", "probing.switched_off"]
    with pytest.raises(ConfigurationError, match="is not on"), by() as change:
        switch_off(change, identifier)


@pytest.mark.parametrize(
    ("network", "change_of", "says"),
    [
        ("10.0.0.0/8", {}, "too wide"),
        ("::/0", {}, "too wide"),
        ("here", {}, "no subnet"),
        ("10.0.0.0/24", {"probers": ["nmap"]}, "no prober 'nmap'"),
        ("10.0.0.0/24", {"probers": []}, "at least one prober"),
        ("10.0.0.0/24", {"hours": [24]}, "no hour '24'"),
        ("10.0.0.0/24", {"hours": []}, "one hour"),
        ("10.0.0.0/24", {"listed": ["pumps"]}, "no category 'pumps'"),
        ("10.0.0.0/24", {"per_minute": 0}, "rate of 1 to"),
        ("10.0.0.0/24", {"per_minute": 100_000}, "rate of 1 to"),
        ("10.0.0.0/24", {"until_ns": NOW}, "in the past"),
    ],
)
def test_what_cannot_be_switched_on(
    store: Store, network: str, change_of: dict[str, object], says: str
) -> None:
    values: dict[str, object] = {"probers": ["snmp_get"], "known_probers": PROBERS} | change_of
    with pytest.raises(ConfigurationError, match=says), by() as change:
        switch_on(change, network, **values)  # type: ignore[arg-type]
    assert probe_subnets(MAIN, ended=True).total == 0
    with pytest.raises(ConfigurationError, match="say why"), by(reason=" ") as change:
        switch_on(change, "10.0.0.0/24", probers=["snmp_get"], known_probers=PROBERS)


def test_the_registry_protects_at_one_site_or_all_until_it_is_ended(store: Store) -> None:
    ensure_site("default", "north")
    on()
    with by("user:ben", "recall 12") as change:
        entry = protect(change, EntryKind.MAC, "02-00-00-00-00-07")
        protect(change, EntryKind.CATEGORY, "ct", site="north")
    assert entry.value == "02:00:00:00:00:07"
    outcome = answer()
    assert isinstance(outcome, Refusal)
    assert (outcome.protects, outcome.by) == (Protects.REGISTRY, "user:ben")
    assert {e.value for e in registry("default", "north").entries} == {"02:00:00:00:00:07", "ct"}
    assert {e.value for e in registry("default", "main").entries} == {"02:00:00:00:00:07"}
    assert registry("other", "main").entries == ()
    north = Scope(sites=("north",))
    assert protections(north).total == 2
    assert protections(Scope(sites=("main",))).total == 1
    assert protections(MAIN, kind="ct").total == 0
    assert protections(MAIN, text="recall", sort="value", limit=1).total == 2
    with by("user:ben", "recall over") as change:
        unprotect(change, entry.id)
    assert isinstance(answer(), Permit)
    assert protections(MAIN).total == 1
    assert protections(MAIN, ended=True).total == 2
    with pytest.raises(ConfigurationError, match="no entry"), by() as change:
        unprotect(change, entry.id)
    with pytest.raises(ConfigurationError, match="cannot be sorted"):
        protections(MAIN, sort="password")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (EntryKind.MAC, "02:00"),
        (EntryKind.IP, "10.0.0"),
        (EntryKind.SUBNET, "x"),
        (EntryKind.CATEGORY, "pump"),
        (EntryKind.VENDOR, "  "),
        (EntryKind.MODEL, "Acme/"),
    ],
)
def test_an_entry_that_would_protect_nothing_is_refused(store: Store, kind: EntryKind, value: str) -> None:
    with pytest.raises(ConfigurationError), by() as change:
        protect(change, kind, value)
    assert protections(MAIN, ended=True).total == 0


def test_an_override_has_a_name_a_reason_and_an_end(store: Store) -> None:
    on(listed=sorted(categories()))
    with by("user:ben", "beside the scanner") as change:
        made = override(change, "d-1", actions=[SNMP], lifts=[Protects.USE_UNKNOWN], until_ns=NOW + HOUR)
    found = override_for("default", "main", "d-1", SNMP, NOW + 1)
    assert found == made
    assert override_for("default", "main", "d-1", SNMP, NOW + HOUR) is None
    assert override_for("default", "main", "d-1", SNMP, NOW - 1) is None
    assert override_for("default", "main", "d-2", SNMP, NOW + 1) is None
    assert override_for("default", "main", "d-1", Action(ActionKind.PROBE, "tls_hello"), NOW + 1) is None
    assert overrides(MAIN, device="d-1").items[0].who == "user:ben"
    with by() as change:
        revoke(change, made.id)
    assert override_for("default", "main", "d-1", SNMP, NOW + 1) is None
    assert actions()[-2:] == ["probing.override", "probing.override_revoked"]
    for until, lifts, says in (
        (NOW + 25 * HOUR, [Protects.IN_USE], "at most 24 hours"),
        (NOW, [Protects.IN_USE], "past"),
        (NOW + HOUR, [Protects.REGISTRY], "what is lifted"),
        (NOW + HOUR, [], "what is lifted"),
    ):
        with pytest.raises(ConfigurationError, match=says), by() as change:
            override(change, "d-1", actions=[SNMP], lifts=lifts, until_ns=until)


def test_every_probe_leaves_a_line_before_it_is_sent(store: Store) -> None:
    aimed = Aimed("run-1", "d-1", "printer", "10.0.0.7", 161, "snmp_get")
    with by() as change:
        line = log_sending(change, aimed, permit="ab12", grant="ps-1", override="")
        log_refused(change, aimed, protects="in use", by="the patient", reason="printer is in use")
    assert ProbeLog.objects.get(pk=line).outcome == "sending"
    log_outcome(line, "answered", reason="", sent=40, received=90, took_ns=7, facts=3)
    page = probe_log(MAIN, ProbeFilter(outcome=("answered",)))
    assert [(r.sent_bytes, r.received_bytes, r.facts, r.permit) for r in page.items] == [(40, 90, 3, "ab12")]
    (refused,) = probe_log(MAIN, ProbeFilter(outcome=("refused",), device="d-1", since_ns=NOW)).items
    assert (refused.by, refused.reason) == ("the patient", "printer is in use")
    assert actions() == ["probing.sent"]
    assert probe_log(Scope("other")).total == 0
    assert probe_log(MAIN, sort="ip", limit=1, offset=1).total == 2


def test_who_may_do_what() -> None:
    def roles(permission: Permission) -> set[Role]:
        return {role for role, granted in GRANTS.items() if permission in granted}

    administrators, biomedical = {Role.ADMINISTRATOR}, Role.BIOMEDICAL_ENGINEER
    assert roles(Permission.ENABLE_PROBING) == administrators | {Role.NETWORK_ENGINEER}
    assert roles(Permission.PROTECT_DEVICE) == administrators | {
        Role.NETWORK_ENGINEER,
        Role.BIOMEDICAL_ENGINEER,
    }
    assert roles(Permission.OVERRIDE_INTERLOCK) == administrators | {biomedical}
    assert roles(Permission.EXPORT_RAW_CAPTURE) == administrators
    require(None, Permission.ENABLE_PROBING)
    ben = User(username="ben", role=biomedical.value)
    require(ben, Permission.PROTECT_DEVICE)
    with pytest.raises(ConfigurationError, match="ben is biomedical engineer and may not enable probing"):
        require(ben, Permission.ENABLE_PROBING)
