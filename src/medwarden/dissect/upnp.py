"""UPnP device descriptions: the XML a device serves at the LOCATION its SSDP messages name.

UPnP Device Architecture 2.0, section 2.3. The document travels over HTTP; the HTTP dissector hands
over bodies, so this module has no dissector of its own.
"""

from __future__ import annotations

from medwarden.dissect.xml_elements import xml_elements
from medwarden.model.evidence import clean

SOURCE = "upnp"

_FIELDS = {
    "friendlyName": "upnp.friendly_name",
    "manufacturer": "upnp.manufacturer",
    "manufacturerURL": "upnp.manufacturer_url",
    "modelName": "upnp.model_name",
    "modelNumber": "upnp.model_number",
    "modelDescription": "upnp.model_description",
    "serialNumber": "upnp.serial_number",
    "UDN": "upnp.udn",
    "UPC": "upnp.upc",
    "deviceType": "upnp.device_type",
    "presentationURL": "upnp.presentation_url",
    "firmwareVersion": "upnp.firmware_version",
    "softwareVersion": "upnp.software_version",
    "hardwareVersion": "upnp.hardware_version",
    "macAddress": "upnp.mac_address",
}
FIELDS = tuple(_FIELDS.values())
"""Every field :func:`facts_of_description` may return, for the manifest of the caller."""


def is_description(body: bytes) -> bool:
    """Tell cheaply whether ``body`` looks like a device description (its namespace is near the start)."""
    return b"urn:schemas-upnp-org:device-1-0" in body[:1024]


def facts_of_description(xml: bytes) -> list[tuple[str, str]]:
    """Return (field, value) pairs of the root device, in document order, each field once.

    Embedded devices (``deviceList``) describe functions of the same box and are left out. A document
    without a ``device`` element below the root gives nothing. Raises MalformedInput when ``xml`` is
    not well-formed or has a document type declaration.
    """
    facts: dict[str, str] = {}
    for element in xml_elements(xml, SOURCE):
        path = element.path
        if len(path) != 3 or path[1] != "device":
            continue
        field = _FIELDS.get(path[2])
        if field is None or field in facts:
            continue
        if value := clean(element.text):
            facts[field] = value
    return list(facts.items())
