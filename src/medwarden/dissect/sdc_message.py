"""Read the SOAP messages of IEEE 11073 SDC: device metadata, the head of the MDIB, what is asked for.

IEEE 11073-20701 (SDC binding), 11073-20702 (MDPWS), 11073-10207 (BICEPS participant model); OASIS DPWS 1.1.
Namespaces in XML over expat; a document type declaration is refused, so no entity is ever expanded. A
message cut short is read as far as it goes. Of patients only that one is associated is told.
"""

from __future__ import annotations

from xml.parsers import expat

import msgspec

from medwarden.dissect.mdc import device_type
from medwarden.kernel.errors import MalformedInput

SDC_NAMESPACES = "http://standards.ieee.org/downloads/11073/11073-"
MAX_DEPTH = 48
MAX_TEXT = 1024
MAX_ELEMENTS = 20_000
_MAX_PIECE = 4096

_DPWS = ("http://docs.oasis-open.org/ws-dd/ns/dpws/2009/01", "http://schemas.xmlsoap.org/ws/2006/02/devprof")
_ADDRESSING = ("http://www.w3.org/2005/08/addressing", "http://schemas.xmlsoap.org/ws/2004/08/addressing")
_PARTICIPANT = SDC_NAMESPACES + "10207-2017/participant"
_MDC_SYSTEMS = (
    "urn:oid:1.2.840.10004.1.1.1.0.0.1",
    "urn:oid:1.3.111.2.11073.10101",
    "urn:oid:1.3.111.2.11073.10101.1",
)

# Children of ThisModel and ThisDevice (DPWS 1.1 section 5.1) and of MetaData (BICEPS B.146) -> fact.
_METADATA = {
    "Manufacturer": "manufacturer",
    "ModelName": "model_name",
    "ModelNumber": "model_number",
    "FriendlyName": "friendly_name",
    "FirmwareVersion": "firmware_version",
    "SerialNumber": "serial_number",
}
# 11073-10101 MDC_ID_PROD_SPEC_*: context-free codes.
_PRODUCTION_SPECIFICATIONS = {
    "531972": "serial_number",
    "531973": "part_number",
    "531974": "hardware_version",
    "531975": "software_version",
    "531976": "firmware_version",
}
_PATIENT_DATA = frozenset(
    {"Givenname", "Middlename", "Familyname", "Birthname", "DateOfBirth", "Identification"}
)

# Attributes of LocationDetail (11073-10207) -> fact; the point of care is the ward.
_PLACES = {
    "Facility": "facility",
    "Building": "building",
    "Floor": "floor",
    "PoC": "location",
    "Room": "room",
    "Bed": "bed",
}
_TYPED = {"Mds": "mds_type", "Vmd": "vmd_type", "Channel": "channel_type"}
# MdsState/@OperatingMode and AbstractDeviceComponentState/@ActivationState of 11073-10207.
_OPERATING_MODES = {"Nml": "normal", "Dmo": "demo", "Srv": "service", "Mtn": "maintenance"}
_ACTIVATIONS = {
    "On": "on",
    "NotRdy": "not ready",
    "StndBy": "standby",
    "Off": "off",
    "Shtdn": "shutdown",
    "Fail": "failed",
}
_CHARGE = {"Ful": "full", "ChB": "charging", "DisChB": "discharging", "DEB": "empty"}
_XSI_TYPE = "http://www.w3.org/2001/XMLSchema-instance type"
_EVENTING = "http://schemas.xmlsoap.org/ws/2004/08/eventing"
_MAX_TYPES = 48  # of VMDs and channels: a gateway's containment tree is long and says the same

