from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from medwarden.dissect.mqtt import MqttDissector
from medwarden.kernel.errors import MalformedInput

Converse = Callable[..., set[tuple[str, str, str]]]


def counted(data: bytes) -> bytes:
    return struct.pack(">H", len(data)) + data


def connect(name: bytes, level: int, flags: int, rest: bytes) -> bytes:
    body = counted(name) + bytes([level, flags, 0, 60]) + rest
    size = bytes([len(body) & 0x7F | 0x80, len(body) >> 7]) if len(body) > 127 else bytes([len(body)])
    return b"\x10" + size + body


def test_a_password_in_clear(converse: Converse) -> None:
    packet = connect(
        b"MQTT", 4, 0xC2, counted(b"Bed1-ECG" * 20) + counted(b"nurse.jones") + counted(b"hunter2")
    )
    told = converse(MqttDissector, ("client", packet + b"\x82\x05junk"), ("server", b"\x20\x02\0\0"))
    assert told == {
        ("mqtt.version", "3.1.1", "client"),
        ("mqtt.client_id", "Bed1-ECG" * 20, "client"),
        ("mqtt.login", "clear-text", "client"),
    }


def test_version_5_with_properties_and_no_log_in(converse: Converse) -> None:
    told = converse(
        MqttDissector, ("client", connect(b"MQTT", 5, 2, b"\x05\x11\0\0\0\x1e" + counted(b"pump-7")))
    )
    assert told == {
        ("mqtt.version", "5.0", "client"),
        ("mqtt.client_id", "pump-7", "client"),
        ("mqtt.login", "none", "client"),
    }


def test_version_3_1(converse: Converse) -> None:
    told = converse(MqttDissector, ("client", connect(b"MQIsdp", 3, 0x82, counted(b"x1") + counted(b"u"))))
    assert told == {("mqtt.version", "3.1", "client"), ("mqtt.client_id", "x1", "client")}


@pytest.mark.parametrize(
    "data",
    [
        b"\x20\x02\0\0",
        b"\x10\xff\xff\xff\xff\x01",
        b"\x10\xff\xff\x7f",
        connect(b"AMQP", 4, 0, b""),
        connect(b"MQTT", 4, 0, b"\0\x09x"),
    ],
)
def test_broken_packets_are_malformed(converse: Converse, data: bytes) -> None:
    with pytest.raises(MalformedInput):
        converse(MqttDissector, ("client", data))


def test_recognition() -> None:
    assert MqttDissector.recognises(connect(b"MQTT", 4, 2, counted(b"a")), True)
    assert not MqttDissector.recognises(b"\x10\x00\x00\x00", True)


@pytest.mark.parametrize("first", [b"0\x02ab", b"\xc0\x00", b"\x82\x05\0\x01\0\x01a"])
def test_a_connection_heard_from_the_middle_on_is_no_fault(converse: Converse, first: bytes) -> None:
    assert converse(MqttDissector, ("client", first)) == set()
