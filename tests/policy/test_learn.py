"""Learning rules: what is allowed, how widely, and what never is."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from medwarden.kernel.clock import NANOSECONDS
from medwarden.model.device import Conversation, Device, DeviceClass
from medwarden.model.policy import Direction, Policy
from medwarden.policy import learn_category, learn_device, replay

START = 1_750_000_000 * NANOSECONDS
DAY = 86_400 * NANOSECONDS


def call(
    port: int,
    application: str | None = None,
    *,
    role: str = "client",
    scope: str = "internal",
    peer: str | None = None,
    ip: str | None = None,
    name: str | None = None,
    transport: str = "tcp",
    established: bool = True,
    flows: int = 5,
    days: float = 20,
    device: str = "ct",
) -> Conversation:
    last = START + int(days * DAY)
    return Conversation(
        device,
        role,
        peer,
        ip,
        name,
        scope,
        transport,
        port,
        application,
        START,
        last,
        flows,
        50,
        100,
        200,
        established,
    )


def house(*conversations: Conversation, **others: str) -> dict[str, Device]:
    """A CT with ``conversations`` and further devices given as id=category."""
    ct = Device(
        id="ct",
        site="main",
        names=("CT-1",),
        device_class=DeviceClass.IOMT,
        category="ct",
        vendor="Siemens Healthineers",
        model="SOMATOM",
        conversations=conversations,
    )
    rest = {
        name: Device(
            id=name, site="main", names=(name.upper(),), category=category, device_class=DeviceClass.IOMT
        )
        for name, category in others.items()
    }
    return {"ct": ct, **rest}


def rules_of(policy: Policy) -> set[tuple[str, str, str, str, int | None, int | None]]:
    return {
        (r.direction.value, r.peer.kind, r.peer.value, r.transport, r.port, r.port_to) for r in policy.rules
    }


def learnt(devices: dict[str, Device]) -> Policy:
    return learn_device(devices["ct"], devices)


def test_a_known_peer_is_allowed_by_identity_with_its_counts() -> None:
    policy = learnt(house(call(104, "dicom", peer="arc", ip="10.0.0.7", flows=412), arc="pacs"))
    assert rules_of(policy) == {("to_peer", "device", "arc", "tcp", 104, None)}
    (rule,) = policy.rules
    assert (rule.peer.label, rule.application, rule.flows, rule.bytes) == ("ARC", "dicom", 412, 300)
    assert policy.devices == ("ct",)
    assert any("clear text: dicom to ARC" in note for note in policy.notes)
    assert not any("Observe at least" in note for note in policy.notes)


def test_three_peers_of_a_category_make_the_category() -> None:
    calls = [call(104, "dicom", peer=f"w{i}", role="server") for i in range(3)]
    two = learnt(house(*calls[:2], w0="dicom_workstation", w1="dicom_workstation", w2="dicom_workstation"))
    assert {r.peer.kind for r in two.rules} == {"device"}
    three = learnt(house(*calls, w0="dicom_workstation", w1="dicom_workstation", w2="dicom_workstation"))
    assert rules_of(three) == {("from_peer", "category", "dicom_workstation", "tcp", 104, None)}
    assert three.rules[0].flows == 15


def test_unidentified_peers_never_make_a_category() -> None:
    calls = [call(443, "tls", peer=f"u{i}") for i in range(5)]
    policy = learnt(house(*calls, **{f"u{i}": "unknown" for i in range(5)}))
    assert {r.peer.kind for r in policy.rules} == {"device"}


def test_unknown_addresses_of_one_subnet_make_the_subnet() -> None:
    policy = learnt(
        house(*(call(445, "smb", ip=f"10.9.8.{i}") for i in (3, 7, 200)), call(445, "smb", ip="10.9.9.1"))
    )
    assert rules_of(policy) == {
        ("to_peer", "subnet", "10.9.8.0/24", "tcp", 445, None),
        ("to_peer", "address", "10.9.9.1", "tcp", 445, None),
    }


def test_what_nobody_answered_is_not_learnt() -> None:
    policy = learnt(house(call(22, peer="arc", established=False), arc="pacs"))
    assert policy.rules == ()
    assert any("nobody answered (tcp/22)" in note for note in policy.notes)
    assert policy.notes[0].startswith("No answered conversation")


def test_one_way_services_are_learnt_although_nobody_answers() -> None:
    policy = learnt(house(call(514, "syslog", ip="10.0.0.5", transport="udp", established=False)))
    assert rules_of(policy) == {("to_peer", "address", "10.0.0.5", "udp", 514, None)}
    assert "one-way by design" in policy.rules[0].reason


def test_a_port_scan_is_not_learnt() -> None:
    scan = [call(port, role="server", peer="pc", established=port == 104) for port in range(90, 120)]
    policy = learnt(house(*scan, call(104, "dicom", role="server", peer="arc"), pc="workstation", arc="pacs"))
    assert rules_of(policy) == {("from_peer", "device", "arc", "tcp", 104, None)}
    assert any("port scans by 1 peer" in note for note in policy.notes)


def test_the_internet_is_allowed_by_name_or_pinned_never_at_large() -> None:
    named = call(443, "tls", scope="internet", ip="203.0.113.9", name="Updates.Example.org.")
    bare = call(443, "tls", scope="internet", ip="203.0.113.77")
    policy = learnt(house(named, bare))
    assert rules_of(policy) == {
        ("to_peer", "domain", "updates.example.org", "tcp", 443, None),
        ("to_peer", "address", "203.0.113.77", "tcp", 443, None),
    }
    many = [call(443, "tls", scope="internet", ip=f"203.0.113.{i}") for i in range(9)]
    policy = learnt(house(*many))
    assert policy.rules == ()
    assert any("9 internet addresses without a known name" in note for note in policy.notes)


def test_peers_that_cannot_be_told_apart_are_not_allowed_but_told() -> None:
    policy = learnt(house(call(443, "tls", scope="internet")))
    assert policy.rules == ()
    assert any("too many to tell apart (tcp/443)" in note for note in policy.notes)


def test_nothing_from_the_internet_is_allowed_in() -> None:
    policy = learnt(house(call(80, "http", role="server", scope="internet", ip="203.0.113.9")))
    assert policy.rules == ()
    assert any("came in from the internet (tcp/80)" in note for note in policy.notes)


def test_discovery_stands_apart() -> None:
    policy = learnt(
        house(
            call(5353, "mdns", scope="multicast", ip="224.0.0.251", transport="udp", established=False),
            call(67, "dhcp", scope="broadcast", ip="255.255.255.255", transport="udp", established=False),
        )
    )
    assert {(r.peer.kind, r.port) for r in policy.rules} == {("multicast", 5353), ("broadcast", 67)}


def test_changing_ports_become_a_range() -> None:
    policy = learnt(house(*(call(port, peer="arc") for port in (49201, 50111, 60222)), arc="pacs"))
    assert rules_of(policy) == {("to_peer", "device", "arc", "tcp", 49152, 65535)}
    few = learnt(house(*(call(port, peer="arc") for port in (49201, 50111)), arc="pacs"))
    assert {r.port for r in few.rules} == {49201, 50111}


def test_a_short_observation_is_said() -> None:
    policy = learnt(house(call(104, "dicom", peer="arc", days=0.5), arc="pacs"))
    assert any("12.0 hours" in note and "14 days" in note for note in policy.notes)


def test_a_category_policy_counts_its_devices() -> None:
    devices = house(arc="pacs")
    for i in range(4):
        calls = [call(104, "dicom", peer="arc", device=f"ct{i}")]
        if i == 0:
            calls.append(call(445, "smb", peer="arc", device="ct0"))
        devices[f"ct{i}"] = msgspec.structs.replace(devices["ct"], id=f"ct{i}", conversations=tuple(calls))
    policy = learn_category("ct", devices)
    by_port = {r.port: r for r in policy.rules}
    assert by_port[104].devices == 4
    assert by_port[104].flows == 20
    assert "1 of 5 devices" in by_port[445].reason
    assert set(policy.devices) == {"ct", "ct0", "ct1", "ct2", "ct3"}
    assert policy.title == "CT scanner"


def test_the_same_traffic_gives_the_same_policy() -> None:
    devices = house(
        call(104, "dicom", peer="arc"), call(53, "dns", peer="dc", transport="udp"), arc="pacs", dc="server"
    )
    turned = dict(devices)
    turned["ct"] = msgspec.structs.replace(devices["ct"], conversations=devices["ct"].conversations[::-1])
    assert learnt(devices) == learnt(turned)


CONVERSATIONS = st.builds(
    call,
    st.sampled_from([22, 53, 80, 104, 443, 445, 514, 2575, 40001, 50001, 50002, 50003, 60000]),
    st.sampled_from(["dicom", "hl7", "tls", None]),
    role=st.sampled_from(["client", "server"]),
    scope=st.sampled_from(["internal", "internet", "multicast", "broadcast"]),
    peer=st.sampled_from([None, "arc", "dc", "w1", "w2", "w3", "gone"]),
    ip=st.sampled_from([None, "10.0.0.1", "10.0.0.2", "10.0.0.3", "203.0.113.5", "fe80::1", "224.0.0.251"]),
    name=st.sampled_from([None, "a.example.org", "B.example.org"]),
    transport=st.sampled_from(["tcp", "udp", "icmp"]),
    established=st.booleans(),
)


@given(st.lists(CONVERSATIONS, max_size=40))
def test_a_policy_permits_what_it_was_learnt_from_and_never_the_internet_at_large(
    calls: list[Conversation],
) -> None:
    devices = house(*calls, arc="pacs", dc="server", w1="workstation", w2="workstation", w3="workstation")
    policy = learnt(devices)
    assert all(r.peer.kind != "internet" for r in policy.rules)
    assert all(r.flows > 0 and r.first_seen <= r.last_seen for r in policy.rules)
    run = replay(policy, [devices["ct"]], devices)
    assert run.allowed + run.blocked + run.unanswered == run.conversations == len(calls)
    for broken in run.breaks:
        # All that a dry run over the very same traffic may break is what is left out on purpose.
        assert (
            broken.direction is Direction.FROM_PEER or "203.0.113" in broken.peer or "unknown" in broken.peer
        )
    assert run.unused == ()
