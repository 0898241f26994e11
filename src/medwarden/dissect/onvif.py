"""ONVIF: what cameras, recorders and door stations answer over their device service.

ONVIF Core Specification 8.1 (GetDeviceInformation), 8.4 (GetScopes; 7.3.2.2 names, hardware and places in
scopes), 8.2 (GetHostname, GetNetworkInterfaces). The messages are SOAP over HTTP, which hands over bodies,
so this module has no dissector of its own.
"""

from __future__ import annotations

from urllib.parse import unquote

from medwarden.dissect.identities import mac_in
from medwarden.dissect.xml_elements import xml_elements
from medwarden.model.evidence import clean

SOURCE = "onvif"

_NAMESPACE = b"www.onvif.org/ver10/device/wsdl"
_INFORMATION = {
    "Manufacturer": "onvif.manufacturer",
    "Model": "onvif.model",
    "FirmwareVersion": "onvif.firmware",
    "SerialNumber": "onvif.serial_number",
    "HardwareId": "onvif.hardware_id",
}
_SCOPES = {"name": "onvif.name", "hardware": "onvif.hardware", "location": "onvif.location"}
_SCOPE = "onvif://www.onvif.org/"
FIELDS = (*_INFORMATION.values(), *_SCOPES.values(), "onvif.host_name", "onvif.mac")
"""Every field :func:`facts_of_answer` may return, for the manifest of the caller."""


def is_answer(body: bytes) -> bool:
    """Tell cheaply whether ``body`` looks like an answer of the device service."""
    return _NAMESPACE in body[:4096] and b"Response" in body


def facts_of_answer(xml: bytes) -> list[tuple[str, str]]:
    """Return (field, value) pairs of an answer, in document order, each once.

    Raises MalformedInput when ``xml`` is not well-formed or has a document type declaration.
    """
    facts: dict[tuple[str, str], None] = {}
    for element in xml_elements(xml, SOURCE):
        answer = element.path[2] if len(element.path) > 3 else ""
        name, text = element.path[-1], clean(element.text)
        if not text:
            continue
        if answer == "GetDeviceInformationResponse" and name in _INFORMATION:
            facts[_INFORMATION[name], text] = None
        elif answer == "GetScopesResponse" and name == "ScopeItem" and text.startswith(_SCOPE):
            kind, _, value = text[len(_SCOPE) :].partition("/")
            field = _SCOPES.get(kind.lower())
            if field and (value := clean(unquote(value))):
                facts[field, value] = None
        elif answer == "GetHostnameResponse" and name == "Name":
            facts["onvif.host_name", text] = None
        elif answer == "GetNetworkInterfacesResponse" and name == "HwAddress" and mac_in(text):
            facts["onvif.mac", mac_in(text)] = None
    return list(facts)
