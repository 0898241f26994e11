"""PJL on raw printing ports: what a printer answers when asked who it is.

HP Printer Job Language Technical Reference Manual, chapter 6 (``@PJL INFO``): the answer repeats the
question line, then the value lines, then a form feed. Only answers are read: a job holds documents.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from medwarden.dissect.octets import printable
from medwarden.model.evidence import Evidence
from medwarden.model.segment import DissectorManifest, Segment, Transport

SOURCE = "pjl"

_ESCAPE = b"\x1b%-12345X"
_MAX_ANSWER = 2048


class Pjl:
    """State the model and product information a printer returns over its raw port."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name=SOURCE,
        title="Raw printing with PJL",
        transports=(Transport.TCP,),
        reference="HP PJL Technical Reference Manual",
        ports=(9100,),
        starts=(_ESCAPE, b"@PJL"),
        stream_bytes=8 * 1024,
        fields=("pjl.info_id", "pjl.model", "pjl.serial_number", "pjl.firmware"),
    )

    def __init__(self) -> None:
        self._answer = bytearray()
        self._lost = False

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell whether ``payload`` starts a PJL job or answer."""
        if from_client:
            return payload.startswith((_ESCAPE, b"@PJL"))
        return payload.startswith(b"@PJL")

    def feed(self, segment: Segment) -> Iterator[Evidence]:
        """Yield the facts of answers that a form feed has completed; nothing here is malformed."""
        if segment.from_client or self._lost:
            return
        if segment.gap:
            self._lost = True
            return
        self._answer += segment.payload
        while 0 <= (end := self._answer.find(b"\x0c")) <= _MAX_ANSWER:
            answer = bytes(self._answer[:end])
            del self._answer[: end + 1]
            for field, value in facts_of_answer(answer):
                yield segment.said(field, value, SOURCE)
        if len(self._answer) > _MAX_ANSWER:
            self._lost = True
            self._answer.clear()


def facts_of_answer(answer: bytes) -> list[tuple[str, str]]:
    """Return the facts of one answer: ``INFO ID``, ``INFO PRODINFO`` and ``INFO CONFIG`` variables."""
    lines = [line.strip() for line in answer.replace(b"\r", b"\n").split(b"\n") if line.strip()]
    if not lines or not lines[0].upper().startswith(b"@PJL INFO"):
        return []
    about = lines[0][9:].strip().upper()
    if about == b"ID" and len(lines) > 1:
        value = printable(lines[1].strip(b'"'))
        return [("pjl.info_id", value)] if value else []
    if about != b"PRODINFO":
        return []
    names = {
        b"PRODUCTNAME": "pjl.model",
        b"SERIALNUMBER": "pjl.serial_number",
        b"FORMATTERNUMBER": "",
        b"FIRMWAREDATECODE": "pjl.firmware",
    }
    facts: list[tuple[str, str]] = []
    for line in lines[1:64]:
        name, equals, text = line.partition(b"=")
        field = names.get(name.strip().replace(b" ", b"").upper(), "") if equals else ""
        if field and (value := printable(text.strip().strip(b'"'))):
            facts.append((field, value))
    return facts


DISSECTOR = Pjl
