"""Who said it: devices from evidence and flows."""

from __future__ import annotations

import random
from collections.abc import Callable

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.inventory.identity import MOST_VALUES, Resolver
from medwarden.model.evidence import Evidence
from medwarden.model.inventory_delta import BindingSource, InventoryDelta, KeyKind

T0 = 1_700_000_000_000_000_000
HOUR = 3600 * 1_000_000_000

PUMP, GATE, PC = "00:09:fb:00:00:01", "00:1b:21:00:00:fe", "00:1b:21:00:00:02"

Fact = Callable[..., Evidence]
Flows = Callable[..., pa.Table]


def _of(delta: InventoryDelta, field: str) -> list[tuple[str, str]]:
    return [(e.device, e.value) for e in delta.ledger if e.field == field]


def _by_mac(delta: InventoryDelta) -> dict[str, str]:
    return {i.mac: i.device for i in delta.interfaces}


def test_a_device_is_its_interface(fact: Fact) -> None:
    resolver = Resolver()
    resolver.evidence(
        [fact("arp.ip", "10.0.0.5", PUMP, "10.0.0.5"), fact("dhcp.host_name", "pump", PUMP, "0.0.0.0")]
    )
    delta = resolver.delta()
    assert [(d.kind, d.new, d.gateway) for d in delta.devices] == [(KeyKind.MAC, True, False)]
    assert [(a.ip, a.source, a.current) for a in delta.addresses] == [("10.0.0.5", BindingSource.ARP, True)]
    assert len(_of(delta, "dhcp.host_name")) == 1
    assert resolver.delta().empty()


def test_ids_depend_on_site_and_address_alone(fact: Fact) -> None:
    one, two, elsewhere = Resolver("a"), Resolver("a"), Resolver("b")
    one.evidence([fact("http.server", "x", PUMP, "10.0.0.5", at=1)])
    two.evidence([fact("dhcp.host_name", "pump", PUMP, None, at=9), fact("http.server", "y", PC, "10.0.0.6")])
    elsewhere.evidence([fact("http.server", "x", PUMP, "10.0.0.5", at=1)])
    first, second, third = one.delta(), two.delta(), elsewhere.delta()
    assert _by_mac(first)[PUMP] == _by_mac(second)[PUMP]
    assert _by_mac(first)[PUMP] != _by_mac(third)[PUMP]


def test_group_and_zero_addresses_are_nobody(fact: Fact) -> None:
    resolver = Resolver()
    resolver.evidence(
        [
            fact("mdns.query", "x", "01:00:5e:00:00:fb", "224.0.0.251"),
            fact("dhcp.host_name", "x", "00:00:00:00:00:00", None),
            fact("http.server", "x", PC, "255.255.255.255"),
            fact("http.server", "x", None, None),
        ]
    )
    delta = resolver.delta()
    assert delta.empty()
    assert sum(delta.ignored.values()) == 4


def test_internet_addresses_are_peers_not_devices(fact: Fact, flows: Flows) -> None:
    resolver = Resolver()
    resolver.evidence(
        [
            fact("arp.ip", "10.0.0.5", PUMP, "10.0.0.5"),
            fact("arp.ip", "10.0.0.1", GATE, "10.0.0.1"),
            fact("http.server", "nginx", GATE, "93.184.216.34"),
            fact("dns.resolved", "example.com=93.184.216.34", PUMP, "10.0.0.5"),
        ]
    )
    resolver.flows(
        flows(
            {
                "client_mac": PUMP,
                "client_ip": "10.0.0.5",
                "server_mac": GATE,
                "server_ip": "93.184.216.34",
                "ttl_in": 54,
            }
        )
    )
    delta = resolver.delta()
    assert len(delta.devices) == 2
    assert {d.id: d.gateway for d in delta.devices} == {
        _by_mac(delta)[PUMP]: False,
        _by_mac(delta)[GATE]: True,
    }
    assert not _of(delta, "http.server")
    assert delta.ignored == {"said on the internet": 1}
    talk = next(c for c in delta.conversations if c.scope == "internet")
    assert (talk.device, talk.peer_device, talk.peer_ip, talk.peer_name) == (
        _by_mac(delta)[PUMP],
        None,
        "93.184.216.34",
        "example.com",
    )


