"""Spanning tree: switches by their bridge address.

IEEE 802.1D-2004 section 9.3 and 802.1Q-2018 clause 14 (configuration, rapid and multiple spanning tree), in
an LLC frame with service access point 0x42. Such frames are never forwarded: the sender is the neighbouring
bridge.
"""

from __future__ import annotations

import struct
from typing import ClassVar

from medwarden.dissect.octets import mac_text
from medwarden.kernel.errors import MalformedInput
from medwarden.model.evidence import Evidence
from medwarden.model.segment import DissectorManifest, Segment, Transport

SOURCE = "stp"

_LLC = b"\x42\x42\x03"
_CONFIGURATION, _RAPID, _CHANGE = 0x00, 0x02, 0x80
_LENGTH = 35
_VERSIONS = {0: "STP", 2: "RSTP", 3: "MSTP", 4: "SPT"}


class Stp:
    """State the bridge that sends, the root it knows and the version it speaks."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name=SOURCE,
        title="Spanning tree",
        transports=(Transport.ETHERNET,),
        reference="IEEE 802.1D-2004, IEEE 802.1Q-2018",
        ethertypes=(0,),
        fields=("stp.version", "stp.bridge", "stp.root", "stp.role"),
    )

    def __init__(self) -> None:
        """Keep nothing: every frame stands alone."""

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:  # noqa: ARG004 - part of the protocol
        """Tell whether ``payload`` is an LLC frame of the spanning tree."""
        return payload[:3] == _LLC and payload[3:5] == b"\0\0"

    def feed(self, segment: Segment) -> list[Evidence]:
        """Return the facts of one frame; other LLC frames give none.

        Raises MalformedInput when a frame of the spanning tree is cut short.
        """
        payload = segment.payload
        if not self.recognises(payload, True):
            return []
        if len(payload) < 7:
            raise MalformedInput(SOURCE, "frame is shorter than its header", len(payload))
        version, kind = payload[5], payload[6]
        if kind == _CHANGE:
            return [segment.said("stp.role", "bridge", SOURCE)]
        if kind not in (_CONFIGURATION, _RAPID):
            raise MalformedInput(SOURCE, f"frame of unknown type {kind}", 6)
        if len(payload) < 3 + _LENGTH:
            raise MalformedInput(SOURCE, "frame is shorter than 35 octets", len(payload))
        root, bridge = mac_text(payload[10:16]), mac_text(payload[22:28])
        (cost,) = struct.unpack_from(">I", payload, 16)
        facts = [segment.said("stp.role", "bridge" if cost or root != bridge else "root", SOURCE)]
        for field, value in (
            ("stp.version", _VERSIONS.get(version)), ("stp.bridge", bridge), ("stp.root", root),
        ):  # fmt: skip
            if value:
                facts.append(segment.said(field, value, SOURCE))
        return facts


DISSECTOR = Stp
