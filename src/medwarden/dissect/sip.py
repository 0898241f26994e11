"""SIP: what telephones, nurse-call and intercom systems and their servers run.

RFC 3261 sections 7 (messages), 18.3 (framing), 20.35 (Server), 20.41 (User-Agent); RFC 5626 section 4.1
(instance id). Names and numbers of people in From, To and Contact are not read.
"""

from __future__ import annotations

from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.identities import mac_in
from medwarden.dissect.text_message import TextHead, parse_head, take_head
from medwarden.model.segment import DissectorManifest, Transport

_METHODS = (
    b"REGISTER ", b"INVITE ", b"OPTIONS ", b"ACK ", b"BYE ", b"CANCEL ", b"SUBSCRIBE ", b"NOTIFY ",
    b"PUBLISH ", b"INFO ", b"REFER ", b"MESSAGE ", b"UPDATE ", b"PRACK ",
)  # fmt: skip
_SHORTEST = 16
_COMPACT = {"l": "content-length", "m": "contact"}


class SipDissector(Connection):
    """Read heads of requests and responses on either transport."""

    from_payloads: ClassVar[bool] = True
    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="sip",
        title="Session Initiation Protocol",
        transports=(Transport.TCP, Transport.UDP),
        reference="RFC 3261, RFC 5626",
        ports=(5060, 5062, 5080),
        starts=(b"SIP/2.0 ", *(m for m in _METHODS if m not in (b"OPTIONS ", b"NOTIFY ", b"SUBSCRIBE "))),
        stream_bytes=16384,
        fields=("sip.user_agent", "sip.server", "sip.instance", "sip.mac", "sip.method", "sip.auth_scheme"),
    )

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell whether the payload opens with a request or status line of SIP."""
        del from_client
        if payload.startswith(b"SIP/2.0 "):
            return True
        return payload.startswith(_METHODS) and b"SIP/2.0" in payload.partition(b"\n")[0]

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read the messages of one direction of a stream."""
        del from_client
        while inbox.data:
            if inbox.data[0] in b"\r\n":
                inbox.discard(1)  # RFC 5626 section 4.4.1: keep-alive
                continue
            head = take_head(inbox, _COMPACT)
            if head is None:
                return
            self._head(head)
            inbox.discard(head.length("sip"))

    def datagram(self, payload: bytes, from_client: bool) -> None:
        """Read one message in a datagram."""
        del from_client
        # Keep-alives of a few octets are whatever their sender likes; RFC 5626 3.5.2 has blank lines.
        if len(payload) >= _SHORTEST and payload.strip(b"\r\n\0 "):
            self._head(parse_head(payload.partition(b"\r\n\r\n")[0], _COMPACT))

    def _head(self, head: TextHead) -> None:
        method, _, rest = head.start.partition(" ")
        if method != "SIP/2.0":
            if not rest.endswith("SIP/2.0") or not method.isalpha():
                raise self.malformed("no SIP start line")
            self.said("sip.method", method)
        self.said("sip.user_agent", head.fields.get("user-agent", ""))
        self.said("sip.server", head.fields.get("server", ""))
        for name in ("authorization", "www-authenticate"):
            self.said("sip.auth_scheme", head.fields.get(name, "").partition(" ")[0].lower())
        _, found, instance = head.fields.get("contact", "").partition('+sip.instance="<')
        if found:
            instance = instance.partition(">")[0]
            self.said("sip.instance", instance)
            # Telephones of Cisco and others form the id of their MAC address.
            if "00000000-0000-" in instance:
                self.said("sip.mac", mac_in(instance.rpartition("-")[2]))


DISSECTOR = SipDissector
