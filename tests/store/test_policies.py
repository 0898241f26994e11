from __future__ import annotations

import msgspec
import pytest

from medwarden.kernel.errors import ConfigurationError
from medwarden.model.policy import Direction, Peer, Policy, PolicyRule, PolicyState
from medwarden.store import queries as q
from medwarden.store.changes import Change
from medwarden.store.ingest import IngestWriter
from medwarden.store.models import AuditEntry
from medwarden.store.open import Store
from medwarden.store.policies import record_policy, set_policy_state

from .conftest import DeltaMaker

MAIN = q.Scope()


def policy(*ports: int, flows: int = 1) -> Policy:
    rules = tuple(
        PolicyRule(Direction.TO_PEER, Peer("category", "pacs", "PACS"), "tcp", p, "dicom", flows, 9, 1, 2)
        for p in ports
    )
    return Policy("p-1", "category", "ct", "CT", PolicyState.LEARNT, 0, rules, 1, 2, ("d-1",))


def learn(value: Policy) -> Policy:
    with Change("user:anna", "learn", site="main") as change:
        return record_policy(change, value)


def move(state: PolicyState) -> Policy:
    with Change("user:anna", f"to {state}", site="main") as change:
        return set_policy_state(change, "p-1", state)


def test_versions_follow_what_is_allowed_not_how_often(store: Store) -> None:
    assert learn(policy(104)).version == 1
    assert learn(policy(104, flows=7)).version == 1
    assert learn(policy(104, 443)).version == 2
    standing = q.policy(MAIN, "p-1")
    assert standing is not None
    assert standing == msgspec.structs.replace(policy(104, 443), version=2)
    first = q.policy(MAIN, "p-1", version=1)
    assert first is not None
    assert [rule.flows for rule in first.rules] == [7]
    actions = AuditEntry.objects.filter(subject="policy:p-1").values_list("action", flat=True)
    assert list(actions) == ["policy.version", "policy.version"]
    (row,) = q.policies(MAIN, subject="ct")
    assert (row.version, row.rules, row.devices, row.state) == (2, 2, 1, "learnt")


def test_states_go_forth_and_back_and_keep_their_history(store: Store) -> None:
    learn(policy(104))
    for state in (PolicyState.APPROVED, PolicyState.CANARY, PolicyState.APPROVED):
        assert move(state).state is state
    assert [(s.version, s.state) for s in q.policy_history(MAIN, "p-1")] == [
        (1, "learnt"),
        (1, "approved"),
        (1, "canary"),
        (1, "approved"),
    ]
    with pytest.raises(ConfigurationError, match="approved cannot become enforced"):
        move(PolicyState.ENFORCED)
    assert learn(policy(104, flows=9)).state is PolicyState.APPROVED
    assert learn(policy(105)).state is PolicyState.LEARNT
    assert q.policies(q.Scope("other")) == []
    assert q.policy(q.Scope("other"), "p-1") is None


def test_a_policy_is_of_the_site_of_its_devices_whoever_learns_or_moves_it(
    store: Store, heard: DeltaMaker
) -> None:
    for site in ("north", "south"):
        writer = IngestWriter(store, f"s-{site}", site=site)
        delta = heard(1, 2, site=site)
        writer.commit_batch(writer.begin_input("c1", "a.pcap", "pcap"), 0, None, None, delta)
    of_south = msgspec.structs.replace(policy(104), devices=("d-south-1", "d-south-2"))
    with Change("user:anna", "learn") as change:
        record_policy(change, of_south)
    with Change("user:anna", "approve") as change:
        set_policy_state(change, "p-1", PolicyState.APPROVED)
    (row,) = q.policies(q.Scope(sites=("south",)))
    assert (row.site, row.state) == ("south", "approved")
    assert len(q.policy_history(q.Scope(sites=("south",)), "p-1")) == 2
    for elsewhere in ("main", "north"):
        assert q.policies(q.Scope(sites=(elsewhere,))) == []
        assert q.policy(q.Scope(sites=(elsewhere,)), "p-1") is None
    of_both = msgspec.structs.replace(of_south, id="p-2", devices=("d-north-1", "d-south-1"))
    with (
        pytest.raises(ConfigurationError, match=r"at 2 sites \(north, south\): choose one"),
        Change("user:anna", "learn") as change,
    ):
        record_policy(change, of_both)
