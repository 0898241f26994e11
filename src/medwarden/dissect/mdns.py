"""Multicast DNS and DNS-SD: services, names and the make and model that devices announce.

RFC 6762 (messages) and RFC 6763 (services, TXT keys). Known answers in a query (RFC 6762 7.1) repeat
what others said and are no facts; the authority section of a probe (8.2) is what the sender claims.
Reflectors and sleep proxies speak for others: a message whose address records do not include its
sender is attributed to the addresses it names.
"""

from __future__ import annotations

from typing import ClassVar

from medwarden.dissect._core import Announcements, split_service
from medwarden.model.evidence import Evidence
from medwarden.model.segment import DissectorManifest, Segment, Transport

__all__ = ["DISSECTOR", "IDENTITY_KEYS", "Mdns", "split_service"]

SOURCE = "mdns"

IDENTITY_KEYS = (
    "am", "adminurl", "bv", "ci", "device", "deviceid", "devicename", "dn", "dt",
    "firmware", "fn", "friendlyname", "fv",
    "fw", "fwversion", "hwver", "id", "mac", "macaddress", "manufacturer", "md", "mdl", "mfg", "model",
    "modelname", "name", "nm", "note", "os",
    "osvers", "osxvers", "ov", "pdl", "pn", "product", "rpmd", "rpvr", "serial",
    "serialnumber", "sn", "srcvers", "swver", "ty", "type", "usb_mdl", "usb_mfg", "uuid", "ve", "vendor",
    "ver", "vers", "version", "vp",
)  # fmt: skip
"""TXT keys that name a device, in lower case (RFC 6763 6.4: keys ignore case)."""

_KEYS = {key.encode("ascii"): f"mdns.txt.{key}" for key in IDENTITY_KEYS}
announcements = Announcements(_KEYS)


class Mdns:
    """State what responders announce and which services queriers look for."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name=SOURCE,
        title="Multicast DNS",
        transports=(Transport.UDP,),
        reference="RFC 6762, RFC 6763",
        ports=(5353,),
        volatile=((0, 2),),
        fields=(
            "mdns.query",
            "mdns.service",
            "mdns.subtype",
            "mdns.instance",
            "mdns.host_name",
            "mdns.cpu",
            "mdns.os",
            *_KEYS.values(),
        ),
    )

    def __init__(self) -> None:
        """Keep nothing: every datagram stands alone."""

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:  # noqa: ARG004 - both sides multicast
        """Tell whether ``payload`` is a DNS query or response with opcode and rcode 0 (RFC 6762 18)."""
        return len(payload) >= 12 and payload[2] & 0x78 == 0 and payload[3] & 0x0F == 0

    def feed(self, segment: Segment) -> list[Evidence]:
        """Return the facts of one message; raises MalformedInput when it breaks RFC 1035."""
        return announcements.facts(segment)


DISSECTOR = Mdns
