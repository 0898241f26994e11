"""A multicast-DNS question sent to one address: which services a device announces.

RFC 6762 section 5.5 (direct unicast queries), section 6.7 (a question from another port than 5353 is
answered to that port), RFC 6763 section 9 (service type enumeration).
"""

from __future__ import annotations

import secrets
import struct
from typing import ClassVar

from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Transport
from medwarden.sensors.active.exchange import Exchange
from medwarden.sensors.active.prober import ProbeManifest, ProbeSetting

_PTR, _IN_UNICAST = 12, 0x8001
_QUESTION = b"\x09_services\x07_dns-sd\x04_udp\x05local\x00"


class MdnsQuery:
    """Ask one device for the types of its services."""

    manifest: ClassVar = ProbeManifest(
        name="mdns_query",
        title="mDNS query",
        transport=Transport.UDP,
        port=5353,
        dissector="mdns",
        reference="RFC 6762 section 5.5, RFC 6763 section 9",
        asks="one PTR question for _services._dns-sd._udp.local",
    )

    def missing(self, setting: ProbeSetting) -> str:
        """Need nothing."""
        del setting
        return ""

    def converse(self, line: Exchange, setting: ProbeSetting) -> None:
        """Send one question and hear one answer."""
        del setting
        number = secrets.token_bytes(2)
        line.say(
            number + struct.pack(">5H", 0, 1, 0, 0, 0) + _QUESTION + struct.pack(">HH", _PTR, _IN_UNICAST)
        )

        def answers(heard: bytes) -> bool:
            # Section 6.7: a legacy answer repeats the number; some send the 0 of a multicast answer.
            if len(heard) < 12 or heard[:2] not in (number, b"\0\0") or not heard[2] & 0x80:
                raise MalformedInput("mdns_query", "the datagram is no answer to the question", 0)
            return True

        line.hear(answers)


PROBER = MdnsQuery
