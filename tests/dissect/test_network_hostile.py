"""Spliced, cut and doubled cases of the network dissectors give bounded facts or MalformedInput."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.registry import dissectors
from medwarden.kernel.errors import MalformedInput
from medwarden.model.evidence import MAX_VALUE, Evidence
from medwarden.model.segment import Dissector, Segment, Transport

NETWORK = (
    "arp", "browser", "cdp", "dhcp", "dhcpv6", "dns", "eapol", "lldp", "llmnr", "mdns", "nbns", "ndp", "ntp",
    "pjl", "snmp", "ssdp", "syslog", "wsd",
)  # fmt: skip
MOST_FACTS = 600  # of any one payload of at most 64 KiB


@cache
def _class_of(name: str) -> type[Dissector]:
    return next(d for d in dissectors() if d.manifest.name == name)


@cache
def _payloads(name: str) -> tuple[bytes, ...]:
    found: list[bytes] = []
    for path in sorted((Path(__file__).parent / "cases" / name).glob("*.json")):
        for entry in json.loads(path.read_text())["segments"]:
            octets = (
                bytes.fromhex("".join(entry["hex"])) if "hex" in entry else entry["text"].encode("latin-1")
            )
            found.append(octets)
    return tuple(found)


def _segment(member: type[Dissector], payload: bytes, from_client: bool) -> Segment:
    manifest = member.manifest
    transport = manifest.transports[0]
    port = (manifest.ports or (0,))[0]
    ports = (49152, port) if from_client else (port, 49152)
    ethertype = manifest.ethertypes[0] if transport is Transport.ETHERNET else 0
    src_ip, dst_ip = (None, None) if transport is Transport.ETHERNET else ("192.0.2.10", "192.0.2.20")
    return Segment(
        1, 1, transport, "02:00:00:00:00:10", "02:00:00:00:00:20", src_ip, dst_ip, *ports, None,
        from_client, payload, ethertype=ethertype,
    )  # fmt: skip


@pytest.mark.parametrize("name", NETWORK)
@given(data=st.data())
def test_spliced_cases_give_sound_facts_or_malformed_input(name: str, data: st.DataObject) -> None:
    member = _class_of(name)
    payload = data.draw(st.sampled_from(_payloads(name)))
    start = data.draw(st.integers(0, len(payload)))
    end = data.draw(st.integers(start, len(payload)))
    times = data.draw(st.sampled_from((1, 1, 1, 2, 50)))
    middle = data.draw(st.one_of(st.binary(max_size=8), st.just(payload[start:end]), st.just(b"\xff\xff")))
    spliced = (payload[:start] + middle * times + payload[end:])[:65535]
    from_client = data.draw(st.booleans())
    assert member.recognises(spliced, from_client) in (True, False)
    facts: list[Evidence] = []
    try:
        facts.extend(member().feed(_segment(member, spliced, from_client)))
    except MalformedInput as error:
        assert error.source == name
    assert len(facts) <= MOST_FACTS
    for fact in facts:
        assert fact.field in member.manifest.fields
        assert fact.value and len(fact.value) <= MAX_VALUE and fact.value.isprintable()
        assert fact.value == fact.value.strip()
        assert fact.mac or fact.ip


@pytest.mark.parametrize("name", NETWORK)
@pytest.mark.parametrize("octet", [0x00, 0x01, 0x30, 0x3C, 0xC0, 0xFF])
def test_a_full_datagram_of_one_octet_is_harmless(name: str, octet: int) -> None:
    member = _class_of(name)
    for head in (b"", _payloads(name)[0][:40]):
        payload = (head + bytes([octet]) * 65535)[:65535]
        try:
            facts = list(member().feed(_segment(member, payload, True)))
        except MalformedInput:
            continue
        assert len(facts) <= MOST_FACTS