_OTHER_NAMES = (
    *("production_specification", "udi_di", "udi", "mds_type", "vmd_type", "channel_type"),
    *("mds_description", "mds_count", "device_type", "service", "subscribes"),
    *_PLACES.values(),
    *("operating_mode", "activation_state", "active_alarm", "battery", "battery_percent"),
    *("patient_state", "patient_data"),
)
STATES = frozenset({"operating_mode", "activation_state", "battery", "battery_percent", "active_alarm"})
"""Names of facts that change, and are told each time they do."""
NAMES = tuple(
    dict.fromkeys((*_METADATA.values(), *_PRODUCTION_SPECIFICATIONS.values(), *_OTHER_NAMES)),
)
"""Names of the facts that a message can hold, without their prefix."""


class SoapMessage(msgspec.Struct):
    """What one message says: its wsa:Action, and (name, value) facts about its sender.

    ``is_sdc`` tells whether anything in it belongs to the namespaces of 11073.
    """

    action: str = ""
    is_sdc: bool = False
    facts: list[tuple[str, str]] = []


class _Reader:
    """Handlers of expat: a path of local names, and the text of the element being read."""

    def __init__(self) -> None:
        self.message = SoapMessage(facts=[])
        self.path: list[str] = []
        self.namespaces: list[str] = []
        self.text: list[str] = []
        self.specification = ""
        self.count = 0
        self.systems = 0
        self.types = 0
        self.capacity: dict[str, float] = {}

    def refuse(self, *_: object) -> None:
        raise MalformedInput("sdc", "XML document type declarations are not accepted")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.count += 1
        if len(self.path) >= MAX_DEPTH or self.count > MAX_ELEMENTS:
            raise MalformedInput("sdc", "XML nests too deeply or has too many elements")
        namespace, _, local = name.rpartition(" ")
        self.path.append(local)
        self.namespaces.append(namespace)
        self.text = []
        if namespace.startswith(SDC_NAMESPACES):
            self.message.is_sdc = True
            if local.endswith("State"):
                self._state(attributes)
        if namespace != _PARTICIPANT:
            return
        parent = self.path[-2] if len(self.path) > 1 else ""
        if local == "Type" and parent in _TYPED:
            self._type(parent, attributes)
        elif local == "Mds":
            self.systems += 1
        elif local == "SpecType":
            self.specification = attributes.get("Code", "")
        elif local == "LocationDetail" and parent in ("ContextState", "State"):
            for attribute, place in _PLACES.items():
                self._tell(place, attributes.get(attribute, "")[:MAX_TEXT].strip())
        elif local in ("CapacityFullCharge", "CapacityRemaining"):
            self._charge(local, attributes.get("MeasuredValue", ""))

    def _type(self, parent: str, attributes: dict[str, str]) -> None:
        self.types += 1
        if parent != "Mds" and self.types > _MAX_TYPES:
            return
        symbol = attributes.get("SymbolicCodeName", "")
        code = attributes.get("Code", "")
        # Codes of other systems than 11073-10101 are other things with the same numbers.
        own = attributes.get("CodingSystem", "urn:oid:1.2.840.10004.1.1.1.0.0.1") in _MDC_SYSTEMS
        name = symbol if symbol.startswith("MDC_") else device_type(code) if own else code
        self._tell(_TYPED[parent], name[:MAX_TEXT].strip())

    def _state(self, attributes: dict[str, str]) -> None:
        """Tell what a state says of use: mode, activation, alarms, battery, a patient connected."""
        kind = attributes.get(_XSI_TYPE, "").rpartition(":")[2]
        if kind == "MdsState":
            self._tell("operating_mode", _OPERATING_MODES.get(attributes.get("OperatingMode", ""), ""))
            self._tell("activation_state", _ACTIVATIONS.get(attributes.get("ActivationState", ""), ""))
        elif kind.endswith("AlertConditionState"):
            if attributes.get("Presence", "") in ("true", "1"):
                self._tell("active_alarm", "yes")
        elif kind == "BatteryState":
            self.capacity = {}
            self._tell("battery", _CHARGE.get(attributes.get("ChargeStatus", ""), ""))
        elif kind == "PatientContextState" and attributes.get("ContextAssociation") == "Assoc":
            self._tell("patient_state", "associated")

    def _charge(self, name: str, measured: str) -> None:
        """Tell how full a battery is, in tens of percent: every reading would be a fact of its own."""
        try:
            self.capacity[name] = float(measured[:16])
        except ValueError:
            return  # a measurement without a value: nothing is known
        full = self.capacity.get("CapacityFullCharge", 0.0)
        remaining = self.capacity.get("CapacityRemaining", -1.0)
        if 0 <= remaining <= full and full > 0:
            self._tell("battery_percent", str(round(10 * remaining / full) * 10))

    def end(self, _name: str) -> None:
        local, namespace = self.path.pop(), self.namespaces.pop()
        text, self.text = "".join(self.text).strip(), []
        if namespace != _EVENTING:
            text = text[:MAX_TEXT]
        parent = self.path[-1] if self.path else ""
        if namespace in _ADDRESSING:
            if local == "Action" and parent == "Header":
                self.message.action = text
        elif namespace in _DPWS:
            self._device_profile(local, parent, text)
        elif namespace == _EVENTING:
            if local == "Filter":
                self._subscription(text)
        elif namespace == _PARTICIPANT:
            self._participant(local, parent, text)

    def _subscription(self, text: str) -> None:
        """Tell which reports a consumer asks for: the filter is a list of actions (DPWS 1.1, 6.1)."""
        for action in text.split()[:32]:
            if action.startswith(SDC_NAMESPACES):
                self.message.is_sdc = True
                self._tell("subscribes", action.rpartition("/")[2])

    def _device_profile(self, local: str, parent: str, text: str) -> None:
        if parent in ("ThisModel", "ThisDevice") and local in _METADATA:
            self._tell(_METADATA[local], text)
        elif local == "Types" and parent in ("Host", "Hosted"):
            for name in text.split()[:32]:
                self._tell("device_type" if parent == "Host" else "service", name.rpartition(":")[2])
                if name.endswith(":MedicalDevice"):
                    self.message.is_sdc = True

    def _participant(self, local: str, parent: str, text: str) -> None:
        if parent == "MetaData" and local in _METADATA:
            self._tell(_METADATA[local], text)
        elif parent == "Udi" and local == "DeviceIdentifier":
            self._tell("udi_di", text)
        elif parent == "Udi" and local == "HumanReadableForm":
            self._tell("udi", text)
        elif local == "ConceptDescription" and self.path[-2:] == ["Mds", "Type"]:
            self._tell("mds_description", text)
        elif local == "MdDescription" and self.systems > 1:
            self._tell("mds_count", str(self.systems))
        elif parent == "ProductionSpecification" and local == "ProductionSpec":
            known = _PRODUCTION_SPECIFICATIONS.get(self.specification)
            value = text if known else f"{self.specification} {text}"
            self._tell(known or "production_specification", value)
        elif parent == "CoreData" and local in _PATIENT_DATA and (text or local == "Identification"):
            self._tell("patient_data", "yes")

    def characters(self, data: str) -> None:
        if len(self.text) < 64:
            self.text.append(data[:_MAX_PIECE])

    def _tell(self, name: str, value: str) -> None:
        if value and len(self.message.facts) < 256:
            self.message.facts.append((name, value))


def read_soap(document: bytes, complete: bool) -> SoapMessage:
    """Read a SOAP message; with ``complete`` false its end may be missing.

    Raises MalformedInput when it is not well-formed, has a document type declaration or a bound is passed.
    """
    reader = _Reader()
    # Said here, so that expat never asks Python's codecs for an encoding that the peer names.
    utf_16 = document[:2] in (b"\xff\xfe", b"\xfe\xff")
    parser = expat.ParserCreate("utf-16" if utf_16 else "utf-8", " ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.EntityDeclHandler = reader.refuse
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    try:
        parser.Parse(document, complete)
    except expat.ExpatError as error:
        reason = f"XML: {expat.ErrorString(error.code)}"
        raise MalformedInput("sdc", reason, parser.ErrorByteIndex) from error
    return reader.message
