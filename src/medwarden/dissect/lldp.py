"""LLDP: what switches, access points, phones and many medical gateways say of themselves.

IEEE 802.1AB-2016 clause 8 (basic TLVs), IEEE 802.1Q annex D (VLAN TLVs) and ANSI/TIA-1057 clause 10
(LLDP-MED inventory). LLDP frames are never forwarded: the sender is the neighbour itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from medwarden.dissect.octets import ip_text, mac_text, printable, text_or_hex
from medwarden.kernel.errors import MalformedInput
from medwarden.model.evidence import Evidence
from medwarden.model.segment import DissectorManifest, Segment, Transport

SOURCE = "lldp"

_END, _CHASSIS, _PORT, _TTL, _CAPABILITIES, _MANAGEMENT, _ORGANISATION = 0, 1, 2, 3, 7, 8, 127
_TEXT_TLVS = {4: "lldp.port_description", 5: "lldp.system_name", 6: "lldp.system_description"}
# Subtypes that hold a MAC or a network address (802.1AB 8.5.2.2 and 8.5.3.2); the rest is text.
_CHASSIS_MAC, _CHASSIS_NETWORK = 4, 5
_PORT_MAC, _PORT_NETWORK = 3, 4
_CAPABILITY_NAMES = (
    "other", "repeater", "bridge", "wlan_access_point", "router", "telephone", "docsis",
    "station_only", "c_vlan", "s_vlan", "two_port_mac_relay",
)  # fmt: skip
_OUI_8021 = b"\x00\x80\xc2"
_OUI_MED = b"\x00\x12\xbb"
_MED_INVENTORY = {
    5: "lldp.hardware_revision",
    6: "lldp.firmware",
    7: "lldp.software",
    8: "lldp.serial",
    9: "lldp.manufacturer",
    10: "lldp.model",
    11: "lldp.asset_id",
}
_MED_CLASSES = {
    1: "endpoint_class_1",
    2: "endpoint_class_2",
    3: "endpoint_class_3",
    4: "network_connectivity",
}
_MAX_TLVS = 256


class Lldp:
    """State the identity, port, capabilities and inventory a neighbour advertises."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name=SOURCE,
        title="LLDP",
        transports=(Transport.ETHERNET,),
        reference="IEEE 802.1AB-2016, ANSI/TIA-1057",
        ethertypes=(0x88CC,),
        fields=(
            "lldp.chassis_id",
            "lldp.port_id",
            *_TEXT_TLVS.values(),
            "lldp.capabilities",
            "lldp.management_address",
            "lldp.vlan",
            "lldp.vlan_name",
            "lldp.med_class",
            *_MED_INVENTORY.values(),
        ),
    )

    def __init__(self) -> None:
        """Keep nothing: every frame is complete (802.1AB 9.1.2.2)."""

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:  # noqa: ARG004 - part of the protocol
        """Tell whether ``payload`` starts with a chassis ID TLV of plausible length."""
        return len(payload) >= 6 and payload[0] == 0x02 and payload[1] >= 2

    def feed(self, segment: Segment) -> Iterator[Evidence]:
        """Yield the facts of one frame.

        Raises MalformedInput when a TLV overruns the frame or the first TLV is no chassis ID.
        """
        payload = segment.payload
        if len(payload) < 4 or payload[0] >> 1 != _CHASSIS:
            raise MalformedInput(SOURCE, "frame does not start with a chassis ID", 0)
        offset = 0
        for _ in range(_MAX_TLVS):
            if offset + 2 > len(payload):
                return
            kind = payload[offset] >> 1
            length = (payload[offset] & 1) << 8 | payload[offset + 1]
            offset += 2
            if kind == _END:
                return
            if offset + length > len(payload):
                raise MalformedInput(SOURCE, f"TLV of type {kind} overruns the frame", offset)
            for field, value in _tlv(kind, payload[offset : offset + length]):
                if value:
                    yield segment.said(field, value, SOURCE)
            offset += length


def _tlv(kind: int, value: bytes) -> Iterator[tuple[str, str]]:
    if kind in _TEXT_TLVS:
        yield _TEXT_TLVS[kind], printable(value)
    elif kind == _CHASSIS and value:
        yield "lldp.chassis_id", _identifier(value, _CHASSIS_MAC, _CHASSIS_NETWORK)
    elif kind == _PORT and value:
        yield "lldp.port_id", _identifier(value, _PORT_MAC, _PORT_NETWORK)
    elif kind == _CAPABILITIES and len(value) >= 4:
        enabled = int.from_bytes(value[2:4], "big")
        names = [name for bit, name in enumerate(_CAPABILITY_NAMES) if enabled >> bit & 1]
        yield "lldp.capabilities", ",".join(names)
    elif kind == _MANAGEMENT and value:
        # Length counts the subtype octet, the IANA address family (802.1AB 8.5.9).
        address = value[2 : 1 + value[0]]
        if value[1:2] in (b"\x01", b"\x02"):
            yield "lldp.management_address", ip_text(address) or ""
        elif value[1:2] == b"\x06":
            yield "lldp.management_address", mac_text(address) or ""
    elif kind == _ORGANISATION and len(value) >= 4:
        yield from _organisation(value[:3], value[3], value[4:])


def _organisation(oui: bytes, subtype: int, value: bytes) -> Iterator[tuple[str, str]]:
    if oui == _OUI_MED:
        if subtype in _MED_INVENTORY:
            yield _MED_INVENTORY[subtype], printable(value)
        elif subtype == 1 and len(value) >= 3:
            yield "lldp.med_class", _MED_CLASSES.get(value[2], "")
    elif oui == _OUI_8021 and len(value) >= 2:
        vlan = int.from_bytes(value[:2], "big")
        if subtype == 1 and 0 < vlan < 4095:
            yield "lldp.vlan", str(vlan)
        elif subtype == 3 and len(value) >= 3:
            yield "lldp.vlan_name", printable(value[3 : 3 + value[2]])


def _identifier(value: bytes, mac_subtype: int, network_subtype: int) -> str:
    """Return a chassis or port ID in the text form of its subtype."""
    subtype, body = value[0], value[1:]
    if subtype == mac_subtype:
        return mac_text(body) or body[:32].hex()
    if subtype == network_subtype:
        return ip_text(body[1:]) or body[:32].hex()
    return text_or_hex(body)


DISSECTOR = Lldp
