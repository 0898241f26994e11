from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.ldap import LdapDissector
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport

Converse = Callable[..., set[tuple[str, str, str]]]

HELLO = bytes.fromhex("16030100310100002d0303") + b"r" * 32 + bytes.fromhex("000004130100ff01000000")


ROLES = {("ldap.role", "client", "client"), ("ldap.role", "server", "server")}


def tlv(tag: int, *contents: bytes) -> bytes:
    body = b"".join(contents)
    length = bytes([len(body)]) if len(body) < 128 else b"\x82" + len(body).to_bytes(2, "big")
    return bytes([tag]) + length + body


def message(operation: bytes) -> bytes:
    return tlv(0x30, tlv(2, b"\x07"), operation)


def bind(name: bytes, how: bytes) -> bytes:
    return message(tlv(0x60, tlv(2, b"\x03"), tlv(4, name), how))


def term(name: bytes, value: bytes) -> bytes:
    return tlv(0xA3, tlv(4, name), tlv(4, value))


def ping() -> bytes:
    asked = tlv(
        0xA0,
        term(b"DnsDomain", b"hospital.example."),
        term(b"Host", b"US-17"),
        term(b"User", b"jane.doe"),
        term(b"NtVer", b"\x16\0\0\0"),
    )
    numbers = tlv(10, b"\0") + tlv(10, b"\0") + tlv(2, b"\0") + tlv(2, b"\0") + tlv(1, b"\0")
    return message(tlv(0x63, tlv(4, b""), numbers, asked, tlv(0x30, tlv(4, b"Netlogon"))))


def entry(name: bytes, *attributes: tuple[bytes, bytes]) -> bytes:
    listed = [tlv(0x30, tlv(4, kind), tlv(0x31, tlv(4, value))) for kind, value in attributes]
    return message(tlv(0x64, tlv(4, name), tlv(0x30, *listed)))


def netlogon() -> bytes:
    """Return NETLOGON_SAM_LOGON_RESPONSE_EX with its names compressed as a controller does."""
    head = struct.pack("<HHI16s", 23, 0, 0xF1FD, b"g" * 16)
    names = b"\x08hospital\x07example\0" + b"\xc0\x18" + b"\x04dc01\xc0\x18"
    return (
        head
        + names
        + b"\x08HOSPITAL\0"
        + b"\x06\\\\DC01\0"
        + b"\x08jane.doe\0"
        + b"\x04Main\0"
        + b"\x07Clinic2\0"
    )


def test_a_simple_bind_is_a_password_in_clear(converse: Converse) -> None:
    told = converse(
        LdapDissector, ("client", bind(b"cn=jane doe,ou=Staff,dc=Hospital,dc=example", tlv(0x80, b"hunter2")))
    )
    assert told - ROLES == {("ldap.bind", "simple", "client"), ("ldap.domain", "hospital.example", "client")}


def test_an_anonymous_bind(converse: Converse) -> None:
    assert converse(LdapDissector, ("client", bind(b"", tlv(0x80)))) - ROLES == {
        ("ldap.bind", "anonymous", "client")
    }


def test_an_ntlm_bind_and_the_wrapping_after_it(converse: Converse) -> None:
    names = struct.pack("<HHIHHI", 0, 0, 32, 5, 5, 32)
    token = struct.pack("<8sII", b"NTLMSSP\0", 1, 0) + names + b"US-17"
    told = converse(
        LdapDissector,
        ("client", bind(b"", tlv(0xA3, tlv(4, b"GSS-SPNEGO"), tlv(4, token)))),
        ("client", b"\0\0\0\x10" + b"wrapped from here"),
    )
    assert told - ROLES == {
        ("ldap.bind", "sasl GSS-SPNEGO", "client"),
        ("ntlmssp.workstation", "US-17", "client"),
    }


def test_the_root_entry_names_the_server_and_others_stay_unread(converse: Converse) -> None:
    told = converse(
        LdapDissector,
        (
            "server",
            entry(
                b"",
                (b"dnsHostName", b"dc01.hospital.example"),
                (b"defaultNamingContext", b"DC=hospital,DC=example"),
            )
            + entry(b"cn=jane", (b"dnsHostName", b"jane doe")),
        ),
    )
    assert told - ROLES == {
        ("ldap.dns_host_name", "dc01.hospital.example", "server"),
        ("ldap.domain", "hospital.example", "server"),
    }


def test_an_ldap_ping_names_both_sides_but_no_user(datagram: Converse) -> None:
    assert datagram(LdapDissector, "client", ping()) - ROLES == {
        ("ldap.domain", "hospital.example", "client"),
        ("ldap.host", "US-17", "client"),
    }
    assert datagram(LdapDissector, "server", entry(b"", (b"Netlogon", netlogon()))) == {
        ("ldap.role", "server", "server"),
        ("ldap.domain", "hospital.example", "server"),
        ("ldap.dns_host_name", "dc01.hospital.example", "server"),
        ("ldap.netbios_domain", "HOSPITAL", "server"),
        ("ldap.netbios_computer", "DC01", "server"),
        ("ldap.site", "Main", "server"),
        ("ldap.client_site", "Clinic2", "client"),
    }


def test_after_start_tls_the_handshake_is_read(converse: Converse) -> None:
    told = converse(
        LdapDissector,
        ("client", message(tlv(0x77, tlv(0x80, b"1.3.6.1.4.1.1466.20037")))),
        ("server", message(tlv(0x78, tlv(10, b"\0"), tlv(4, b""), tlv(4, b"")))),
        ("client", HELLO),
    )
    assert ("tls.client_versions", "TLS 1.2", "client") in told


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n", b"\x30\x80\0\0", tlv(0x30, tlv(4, b"x")), bind(b"x", b"\x80\x09")]
)
def test_broken_messages_are_malformed(converse: Converse, data: bytes) -> None:
    with pytest.raises(MalformedInput):
        converse(LdapDissector, ("client", data))


def test_a_name_that_points_at_itself_is_malformed(datagram: Converse) -> None:
    value = struct.pack("<HHI16s", 23, 0, 0, b"") + b"\xc0\x18"
    with pytest.raises(MalformedInput):
        datagram(LdapDissector, "server", entry(b"", (b"netlogon", value)))


def test_recognition() -> None:
    assert LdapDissector.recognises(ping(), True)
    assert LdapDissector.recognises(entry(b""), False)
    assert not LdapDissector.recognises(b"0\x05hello", True)


@given(st.binary(max_size=60), st.integers(0, 300))
def test_damaged_pings_give_facts_or_malformed_input(noise: bytes, at: int) -> None:
    data = bytearray(entry(b"", (b"Netlogon", netlogon())))
    at %= len(data)
    data[at : at + len(noise)] = noise
    segment = Segment(0, 1, Transport.UDP, None, None, "s", "c", 389, 5000, None, False, bytes(data))
    try:
        told = list(LdapDissector().feed(segment))
    except MalformedInput as error:
        assert error.source == "ldap"
    else:
        assert all(fact.value for fact in told)
