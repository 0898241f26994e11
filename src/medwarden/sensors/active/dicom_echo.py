"""A DICOM C-ECHO: who answers, with which implementation, and whether it verifies.

PS3.8 section 9.3 (A-ASSOCIATE, A-RELEASE), PS3.7 section 9.1.5 (C-ECHO) and D.3.3.2 (implementation).
The association proposes the Verification service alone and is released as the standard asks.
"""

from __future__ import annotations

import struct
from typing import ClassVar

from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Transport
from medwarden.sensors.active.exchange import Exchange
from medwarden.sensors.active.prober import ProbeManifest, ProbeSetting

CALLING_TITLE = "MEDWARDEN"
ANY_TITLE = "ANY-SCP"
IMPLEMENTATION_CLASS = "2.25.302437814187498317417953284187421674129"
IMPLEMENTATION_VERSION = "MEDWARDEN_1"
_APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
_VERIFICATION = "1.2.840.10008.1.1"
_IMPLICIT_LITTLE = "1.2.840.10008.1.2"
_RQ, _AC, _RJ, _DATA, _RELEASE_RQ, _RELEASE_RP, _ABORT = range(1, 8)
_MOST_PDU = 16_384
_CONTEXT = 1


class DicomEcho:
    """Associate, verify, release."""

    manifest: ClassVar = ProbeManifest(
        name="dicom_echo",
        title="DICOM C-ECHO",
        transport=Transport.TCP,
        port=104,
        dissector="dicom",
        reference="DICOM PS3.7 section 9.1.5, PS3.8 section 9.3",
        asks="one association with the Verification service, one C-ECHO, release",
        # The acceptor's title is read off the request, and there it is what we called it; the same goes
        # for the service, of which only ours was proposed.
        withheld=frozenset({"dicom.ae_title", "dicom.called_ae_title"}),
    )

    def missing(self, setting: ProbeSetting) -> str:
        """Need nothing: without a known title, ANY-SCP is called."""
        del setting
        return ""

    def converse(self, line: Exchange, setting: ProbeSetting) -> None:
        """Send A-ASSOCIATE-RQ; where it is accepted, C-ECHO-RQ and A-RELEASE-RQ."""
        line.say(associate(setting.ae_title or ANY_TITLE))
        answer = line.hear(_Pdu())
        if answer[0] != _AC or not _accepted(answer):
            if answer[0] == _AC:
                self._release(line)
            return
        line.say(echo())
        if line.hear(_Pdu())[0] == _DATA:
            self._release(line)

    @staticmethod
    def _release(line: Exchange) -> None:
        line.say(struct.pack(">BxI4x", _RELEASE_RQ, 4))
        line.hear(_Pdu())


class _Pdu:
    """Tells when one whole PDU was heard."""

    def __call__(self, heard: bytes) -> bool:
        if len(heard) < 6:
            if heard and not _RQ < heard[0] <= _ABORT:
                raise MalformedInput("dicom_echo", "the answer is no DICOM PDU", 0)
            return False
        kind, reserved = heard[0], heard[1]
        length = int.from_bytes(heard[2:6], "big")
        if not _RQ < kind <= _ABORT or reserved or length > _MOST_PDU:
            raise MalformedInput("dicom_echo", "the answer is no DICOM PDU", 0)
        if kind in (_RJ, _RELEASE_RP, _ABORT, _RELEASE_RQ) and length != 4:
            raise MalformedInput("dicom_echo", f"a PDU of type {kind} with {length} bytes", 2)
        return len(heard) >= 6 + length


def associate(called: str) -> bytes:
    """Return an A-ASSOCIATE-RQ for the Verification service (PS3.8 table 9-11)."""
    syntax = _item(0x40, _IMPLICIT_LITTLE.encode())
    context = _item(0x20, bytes((_CONTEXT, 0, 0, 0)) + _item(0x30, _VERIFICATION.encode()) + syntax)
    user = _item(0x51, struct.pack(">I", _MOST_PDU)) + _item(0x52, IMPLEMENTATION_CLASS.encode())
    user += _item(0x55, IMPLEMENTATION_VERSION.encode())
    titles = called.encode("ascii", "replace")[:16].ljust(16) + CALLING_TITLE.encode().ljust(16)
    body = b"\x00\x01\x00\x00" + titles + bytes(32)
    body += _item(0x10, _APPLICATION_CONTEXT.encode()) + context + _item(0x50, user)
    return struct.pack(">BxI", _RQ, len(body)) + body


def echo() -> bytes:
    """Return a C-ECHO-RQ in one P-DATA-TF (PS3.7 table 9.3-12)."""
    uid = _VERIFICATION.encode() + b"\0" * (len(_VERIFICATION) % 2)
    elements = _element(0x0002, uid) + _element(0x0100, b"\x30\x00")
    elements += _element(0x0110, b"\x01\x00") + _element(0x0800, b"\x01\x01")
    command = _element(0x0000, struct.pack("<I", len(elements))) + elements
    value = struct.pack(">IBB", len(command) + 2, _CONTEXT, 3) + command
    return struct.pack(">BxI", _DATA, len(value)) + value


def _item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(body)) + body


def _element(number: int, value: bytes) -> bytes:
    return struct.pack("<HHI", 0, number, len(value)) + value


def _accepted(answer: bytes) -> bool:
    """Tell whether an A-ASSOCIATE-AC accepts our context (PS3.8 table 9-18, result 0)."""
    at = 74
    while at + 4 <= len(answer):
        kind, length = struct.unpack_from(">BxH", answer, at)
        if kind == 0x21 and length >= 4 and at + 8 <= len(answer) and answer[at + 4] == _CONTEXT:
            return answer[at + 6] == 0
        at += 4 + length
    return False


PROBER = DicomEcho
