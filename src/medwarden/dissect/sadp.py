"""SADP: Hikvision cameras, recorders and their rebrands as they answer the maker's search tool.

Hikvision publishes no standard; an XML document in a datagram on port 37020, after public descriptions.
Only the answer (``ProbeMatch``) is read.
"""

from __future__ import annotations

from typing import ClassVar

from medwarden.dissect.connection import Connection
from medwarden.dissect.identities import mac_in
from medwarden.dissect.xml_elements import xml_elements
from medwarden.model.evidence import clean
from medwarden.model.segment import DissectorManifest, Transport

_TEXTS = {
    "DeviceDescription": "sadp.model",
    "DeviceType": "sadp.device_type",
    "DeviceSN": "sadp.serial_number",
    "SoftwareVersion": "sadp.firmware",
    "DSPVersion": "sadp.dsp_version",
    "OEMInfo": "sadp.brand",
    "IPv4Address": "sadp.address",
    "Activated": "sadp.activated",
}


class SadpDissector(Connection):
    """Read one answer to a search."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="sadp",
        title="Hikvision device search",
        transports=(Transport.UDP,),
        reference="SADP, as publicly described",
        ports=(37020,),
        fields=("sadp.mac", *_TEXTS.values()),
    )

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell a search or its answer by the root element."""
        del from_client
        head = payload[:128]
        return head.lstrip().startswith(b"<?xml") and (b"<ProbeMatch>" in head or b"<Probe>" in head)

    def datagram(self, payload: bytes, from_client: bool) -> None:
        """Read one document."""
        del from_client
        for element in xml_elements(payload, self.manifest.name):
            if len(element.path) != 2 or element.path[0] != "ProbeMatch":
                continue
            name, value = element.path[1], clean(element.text)
            if name in _TEXTS:
                self.said(_TEXTS[name], value)
            elif name == "MAC":
                self.said("sadp.mac", mac_in(value))


DISSECTOR = SadpDissector
