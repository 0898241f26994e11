"""CoAP: sensors and lights by the resources they offer and the names they register under.

RFC 7252 sections 3 (message, options) and 5.10 (option numbers); RFC 6690 (link format at
``/.well-known/core``); OMA LwM2M 1.1 core section 6.2.1 (``/rd?ep=name``). Values of resources are not
read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from medwarden.dissect.connection import Connection
from medwarden.dissect.octets import printable
from medwarden.model.segment import DissectorManifest, Transport

_URI_HOST, _URI_PATH, _CONTENT_FORMAT, _URI_QUERY = 3, 11, 12, 15
_LINK_FORMAT = b"\x28"
_GET, _POST, _CONTENT, _CREATED = 0x01, 0x02, 0x45, 0x41
_REQUESTS = range(0x01, 0x08)
_CODES = frozenset({0, *_REQUESTS, *range(0x41, 0x46), 0x5F, *range(0x80, 0x90), *range(0xA0, 0xA6)})
_MOST_OPTIONS, _MOST_LINKS = 64, 64
_LINK = re.compile(r"<(/[\w./-]{0,64})>((?:;[^,<]{0,256})?)")
_ATTRIBUTE = re.compile(r";(rt|if)=\"?([\w.:; +-]{1,128}?)\"?(?=;|$)")

Options = list[tuple[int, bytes]]


class CoapDissector(Connection):
    """Read the roles, the list of resources, and registrations with a device manager."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="coap",
        title="Constrained Application Protocol",
        transports=(Transport.UDP,),
        reference="RFC 7252, RFC 6690",
        ports=(5683,),
        volatile=((2, 4),),
        fields=(
            "coap.role", "coap.host", "coap.resource_type", "coap.interface", "coap.resource",
            "coap.endpoint_name", "coap.registration",
        ),
    )  # fmt: skip

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell whether the payload is a message of version 1 with a known code and whole options."""
        del from_client
        if len(payload) < 4 or payload[0] >> 6 != 1 or payload[0] & 15 > 8 or payload[1] not in _CODES:
            return False
        return (payload[1] == 0 and len(payload) == 4) or len(payload) > 4 + (payload[0] & 15)

    def datagram(self, payload: bytes, from_client: bool) -> None:
        """Read one message."""
        del from_client
        size = payload[0] & 15
        if payload[0] >> 6 != 1 or size > 8:
            raise self.malformed("no message of version 1", 0)
        code = payload[1]
        if len(payload) < 4 + size:
            raise self.malformed("a message ends within its token", 4)
        if not code:
            return
        options, body = self._options(payload, 4 + size)
        self.said("coap.role", "client" if code in _REQUESTS else "server")
        if code in _REQUESTS:
            self._request(code, options)
        elif code == _CONTENT and (_CONTENT_FORMAT, _LINK_FORMAT) in options:
            self.said_all(_links(printable(body)))

    def _options(self, payload: bytes, at: int) -> tuple[Options, bytes]:
        """Return the options by number and what follows the marker (RFC 7252 section 3.1)."""
        options: Options = []
        number = 0
        while at < len(payload) and len(options) < _MOST_OPTIONS:
            head = payload[at]
            at += 1
            if head == 0xFF:
                return options, payload[at:]
            parts = []
            for nibble in (head >> 4, head & 15):
                if nibble == 15:
                    raise self.malformed("an option with a reserved length", at - 1)
                extra = {13: 1, 14: 2}.get(nibble, 0)
                if at + extra > len(payload):
                    raise self.malformed("an option ends within its head", at)
                stated = int.from_bytes(payload[at : at + extra], "big")
                parts.append(nibble if not extra else stated + (13 if extra == 1 else 269))
                at += extra
            number += parts[0]
            if at + parts[1] > len(payload):
                raise self.malformed("an option reaches beyond its message", at)
            options.append((number, payload[at : at + parts[1]]))
            at += parts[1]
        return options, b""

    def _request(self, code: int, options: Options) -> None:
        path = [value for number, value in options if number == _URI_PATH]
        for number, value in options:
            if number == _URI_HOST:
                self.heard("coap.host", printable(value))
        if code == _POST and path == [b"rd"]:
            for number, value in options:
                name, _, text = value.partition(b"=")
                if number == _URI_QUERY and name == b"ep":
                    self.said("coap.endpoint_name", printable(text))
                elif number == _URI_QUERY and name == b"lwm2m":
                    self.said("coap.registration", f"LwM2M {printable(text)}")


def _links(text: str) -> Iterator[tuple[str, str]]:
    for number, link in enumerate(_LINK.finditer(text)):
        if number >= _MOST_LINKS:
            return
        if link[1] != "/.well-known/core":
            yield "coap.resource", link[1]
        for name, value in _ATTRIBUTE.findall(link[2]):
            for part in value.split():
                yield ("coap.resource_type" if name == "rt" else "coap.interface"), part


DISSECTOR = CoapDissector
