"""Patients stay unsaid: a thousand of them in DICOM and HL7 leave no trace in what is told."""

from __future__ import annotations

import random
import struct

import pytest

from medwarden.dissect.observer import Observer
from medwarden.dissect.phi import Tokeniser
from medwarden.kernel.errors import ConfigurationError
from medwarden.model.segment import Segment, Transport

IDENTITIES = 1000
CT = "1.2.840.10008.5.1.4.1.1.2"
LETTERS = "BCDFGHJKLMNPQRSTVWXZ"


def identity(chance: random.Random) -> dict[str, str]:
    """Invent one patient; every value is rare enough that finding it anywhere means a leak."""
    name = "".join(chance.choices(LETTERS, k=9)).title()
    given = "".join(chance.choices(LETTERS, k=8)).title()
    birth = f"{chance.randint(1920, 2020)}{chance.randint(1, 12):02}{chance.randint(1, 28):02}"
    number = "".join(chance.choices("0123456789", k=11))
    return {
        "name": name,
        "given": given,
        "id": f"P{number}",
        "birth": birth,
        "accession": f"A{number[::-1]}",
        "visit": f"V{''.join(chance.choices('0123456789', k=10))}",
        "street": f"{''.join(chance.choices(LETTERS, k=10)).title()}weg",
        "phone": "0" + "".join(chance.choices("0123456789", k=12)),
        "physician": "".join(chance.choices(LETTERS, k=10)).title(),
    }


def element(tag: int, vr: str, value: str) -> bytes:
    data = value.encode("latin-1")
    data += b" " * (len(data) % 2)
    return struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode() + struct.pack("<H", len(data)) + data


def command(tag: int, value: bytes) -> bytes:
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value)) + value


def dicom(person: dict[str, str]) -> bytes:
    """Return an association with one stored image of ``person``, as one client writes it."""

    def item(kind: int, value: bytes) -> bytes:
        return struct.pack(">BxH", kind, len(value)) + value

    context = item(0x20, b"\1\0\0\0" + item(0x30, CT.encode()) + item(0x40, b"1.2.840.10008.1.2.1"))
    body = b"\0\1\0\0" + b"PACS".ljust(16) + b"MODALITY".ljust(16) + bytes(32) + context
    full_name = f"{person['name']}^{person['given']}"
    nested = element(0x00100010, "PN", full_name) + element(0x00100020, "LO", person["id"])
    items = struct.pack("<HHI", 0xFFFE, 0xE000, len(nested)) + nested
    data = b"".join(
        (
            element(0x00080050, "SH", person["accession"]),
            element(0x00080060, "CS", "CT"),
            element(0x00080070, "LO", "ACME"),
            element(0x00080090, "PN", person["physician"]),
            element(0x00081010, "SH", "ROOM1"),
            element(0x00081048, "PN", person["physician"]),
            struct.pack("<HH2sxxI", 0x0008, 0x1110, b"SQ", len(items)) + items,
            element(0x00081070, "PN", person["physician"]),
            element(0x00100010, "PN", full_name),
            element(0x00100020, "LO", person["id"]),
            element(0x00100030, "DA", person["birth"]),
            element(0x00101040, "LO", person["street"]),
            element(0x00102154, "SH", person["phone"]),
            element(0x00181000, "LO", "SN-1"),
            element(0x00380010, "LO", person["visit"]),
        )
    )
    message = command(0x00000002, CT.encode()) + command(0x00000100, b"\1\0")

    def pdv(control: int, value: bytes) -> bytes:
        return struct.pack(">IBB", len(value) + 2, 1, control) + value

    values = pdv(3, message) + pdv(2, data)
    return struct.pack(">BxI", 1, len(body)) + body + struct.pack(">BxI", 4, len(values)) + values


def hl7(person: dict[str, str]) -> bytes:
    """Return a result message about ``person``."""
    segments = (
        r"MSH|^~\&|LAB|HOSP|EHR|HOSP|20250101||ORU^R01|1|P|2.5",
        f"PID|1|{person['visit']}|{person['id']}^^^H||{person['name']}^{person['given']}||{person['birth']}|F|||"
        f"{person['street']} 1^^Town||{person['phone']}",
        f"NK1|1|{person['name']}^Next|WIFE||{person['phone']}",
        f"PV1|1|I|ICU^{person['visit']}^1||||99^{person['physician']}^Paul|||||||||||{person['visit']}",
        f"OBR|1|{person['accession']}|{person['accession']}|GLU|||||||||||||^{person['physician']}",
        f"OBX|1|ST|GLU||{person['name']} fasting||||||F|||||{person['physician']}||GLUCO-1^METER",
        f"NTE|1||Call {person['name']} at {person['phone']}",
    )
    return b"\x0b" + "\r".join(segments).encode() + b"\r\x1c\r"


@pytest.mark.parametrize("damage", [0, 0x80, 0x04, 0x01], ids=["intact", "bit 7", "bit 2", "bit 0"])
def test_a_thousand_patients_leave_no_trace(damage: int) -> None:
    chance = random.Random(4711)
    observer = Observer(b"a key that only this test knows")
    told: list[str] = []
    secrets: list[str] = []
    flags = 0
    for number in range(IDENTITIES):
        person = identity(chance)
        secrets += [value.casefold() for key, value in person.items() if key != "birth"]
        secrets.append(person["birth"])
        for at, (port, data) in enumerate(((104, dicom(person)), (2575, hl7(person)))):
            payload = bytearray(data)
            if damage:
                # A separator, tag or length hit here and there shifts what stands where.
                payload[chance.randrange(len(payload))] ^= damage
            cut = chance.randrange(1, len(payload))
            flow = 2 * number + at
            for offset, piece in ((0, payload[:cut]), (cut, payload[cut:])):
                segment = Segment(
                    1, flow, Transport.TCP, None, None, "192.0.2.1", "192.0.2.2", 40000, port, None, True,
                    bytes(piece), offset,
                )  # fmt: skip
                for fact in observer.observe(segment):
                    told.append(f"{fact.field}={fact.value}".casefold())
                    flags += fact.field.endswith(".patient_data")
    assert not [name for name in observer.malformed if name.endswith("!defect")]
    everything = "\n".join(told)
    leaked = [secret for secret in secrets if secret in everything]
    assert not [line for line in told if any(secret in line for secret in leaked)]
    if not damage:
        assert flags == 2 * IDENTITIES, "each is told once as having been seen"
        assert everything.count("dicom.manufacturer=acme") == IDENTITIES
        assert everything.count("hl7.source_id=gluco-1") == IDENTITIES
        assert "dicom.operator=operator-" in everything


def test_token_links_the_same_person_and_nobody_else() -> None:
    tokeniser = Tokeniser(b"0123456789abcdef")
    token = tokeniser.token("operator", "Doe^Jane")
    assert token == tokeniser.token("operator", " doe^JANE ")
    assert tokeniser.same(token, "operator", "Doe^Jane")
    assert token != tokeniser.token("operator", "Doe^John")
    assert token != tokeniser.token("physician", "Doe^Jane")
    assert token != Tokeniser(b"another key here").token("operator", "Doe^Jane")
    assert not tokeniser.same(token, "operator", "Doe^John")
    assert "doe" not in token
    assert "jane" not in token


def test_long_keys_count_in_full() -> None:
    long = b"k" * 64
    assert Tokeniser(long + b"1").token("operator", "x") != Tokeniser(long + b"2").token("operator", "x")


def test_short_key_is_the_operators_fault() -> None:
    with pytest.raises(ConfigurationError, match="16 bytes"):
        Tokeniser(b"short")