def test_behind_a_gateway_devices_are_their_addresses(fact: Fact, flows: Flows) -> None:
    resolver = Resolver()
    resolver.evidence(
        [fact("arp.ip", "10.0.0.1", GATE, "10.0.0.1"), fact("dicom.ae_title", "PACS", GATE, "10.9.0.7")]
    )
    resolver.flows(
        flows(
            {
                "client_mac": PUMP,
                "client_ip": "10.0.0.5",
                "server_mac": GATE,
                "server_ip": "10.9.0.7",
                "ttl_in": 63,
            }
        )
    )
    delta = resolver.delta()
    kinds = {d.id: d.kind for d in delta.devices}
    ((speaker, _),) = _of(delta, "dicom.ae_title")
    assert kinds[speaker] is KeyKind.IP
    assert speaker != _by_mac(delta)[GATE]


def test_a_gateway_is_found_in_the_same_round_whatever_the_order(fact: Fact, flows: Flows) -> None:
    # The fact is heard before anything shows that its frame was forwarded.
    resolver = Resolver()
    resolver.evidence([fact("dicom.ae_title", "PACS", GATE, "10.9.0.7")])
    resolver.flows(
        flows(
            {
                "client_mac": GATE,
                "client_ip": "10.9.0.7",
                "server_mac": PUMP,
                "server_ip": "10.0.0.5",
                "ttl_out": 126,
            }
        )
    )
    delta = resolver.delta()
    ((speaker, _),) = _of(delta, "dicom.ae_title")
    assert speaker != _by_mac(delta)[GATE]


def test_many_addresses_behind_one_interface_make_it_a_gateway(fact: Fact) -> None:
    resolver = Resolver()
    resolver.evidence([fact("http.server", "x", GATE, f"10.0.{i}.9") for i in range(20)])
    delta = resolver.delta()
    assert any(d.gateway for d in delta.devices)
    assert ("flow.gateway", "yes") in {(e.field, e.value) for e in delta.ledger}


def test_an_address_becomes_its_interface(fact: Fact) -> None:
    resolver = Resolver()
    resolver.evidence([fact("syslog.host_name", "pump", None, "10.0.0.5")], "log")
    before = resolver.delta()
    ((old, _),) = _of(before, "syslog.host_name")
    resolver.evidence([fact("arp.ip", "10.0.0.5", PUMP, "10.0.0.5", at=60)])
    after = resolver.delta()
    kept = _by_mac(after)[PUMP]
    assert [(m.gone, m.kept) for m in after.merges] == [(old, kept)]
    resolver.evidence([fact("syslog.host_name", "pump", None, "10.0.0.5", at=90)], "log")
    assert _of(resolver.delta(), "syslog.host_name") == [(kept, "pump")]


def test_a_merged_id_never_comes_back(fact: Fact) -> None:
    resolver = Resolver()
    resolver.evidence([fact("syslog.host_name", "pump", None, "10.0.0.5")])
    resolver.delta()
    resolver.evidence([fact("arp.ip", "10.0.0.5", PUMP, "10.0.0.5", at=60)])
    gone = resolver.delta().merges[0].gone
    # A week later nothing says any more that the pump still has the address.
    resolver.evidence([fact("syslog.host_name", "other", None, "10.0.0.5", at=7 * 86400)])
    (device,) = resolver.delta().devices
    assert device.kind is KeyKind.IP
    assert device.id != gone


def test_an_address_moves_with_its_lease(fact: Fact) -> None:
    resolver = Resolver()
    resolver.evidence([fact("dhcp.address", "10.0.0.5", PUMP, "10.0.0.5", at=0)])
    resolver.evidence([fact("dhcp.address", "10.0.0.5", PC, "10.0.0.5", at=7200)])
    delta = resolver.delta()
    assert {(a.mac, a.current) for a in delta.addresses} == {(PUMP, False), (PC, True)}
    assert resolver.owner(None, "10.0.0.5", T0) == _by_mac(delta)[PUMP]
    assert resolver.owner(None, "10.0.0.5", T0 + 2 * HOUR) == _by_mac(delta)[PC]


