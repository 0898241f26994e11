"""Edimax smart plugs: what they report to their maker's relay on UDP 8765.

A datagram is a small XML document whose octets were rotated right by 0 to 7 bits; the first octet, ``<``,
is instead raised by that number. Ling and others, "Security vulnerabilities of Internet of Things: a case
study of the smart plug system", IEEE Internet of Things Journal 4(6), 2017, describe the system; the form
of its messages was read from captures of two models. Told are model, type and firmware; the keys and
addresses of the relay are not.
"""

from __future__ import annotations

import re
from typing import ClassVar

from medwarden.dissect.connection import Connection
from medwarden.dissect.octets import printable
from medwarden.model.segment import DissectorManifest, Transport

_OPENING = 0x3C  # "<"
_LARGEST = 2048
_DOCUMENT = re.compile(rb'\A<param>\s*<code value="\d{1,6}" ?/>')
_ELEMENT = re.compile(rb'<(\w{1,20}) value="([^"<>]{1,128})" ?/>')
_REPORT = b"1010"
_TOLD = {
    "model": "edimax.model",
    "type": "edimax.device_type",
    "devfwver": "edimax.firmware",
    "productid": "edimax.product_id",
}
_TURNED = tuple(
    bytes((octet << bits | octet >> 8 - bits) & 0xFF for octet in range(256)) for bits in range(8)
)
"""For each rotation the octets turned back."""


def plain(payload: bytes) -> bytes | None:
    """Return the document in a datagram, or None where there is none."""
    if not 16 <= len(payload) <= _LARGEST or not 0 <= payload[0] - _OPENING < 8:
        return None
    text = b"<" + payload[1:].translate(_TURNED[payload[0] - _OPENING])
    return text if _DOCUMENT.match(text) else None


class Edimax(Connection):
    """Read the reports of plugs, one datagram at a time."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="edimax",
        title="Edimax smart plug",
        transports=(Transport.UDP,),
        reference="Ling et al., Security vulnerabilities of Internet of Things, IEEE IoT Journal 4(6), 2017",
        ports=(8765,),
        fields=tuple(_TOLD.values()),
    )

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell a datagram by the document that is in it."""
        del from_client
        return plain(payload) is not None

    def datagram(self, payload: bytes, from_client: bool) -> None:
        """Read one datagram; only a plug's own report says what it is."""
        if len(payload) < 16:
            return  # a sign of life
        text = plain(payload)
        if text is None:
            raise self.malformed("no document of an Edimax plug", 0)
        values = {name.decode(): value for name, value in _ELEMENT.findall(text)}
        if from_client and values.get("code") == _REPORT:
            for name, field in _TOLD.items():
                self.said(field, printable(values.get(name, b"")))


DISSECTOR = Edimax
