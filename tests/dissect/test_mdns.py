from __future__ import annotations

from scapy.layers.dns import DNS, DNSRR, DNSRRSRV

from medwarden.dissect.mdns import Mdns, announcements, split_service
from medwarden.model.evidence import Evidence
from medwarden.model.segment import Segment, Transport


def _facts(message: DNS, ip: str = "192.0.2.10", ts_ns: int = 5) -> list[Evidence]:
    segment = Segment(
        ts_ns, 1, Transport.UDP, "02:00:00:00:00:10", "01:00:5e:00:00:fb", ip, "224.0.0.251", 5353, 5353,
        None, True, bytes(message),
    )  # fmt: skip
    return Mdns().feed(segment)


def _service(instance: str, host: str, *addresses: tuple[str, str]) -> DNS:
    return DNS(
        qr=1,
        qd=[],
        an=[DNSRR(rrname="_dicom._tcp.local", type="PTR", ttl=9, rdata=f"{instance}._dicom._tcp.local")],
        ar=[
            DNSRRSRV(rrname=f"{instance}._dicom._tcp.local", ttl=9, port=104, target=f"{host}.local"),
            *(DNSRR(rrname=f"{host}.local", type=kind, ttl=9, rdata=rdata) for kind, rdata in addresses),
        ],
    )


def test_service_names_are_split_at_their_transport_label() -> None:
    assert split_service((b"My.PC", b"_smb", b"_tcp", b"local")) == ("_smb._tcp", (b"My.PC",))
    assert split_service((b"host", b"local")) == ("", (b"host", b"local"))
    assert split_service((b"_tcp", b"local")) == ("", (b"_tcp", b"local"))


def test_a_message_heard_again_is_the_same_fact_at_its_own_time() -> None:
    message = _service("CT 1", "ct1", ("A", "192.0.2.10"))
    first, again = _facts(message, ts_ns=5), _facts(message, ts_ns=9)
    assert [fact.value for fact in first] == [fact.value for fact in again]
    assert {fact.ts_ns for fact in first} == {5} and {fact.ts_ns for fact in again} == {9}


def test_the_same_octets_of_another_sender_are_not_mistaken_for_the_first() -> None:
    message = _service("CT 1", "ct1")
    assert {fact.ip for fact in _facts(message, "192.0.2.10")} == {"192.0.2.10"}
    assert {fact.ip for fact in _facts(message, "192.0.2.11")} == {"192.0.2.11"}


def test_a_link_local_sender_with_global_addresses_speaks_for_itself() -> None:
    facts = _facts(_service("CT 1", "ct1", ("AAAA", "fd00::7")), ip="fe80::10")
    assert {(fact.mac, fact.ip) for fact in facts} == {("02:00:00:00:00:10", "fe80::10")}


def test_a_reflected_message_of_several_hosts_is_split_between_them() -> None:
    one, two = (_service(f"CT {n}", f"ct{n}", ("A", f"192.0.2.5{n}")) for n in (1, 2))
    both = DNS(qr=1, qd=[], an=[*one.an, *two.an], ar=[*one.ar, *two.ar])
    facts = {(fact.field, fact.value, fact.mac, fact.ip) for fact in _facts(both, ip="192.0.2.254")}
    for n in (1, 2):
        for field, value in (("mdns.instance", f"CT {n}"), ("mdns.host_name", f"ct{n}")):
            assert (field, value, None, f"192.0.2.5{n}") in facts
    assert not {fact for fact in facts if fact[3] == "192.0.2.254"}


def test_metadata_types_of_airtunes_are_no_model() -> None:
    for service, told in (("_raop", False), ("_googlecast", True)):
        text = DNSRR(rrname=f"Room.{service}._tcp.local", type="TXT", ttl=9, rdata=[b"md=0,1,2"])
        fields = {fact.field for fact in _facts(DNS(qr=1, qd=[], an=[text]))}
        assert ("mdns.txt.md" in fields) is told


def test_facts_of_one_message_are_bounded() -> None:
    records = [DNSRR(rrname=f"h{n}.local", type="A", ttl=9, rdata="192.0.2.10") for n in range(400)]
    assert len(_facts(DNS(qr=1, qd=[], an=records))) == 96


def test_who_says_a_message_makes_the_difference_it_made_when_it_was_read_alone() -> None:
    named = ("192.0.2.10", "192.0.2.11", "fe80::10", "2001:db8::10", "198.51.100.7", "fe80::99")
    messages = [
        _service("CT 1", "ct1", ("A", "192.0.2.10")),
        _service("CT 1", "ct1", ("A", "192.0.2.10"), ("A", "192.0.2.11")),
        _service("CT 1", "ct1", ("AAAA", "fe80::10"), ("AAAA", "2001:db8::10")),
        _service("CT 1", "ct1"),
        DNS(qr=1, qd=[], an=[DNSRR(rrname="10.2.0.192.in-addr.arpa", type="PTR", ttl=9, rdata="ct1.local")]),
    ]
    for message in messages:
        for sender in (*named, *reversed(named)):
            statements, _ = announcements.read(bytes(message), sender)
            alone = [(whose or sender, field, value) for whose, field, value in statements]
            assert [(f.ip, f.field, f.value) for f in _facts(message, ip=sender)] == alone
