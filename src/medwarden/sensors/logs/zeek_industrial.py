"""What the industrial logs of Zeek (Modbus, DNP3, and CISA's ICSNPP packages) say of whom.

Fields after the README files and scripts of cisagov/icsnpp-{bacnet,enip,modbus,s7comm,opcua-binary}. Who said
something is ``source_h`` where a package logs it, else the end that ``is_orig`` names.
"""

from __future__ import annotations

from collections.abc import Mapping

from medwarden.model.log_source import Tells
from medwarden.sensors.logs.zeek_logs import ORIG, RESP, SOURCE, Count, Flag, Log, Number, Said, Text, log_of

_WHO = {"is_orig": Flag, "source_h": Text}
_MAKE = (Tells.MAKE_AND_MODEL, Tells.FIRMWARE, Tells.SERIAL)

BACNET_PROPERTIES: Mapping[str, str] = {
    "application-software-version": "bacnet.application_software",
    "description": "bacnet.description",
    "firmware-revision": "bacnet.firmware_revision",
    "location": "bacnet.location",
    "model-name": "bacnet.model_name",
    "object-name": "bacnet.object_name",
    "serial-number": "bacnet.serial_number",
    "vendor-identifier": "bacnet.vendor_id",
    "vendor-name": "bacnet.vendor_name",
}
"""Properties of a device object (ASHRAE 135 clause 12.11) and our fields for them."""

MODBUS_OBJECTS: Mapping[int, str] = {
    0: "modbus.vendor_name",
    1: "modbus.product_code",
    2: "modbus.revision",
    3: "modbus.vendor_url",
    4: "modbus.product_name",
    5: "modbus.model_name",
    6: "modbus.user_application_name",
}
"""Objects of a device identification (Modbus application protocol V1.1b3, 6.21) and our fields for them."""

BACNET_FIELDS = ("bacnet.device_instance", *BACNET_PROPERTIES.values())
MODBUS_FIELDS = tuple(MODBUS_OBJECTS.values())


def _function(name: str) -> str | None:
    return name.removesuffix("_EXCEPTION").replace("_", " ").lower()


INDUSTRIAL: Mapping[str, Log] = {
    "modbus": log_of(
        {"func": Text},
        Said("func", "modbus.role", ORIG, lambda _name: "client"),
        Said("func", "modbus.function", ORIG, _function),
        Said("func", "modbus.role", RESP, lambda _name: "server"),
        tells=(Tells.APPLICATION,),
    ),
    "modbus_read_device_identification": log_of(
        {**_WHO, "object_id_code": Count, "object_value": Text},
        tells=_MAKE,
        signature="object_id_code object_value",
    ),
    "bacnet_discovery": log_of(
        {**_WHO, "pdu_service": Text, "object_type": Text, "instance_number": Number, "vendor": Text},
        tells=(Tells.MAKE_AND_MODEL, Tells.NAME),
        signature="pdu_service vendor",
    ),
    "bacnet_property": log_of(
        {**_WHO, "pdu_service": Text, "object_type": Text, "property": Text, "value": Text},
        tells=(*_MAKE, Tells.LOCATION, Tells.NAME),
        signature="pdu_service property",
    ),
    "cip_identity": log_of(
        {
            **_WHO,
            "vendor_id": Number | Text,
            "device_type_id": Number | Text,
            "product_code": Number | Text,
            "revision": Number | Text,
            "serial_number": Number | Text,
            "product_name": Text,
        },
        Said("vendor_id", "enip.vendor_id", SOURCE),
        Said("device_type_id", "enip.device_type", SOURCE),
        Said("product_code", "enip.product_code", SOURCE),
        Said("revision", "enip.revision", SOURCE),
        Said("serial_number", "enip.serial_number", SOURCE, lambda text: text.lower().removeprefix("0x")),
        Said("product_name", "enip.product_name", SOURCE),
        tells=_MAKE,
        signature="product_name device_type_id",
    ),
    "s7comm": log_of(
        {"rosctr_code": Number},
        Said("rosctr_code", "s7.role", ORIG, lambda _code: "client"),
        Said("rosctr_code", "s7.role", RESP, lambda _code: "server"),
        tells=(Tells.APPLICATION,),
        signature="rosctr_code",
    ),
    "opcua_binary_get_endpoints_description": log_of(
        {**_WHO, "endpoint_uri": Text, "application_uri": Text, "product_uri": Text, "text": Text},
        Said("endpoint_uri", "opcua.endpoint_url", SOURCE),
        Said("application_uri", "opcua.application_uri", SOURCE),
        Said("product_uri", "opcua.product_uri", SOURCE),
        Said("text", "opcua.application_name", SOURCE),
        tells=(Tells.MAKE_AND_MODEL, Tells.NAME),
        signature="endpoint_uri application_uri",
    ),
}
"""``modbus`` without a signature is told by path or name; its records have few fields of their own."""
