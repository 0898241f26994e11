"""Read the SOAP messages of IEEE 11073 SDC: device metadata, the head of the MDIB, what is asked for.

IEEE 11073-20701 (SDC binding), 11073-20702 (MDPWS), 11073-10207 (BICEPS participant model); OASIS DPWS 1.1.
Namespaces in XML over expat; a document type declaration is refused, so no entity is ever expanded. A
message cut short is read as far as it goes. Of patients only that one is associated is told.
"""

from __future__ import annotations

from xml.parsers import expat

import msgspec

from medwarden.kernel.errors import MalformedInput

SDC_NAMESPACES = "http://standards.ieee.org/downloads/11073/11073-"
MAX_DEPTH = 48
MAX_TEXT = 1024
MAX_ELEMENTS = 20_000

_DPWS = ("http://docs.oasis-open.org/ws-dd/ns/dpws/2009/01", "http://schemas.xmlsoap.org/ws/2006/02/devprof")
_ADDRESSING = ("http://www.w3.org/2005/08/addressing", "http://schemas.xmlsoap.org/ws/2004/08/addressing")
_PARTICIPANT = SDC_NAMESPACES + "10207-2017/participant"
_MEDICAL_NAMESPACE = SDC_NAMESPACES + "20702-2016"

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

_OTHER_NAMES = (
    *("production_specification", "udi_di", "mds_type", "device_type", "service"),
    *("location", "patient_data"),
)
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
        if namespace != _PARTICIPANT:
            return
        parent = self.path[-2] if len(self.path) > 1 else ""
        if local == "Type" and parent == "Mds":
            self._tell("mds_type", attributes.get("Code", ""))
        elif local == "SpecType":
            self.specification = attributes.get("Code", "")
        elif local == "LocationDetail" and parent == "ContextState":
            self._tell("location", attributes.get("PoC", ""))

    def end(self, _name: str) -> None:
        local, namespace = self.path.pop(), self.namespaces.pop()
        text, self.text = "".join(self.text).strip()[:MAX_TEXT], []
        parent = self.path[-1] if self.path else ""
        if namespace in _ADDRESSING:
            if local == "Action" and parent == "Header":
                self.message.action = text
        elif namespace in _DPWS:
            self._device_profile(local, parent, text)
        elif namespace == _PARTICIPANT:
            self._participant(local, parent, text)

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
        elif parent == "ProductionSpecification" and local == "ProductionSpec":
            known = _PRODUCTION_SPECIFICATIONS.get(self.specification)
            value = text if known else f"{self.specification} {text}"
            self._tell(known or "production_specification", value)
        elif parent == "CoreData" and local in _PATIENT_DATA and (text or local == "Identification"):
            self._tell("patient_data", "yes")

    def characters(self, data: str) -> None:
        if len(self.text) < 64:
            self.text.append(data[:MAX_TEXT])

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
