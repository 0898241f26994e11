from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from medwarden.dissect.tds import TdsDissector
from medwarden.kernel.errors import MalformedInput

Converse = Callable[..., set[tuple[str, str, str]]]

HELLO = bytes.fromhex("16030100310100002d0303") + b"r" * 32 + bytes.fromhex("000004130100ff01000000")
PRELOGIN, RESPONSE, LOGIN = 0x12, 0x04, 0x10


def packet(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBHHBB", kind, 1, len(body) + 8, 0, 1, 0) + body


def prelogin(version: tuple[int, int, int], encryption: int) -> bytes:
    options = struct.pack(">BHHBHHB", 0, 11, 6, 1, 17, 1, 0xFF)
    return options + struct.pack(">BBHH", *version, 0) + bytes([encryption])


def login(*names: str) -> bytes:
    """Return LOGIN7 with host, user, password, application, server, and library names."""
    slots = {36: names[0], 40: names[1], 44: names[2], 48: names[3], 52: names[4], 60: names[5]}
    body = bytearray(94)
    for at, name in slots.items():
        struct.pack_into("<HH", body, at, len(body), len(name))
        body += name.encode("utf-16-le")
    return bytes(body)


def test_a_log_in_in_clear_names_machine_and_program(converse: Converse) -> None:
    names = ("CT-CONSOLE", "sa", "hunter2", "Syngo Dicom", "RIS-DB", "ODBC")
    told = converse(
        TdsDissector,
        ("client", packet(PRELOGIN, prelogin((9, 0, 1399), 2))),
        ("server", packet(RESPONSE, prelogin((10, 50, 6000), 2))),
        ("client", packet(LOGIN, login(*names)) + b"anything"),
    )
    assert told == {
        ("tds.client_version", "9.0.1399", "client"),
        ("tds.server_version", "10.50.6000", "server"),
        ("tds.encryption", "not supported", "server"),
        ("tds.client_name", "CT-CONSOLE", "client"),
        ("tds.app_name", "Syngo Dicom", "client"),
        ("tds.library", "ODBC", "client"),
        ("tds.login", "clear-text", "client"),
        ("tds.server_name", "RIS-DB", "server"),
    }


def test_tls_inside_prelogin_packets_is_read(converse: Converse) -> None:
    told = converse(
        TdsDissector,
        ("client", packet(PRELOGIN, prelogin((9, 0, 1399), 0))),
        ("server", packet(RESPONSE, prelogin((15, 0, 2000), 1))),
        ("client", packet(PRELOGIN, HELLO[:20]) + packet(PRELOGIN, HELLO[20:]) + b"\x17\x03\x03\xff\xff"),
    )
    assert {("tds.encryption", "on", "server"), ("tls.client_versions", "TLS 1.2", "client")} <= told


def test_the_browser_service(datagram: Converse) -> None:
    answer = b"ServerName;RIS-DB;InstanceName;SYNGO;IsClustered;No;Version;10.50.6000.34;tcp;1433;;"
    told = datagram(TdsDissector, "server", b"\x05" + struct.pack("<H", len(answer)) + answer)
    assert told == {
        ("tds.server_name", "RIS-DB", "server"),
        ("tds.instance", "SYNGO", "server"),
        ("tds.server_version", "10.50.6000.34", "server"),
    }


def test_a_session_that_was_joined_late_tells_nothing(converse: Converse) -> None:
    assert converse(TdsDissector, ("server", packet(RESPONSE, b"\xfd\x01\0\xf9\0" + b"x" * 20))) == set()


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n", packet(PRELOGIN, prelogin((9, 0, 1), 0)[:12]), packet(LOGIN, bytes(50))]
)
def test_broken_packets_are_malformed(converse: Converse, data: bytes) -> None:
    with pytest.raises(MalformedInput):
        converse(TdsDissector, ("client", data))


def test_recognition() -> None:
    assert TdsDissector.recognises(packet(PRELOGIN, prelogin((9, 0, 1), 0)), True)
    assert not TdsDissector.recognises(packet(PRELOGIN, prelogin((9, 0, 1), 0))[:-1], True)
