"""HL7 version 2 messages (chapters 2, 3, 4, 7) in the frames of the minimal lower layer protocol."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime


def stamp(at: int) -> str:
    """Return a time as HL7 writes it, to the second."""
    return datetime.fromtimestamp(at / 1e9, UTC).strftime("%Y%m%d%H%M%S")


def frame(message: str) -> bytes:
    """Return a message between the start and end blocks of MLLP."""
    return b"\x0b" + message.encode("latin-1", "replace") + b"\x1c\r"


def message(
    kind: str,
    sender: tuple[str, str],
    receiver: tuple[str, str],
    at: int,
    control: str,
    segments: Sequence[str],
    version: str = "2.5",
) -> str:
    """Return a message of ``kind`` (``ADT^A01``); sender and receiver are application and facility."""
    head = "|".join(("MSH", "^~\\&", *sender, *receiver, stamp(at), "", kind, control, "P", version))
    return "\r".join((head, *segments)) + "\r"


def acknowledgement(
    kind: str,
    sender: tuple[str, str],
    receiver: tuple[str, str],
    at: int,
    control: str,
    code: str = "AA",
    version: str = "2.5",
) -> str:
    """Return the acknowledgement of the message ``control``; the answerer is ``sender``."""
    trigger = kind.partition("^")[2].partition("^")[0]
    head = "|".join(
        (
            "MSH",
            "^~\\&",
            *sender,
            *receiver,
            stamp(at),
            "",
            f"ACK^{trigger}" if trigger else "ACK",
            f"A{control}",
            "P",
            version,
        )
    )
    return f"{head}\rMSA|{code}|{control}\r"


def pid(patient: tuple[str, str, str, str], account: str = "") -> str:
    """Return a PID segment from name, identifier, birth date and sex."""
    name, mrn, born, sex = patient
    return f"PID|1||{mrn}^^^MRN^MR||{name}||{born}|{sex}||||||||||{account}"


def pv1(place: str, klass: str = "I", doctor: str = "", visit: str = "") -> str:
    """Return a PV1 segment with the assigned location and the attending doctor."""
    return f"PV1|1|{klass}|{place}||||{doctor}|||||||||||{doctor}||{visit}"