def test_randomised_and_virtual_interfaces_are_flagged(fact: Fact) -> None:
    resolver = Resolver()
    resolver.evidence(
        [
            fact("dhcp.host_name", "iPhone", "da:a1:19:00:00:01", None),
            fact("arp.ip", "10.0.0.1", "00:00:5e:00:01:0a", "10.0.0.1"),
        ]
    )
    delta = resolver.delta()
    flags = {i.mac: (i.randomised, i.virtual) for i in delta.interfaces}
    assert flags == {"da:a1:19:00:00:01": (True, False), "00:00:5e:00:01:0a": (False, True)}


def test_a_scan_makes_no_devices(flows: Flows) -> None:
    resolver = Resolver()
    silent = {
        "packets_in": 0,
        "bytes_in": 0,
        "payload_in": 0,
        "payload_out": 0,
        "tcp_flags_in": 0,
        "ttl_in": 0,
    }
    resolver.flows(
        flows(
            *(
                {
                    "flow_id": i,
                    "client_mac": PC,
                    "client_ip": "10.0.0.6",
                    "server_ip": f"10.0.1.{i}",
                    **silent,
                }
                for i in range(1, 200)
            )
        )
    )
    delta = resolver.delta()
    assert len(delta.devices) == 1
    assert not delta.services


def test_what_others_tell_of_an_address_makes_no_device(fact: Fact) -> None:
    resolver = Resolver()
    resolver.evidence([fact("dns.name", "pacs.example.org", None, "10.0.0.9")])
    assert resolver.delta().empty()
    resolver.evidence([fact("arp.ip", "10.0.0.9", PC, "10.0.0.9", at=1)])
    delta = resolver.delta()
    assert _of(delta, "dns.name") == [(_by_mac(delta)[PC], "pacs.example.org")]


def test_own_public_networks(fact: Fact) -> None:
    resolver = Resolver(networks=("141.44.0.0/16",))
    resolver.evidence(
        [fact("syslog.host_name", "x", None, "141.44.1.2"), fact("syslog.host_name", "y", None, "8.8.8.8")]
    )
    assert len(resolver.delta().devices) == 1


def test_values_of_a_field_are_bounded(fact: Fact) -> None:
    resolver = Resolver()
    resolver.evidence([fact("dns.query", f"{i}.example.org", PC, "10.0.0.6") for i in range(500)])
    delta = resolver.delta()
    assert len(_of(delta, "dns.query")) == MOST_VALUES
    assert sum(delta.ignored.values()) == 500 - MOST_VALUES


def test_the_bound_of_values_outlives_a_restart(fact: Fact) -> None:
    resolver = Resolver()
    said = [fact("dns.query", f"{i}.example.org", PC, "10.0.0.6") for i in range(MOST_VALUES)]
    resolver.evidence(said)
    stored = resolver.delta()
    again = Resolver()
    again.restore(stored)
    again.evidence([said[0], fact("dns.query", "new.example.org", PC, "10.0.0.6")])
    assert [value for _, value in _of(again.delta(), "dns.query")] == ["0.example.org"]


