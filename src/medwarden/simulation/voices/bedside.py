"""Bedside: IntelliVue-like monitors, ASTM E1381/E1394 (LIS1-A, LIS2-A2), POCT1-A2."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from random import Random

from medwarden.simulation.ends import SECOND

_MODEL, _BED_LABEL, _BED_LABEL_NEW, _SYSTEM_TYPE, _PRODUCTION = 0x0928, 0x091E, 0xF135, 0x0986, 0x092D


def _label(text: str) -> bytes:
    data = text.encode() + bytes(len(text) % 2)
    return struct.pack(">H", len(data)) + data


def _listed(values: Sequence[tuple[int, bytes]]) -> bytes:
    body = b"".join(struct.pack(">HH", number, len(value)) + value for number, value in values)
    return struct.pack(">HH", len(values), len(body)) + body


def _bed(label: str) -> bytes:
    data = label.encode("utf-16-be") + b"\0\0"
    return struct.pack(">H", len(data)) + data


def connect_indication(model: str, bed: str, clock_ms: int) -> bytes:
    """Return the announcement of a monitor (UDP 24005): nomenclature, event report, attributes."""
    attributes = _listed([(_MODEL, _label("Philips") + _label(model)), (_BED_LABEL_NEW, _bed(bed))])
    report = struct.pack(">HHHIHH", 33, 0, 0, clock_ms & 0xFFFFFFFF, 0x0D17, len(attributes))
    invoked = struct.pack(">HHH", 1, 0, len(report) + len(attributes)) + report + attributes
    return b"\0\0\1\0" + struct.pack(">HH", 1, len(invoked)) + invoked


def production_specification(serial: str, part: str, software: str) -> bytes:
    """Return the value of the attribute that names serial, part and software revision."""
    entries = ((1, 8, serial), (2, 8, part), (4, 0x58, software))
    body = b"".join(struct.pack(">HH", kind, component) + _label(text) for kind, component, text in entries)
    return struct.pack(">HH", len(entries), len(body)) + body


def associate(accept: bool) -> bytes:
    """Return an association request or response: session, presentation and user data headers."""
    user = struct.pack(">IIIIIII", 0x80000000, 0x40000000, 0, 0x80000000, 0x20000000, 0, 0)
    core = (
        b"\x30\x80"
        + b"\xa0\x80\x80\x01\x01\0\0"
        + b"\xa2\x80\xa0\x03\0\0\x01"
        + bytes((0x30, len(user)))
        + user
        + bytes(6)
    )
    session = b"\x05\x08\x13\x01\0\x16\x01\x02\x80\0\x14\x02\0\x02"
    body = session + b"\xc1" + bytes((len(core),)) + core
    return bytes((0x0E if accept else 0x0D, len(body))) + body


def mds_create(model: str, bed: str, serial: str, part: str, software: str, clock_ms: int) -> bytes:
    """Return the MDS create event, in which the monitor describes itself."""
    attributes = _listed(
        [
            (_SYSTEM_TYPE, struct.pack(">HH", 1, 0x45)),
            (_MODEL, _label("Philips") + _label(model)),
            (_BED_LABEL, _bed(bed)),
            (_PRODUCTION, production_specification(serial, part, software)),
        ]
    )
    created = struct.pack(">HHH", 33, 0, 1) + attributes
    report = struct.pack(">HHHIHH", 33, 0, 0, clock_ms & 0xFFFFFFFF, 0x0D06, len(created))
    invoked = struct.pack(">HHH", 1, 1, len(report) + len(created)) + report + created
    return b"\xe1\0\0\2" + struct.pack(">HH", 1, len(invoked)) + invoked


def poll_request(number: int) -> bytes:
    """Return the request for numerics (single poll)."""
    body = (
        struct.pack(">HHH", 33, 0, 0)
        + struct.pack(">IHH", 0, 0x0C16, 8)
        + struct.pack(">HHHH", number, 1, 6, 0)
    )
    invoked = struct.pack(">HHH", number & 0xFFFF, 7, len(body)) + body
    return b"\xe1\0\0\2" + struct.pack(">HH", 1, len(invoked)) + invoked


def numerics(number: int, clock_ms: int, values: Sequence[tuple[int, int, int]]) -> bytes:
    """Return the result of a poll: physiological identifier, unit and value in hundredths of each numeric."""
    observed = b""
    for handle, (kind, unit, value) in enumerate(values, 1):
        number_value = struct.pack(">HHHI", kind, 0, unit, 0xFE000000 | value & 0xFFFFFF)
        attributes = _listed([(0x0950, number_value)])
        observed += struct.pack(">H", handle) + attributes
    polled = struct.pack(">HHH", 0, len(values), len(observed)) + observed
    listed = struct.pack(">HH", 1, len(polled)) + polled
    result = struct.pack(">HIQHHH", number, clock_ms & 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF, 1, 6, 0) + listed
    action = struct.pack(">HHHHH", 33, 0, 0, 0x0C16, len(result)) + result
    body = struct.pack(">HHH", number & 0xFFFF, 7, len(action)) + action
    return b"\xe1\0\0\2" + struct.pack(">HH", 2, len(body)) + body


ENQ, ACK, EOT = b"\x05", b"\x06", b"\x04"


def astm_frame(number: int, record: str, last: bool = True) -> bytes:
    """Return one frame of E1381 with its checksum (clause 6.3.1)."""
    del last
    body = f"{number % 8}{record}\r".encode("latin-1", "replace") + b"\x03"
    return b"\x02" + body + f"{sum(body) & 0xFF:02X}".encode() + b"\r\n"


def astm_result(
    sender: str,
    receiver: str,
    stamp: str,
    sample: str,
    patient: tuple[str, str, str, str],
    results: Sequence[tuple[str, str, str]],
) -> list[str]:
    """Return the records of a result message (E1394): header, patient, order, results, terminator."""
    name, mrn, born, sex = patient
    records = [
        f"H|\\^&|||{sender}|||||{receiver}||P|LIS2-A2|{stamp}",
        f"P|1||{mrn}||{name}||{born}|{sex}",
        f"O|1|{sample}||^^^ALL|R|{stamp}",
    ]
    records += [
        f"R|{n}|^^^{code}|{value}|{unit}||N||F||||{stamp}" for n, (code, value, unit) in enumerate(results, 1)
    ]
    return [*records, "L|1|N"]


def poct_hello(control: int, facts: dict[str, str], at: str) -> bytes:
    """Return HEL.R01 of POCT1-A2: the device greets and describes itself."""
    device = "".join(f'<DEV.{key} V="{value}"/>' for key, value in facts.items())
    return (
        '<HEL.R01><HDR><HDR.message_type V="HEL.R01"/>'
        f'<HDR.control_id V="{control}"/><HDR.version_id V="POCT1"/>'
        f'<HDR.creation_dttm V="{at}"/></HDR><DEV>{device}</DEV></HEL.R01>'
    ).encode()


def poct_acknowledge(control: int, about: int, at: str) -> bytes:
    """Return ACK.R01."""
    return (
        f'<ACK.R01><HDR><HDR.control_id V="{control}"/><HDR.version_id V="POCT1"/>'
        f'<HDR.creation_dttm V="{at}"/></HDR>'
        f'<ACK><ACK.type_cd V="AA"/><ACK.ack_control_id V="{about}"/></ACK></ACK.R01>'
    ).encode()


def poct_observation(
    control: int, at: str, patient: tuple[str, str, str, str], code: str, value: str, unit: str
) -> bytes:
    """Return OBS.R01 with one result of one patient."""
    name, mrn, born, _ = patient
    return (
        '<OBS.R01><HDR><HDR.message_type V="OBS.R01"/>'
        f'<HDR.control_id V="{control}"/><HDR.version_id V="POCT1"/>'
        f'<HDR.creation_dttm V="{at}"/></HDR><SVC><SVC.role_cd V="OBS"/><SVC.observation_dttm V="{at}"/>'
        f'<PT><PT.patient_id V="{mrn}"/><PT.name V="{name}"/><PT.birth_date V="{born}"/>'
        f'<OBS><OBS.observation_id V="{code}"/><OBS.value V="{value}" U="{unit}"/>'
        '<OBS.method_cd V="M"/></OBS></PT></SVC></OBS.R01>'
    ).encode()


def unity_announcement(rng: Random, address: int) -> bytes:
    """Return an announcement of a node of GE's monitoring network (UDP 7000).

    Published is only that it holds the sender's address (Vocera CARESCAPE adapter reference); the rest is
    noise.
    """
    return rng.randbytes(6) + address.to_bytes(4, "big") + rng.randbytes(90)


def unity_time(rng: Random, address: int, unit: str, room: str, at: int) -> bytes:
    """Return a time message of GE's monitoring network (UDP 2000, Vocera CARESCAPE adapter reference)."""
    place = f"{unit}|{room}".encode()[:13].ljust(13, b"\0")
    seconds = at // SECOND + 2_208_988_800  # since 1900
    head = rng.randbytes(6) + address.to_bytes(4, "big")
    return head + bytes(14) + place + bytes(23) + seconds.to_bytes(4, "big")


def infinity_announcement(address: int, name: str, model: str, firmware: str, serial: str) -> bytes:
    """Return what a monitor of Draeger's Infinity network tells by multicast (UDP 2150).

    The layout is that of an open client, as ``dissect/draeger_infinity.py`` reads it.
    """

    def text(value: str) -> bytes:
        return value.encode("utf-16-be") + bytes(2 * (len(value) % 2))

    def part(kind: int, said: str, rest: bytes = b"") -> bytes:
        body = bytes((kind, len(said))) + text(said) + rest
        return b"\0\7\0-" + (len(body) + 6).to_bytes(2, "big") + body

    identity = bytes(11) + bytes((len(firmware), len(model), len(serial))) + bytes(2)
    identity += text(firmware) + text(model) + text(serial)
    head = address.to_bytes(4, "big") + bytes(20)
    return head + part(1, name) + part(13, name, identity)