def test_names_of_addresses_are_renewed_when_there_are_too_many(
    fact: Fact, flows: Flows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medwarden.inventory.identity._MOST_NAMES", 2)
    resolver = Resolver()
    resolver.evidence([fact("dns.resolved", f"{i}.example.org=8.8.8.{i}", PC, "10.0.0.6") for i in range(5)])
    resolver.flows(flows({"client_mac": PC, "client_ip": "10.0.0.6", "server_ip": "8.8.8.4"}))
    assert {talk.peer_name for talk in resolver.delta().conversations} == {"4.example.org"}


def test_counted_evidence_is_the_same_as_single(fact: Fact) -> None:
    one, two = Resolver(), Resolver()
    said = [fact("http.server", "x", PC, "10.0.0.6", at=i) for i in range(3)]
    one.evidence(said, "s")
    two.counted_evidence([(said[0], said[2].ts_ns, 3)], "s")
    assert one.delta() == two.delta()


def test_a_restored_resolver_goes_on_where_it_was(fact: Fact, flows: Flows) -> None:
    resolver = Resolver()
    talk = {"client_mac": PUMP, "client_ip": "10.0.0.5", "server_mac": PC, "server_ip": "10.0.0.6"}
    resolver.evidence(
        [fact("arp.ip", "10.0.0.5", PUMP, "10.0.0.5"), fact("arp.ip", "10.0.0.6", PC, "10.0.0.6")]
    )
    resolver.flows(flows(talk))
    stored = resolver.delta()
    again = Resolver()
    again.restore(stored)
    for one in (resolver, again):
        one.evidence([fact("http.server", "x", None, "10.0.0.6", at=60)])
        one.flows(flows({**talk, "flow_id": 2}))
    assert resolver.delta() == again.delta()
    assert not [d for d in again.delta().devices if d.new]


_SAID = st.tuples(
    st.sampled_from([PUMP, PC, GATE, None]),
    st.sampled_from(["10.0.0.5", "10.0.0.6", "10.0.0.1", "10.9.0.7", "8.8.8.8", "fe80::1", None]),
    st.sampled_from(
        [
            ("arp.ip", None),
            ("http.server", "a"),
            ("http.server", "b"),
            ("dhcp.host_name", "h"),
            ("dns.name", "n"),
        ]
    ),
    st.integers(min_value=0, max_value=50),
)


def _evidence(said: list[tuple[str | None, str | None, tuple[str, str | None], int]]) -> list[Evidence]:
    return [
        Evidence(T0 + at, mac, ip, None, field, value or ip or "x", field.partition(".")[0])
        for mac, ip, (field, value), at in said
    ]


@given(st.lists(_SAID, max_size=40), st.randoms(use_true_random=False))
def test_order_within_a_round_does_not_matter(
    said: list[tuple[str | None, str | None, tuple[str, str | None], int]], rng: random.Random
) -> None:
    batch = _evidence(said)
    shuffled = list(batch)
    rng.shuffle(shuffled)
    one, two = Resolver(), Resolver()
    one.evidence(batch)
    two.evidence(shuffled)
    assert one.delta() == two.delta()


@given(st.lists(st.lists(_SAID, max_size=10), max_size=5))
def test_every_id_was_announced_and_none_came_back(
    rounds: list[list[tuple[str | None, str | None, tuple[str, str | None], int]]],
) -> None:
    resolver = Resolver()
    known: set[str] = set()
    gone: set[str] = set()
    entries = 0
    for said in rounds:
        resolver.evidence(_evidence(said))
        delta = resolver.delta()
        gone |= {merge.gone for merge in delta.merges}
        for device in delta.devices:
            assert device.new is (device.id not in known)
            known.add(device.id)
        used: set[str] = {e.device for e in delta.ledger} | {a.device for a in delta.addresses}
        used |= {i.device for i in delta.interfaces} | {m.kept for m in delta.merges}
        assert used <= known
        assert not (used | {d.id for d in delta.devices}) & gone
        entries += sum(entry.count for entry in delta.ledger) + sum(delta.ignored.values())
    assert entries <= sum(len(said) for said in rounds) + len(known)


@given(st.lists(_SAID, max_size=30))
def test_a_replay_finds_the_same_devices(
    said: list[tuple[str | None, str | None, tuple[str, str | None], int]],
) -> None:
    batch = _evidence(said)
    resolver = Resolver()
    resolver.evidence(batch)
    first = resolver.delta()
    resolver.evidence(batch)
    second = resolver.delta()
    assert {d.id for d in second.devices} <= {d.id for d in first.devices} | {m.kept for m in second.merges}
    assert not [d for d in second.devices if d.new]
