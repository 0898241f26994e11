"""FHIR REST over clear-text HTTP: who serves it with what software, who asks what, of which devices.

HL7 FHIR R4 and R5 (field names of both, DSTU2 and STU3 media types): RESTful API, CapabilityStatement,
Device, DeviceDefinition, DeviceMetric, Observation.device. Nothing of a Patient, no other text about people,
no logical id, no query value and no reference leaves this module; a serial number not where the device
is a patient's own. A device in a resource is spoken of, not speaking: it is told as ``fhir.source_*`` of
whoever sent the resource.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from medwarden.dissect.fhir_resource import Resource, resources
from medwarden.dissect.http import HttpDissector
from medwarden.dissect.http_carried import HEAD_BYTES, METHODS, PORTS, STREAM_BYTES, HttpCarried
from medwarden.dissect.http_message import HttpBody, HttpHead
from medwarden.dissect.http_paths import public_path
from medwarden.model.segment import DissectorManifest, Transport

BODY_LIMIT = 48 * 1024
INFLATED_LIMIT = 256 * 1024
"""Where :meth:`HttpBody.content` cuts a body off."""

_MEDIA = ("application/fhir+json", "application/fhir+xml", "application/json+fhir", "application/xml+fhir")
_TYPE_NAMES = """
AllergyIntolerance Appointment AppointmentResponse AuditEvent Basic Binary BodyStructure Bundle
CapabilityStatement CarePlan CareTeam ChargeItem Claim ClaimResponse ClinicalImpression CodeSystem
Communication CommunicationRequest Composition ConceptMap Condition Conformance Consent Contract Coverage
DetectedIssue Device DeviceAlert DeviceAssociation DeviceComponent DeviceDefinition DeviceDispense
DeviceMetric DeviceRequest DeviceUsage DeviceUseStatement DiagnosticOrder DiagnosticReport DocumentManifest
DocumentReference Encounter Endpoint EpisodeOfCare ExplanationOfBenefit FamilyMemberHistory Flag Goal Group
HealthcareService ImagingSelection ImagingStudy Immunization List Library Location Measure MeasureReport
Media Medication MedicationAdministration MedicationDispense MedicationOrder MedicationRequest
MedicationStatement MessageDefinition MessageHeader NamingSystem NutritionOrder Observation
ObservationDefinition OperationDefinition OperationOutcome Organization OrganizationAffiliation Parameters
Patient Person PlanDefinition Practitioner PractitionerRole Procedure ProcedureRequest Provenance
Questionnaire QuestionnaireResponse RelatedPerson RequestGroup ResearchStudy ResearchSubject RiskAssessment
Schedule SearchParameter ServiceRequest Slot Specimen StructureDefinition Subscription SubscriptionStatus
SubscriptionTopic Substance SupplyDelivery SupplyRequest Task TestReport Transport ValueSet
VisionPrescription
"""
_TYPES = frozenset(_TYPE_NAMES.split())
_ABOUT_PEOPLE = frozenset({"Patient", "Person", "RelatedPerson", "FamilyMemberHistory"})
_HEADER = re.compile(
    rb"\r?\n(?:accept|content-type):[^\r\n]*application/(?:fhir\+(?:json|xml)|(?:json|xml)\+fhir)\b"
)
_PATH = re.compile(
    r"/(?:fhir\w*|base(?:dstu\d?|r\d\w?)|r[45]b?)/(?:.*/)?([A-Za-z]+)(?:[/?]|\Z)", re.IGNORECASE
)
_BASE = re.compile(rb"/(?:fhir|base[dr]|r[45])", re.IGNORECASE)
_VERB = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_VERSION = re.compile(r"[0-9](?:\.[0-9]{1,3}){0,2}(?:-[a-z0-9.-]{1,24})?\Z")
_PARAMETER = re.compile(r"fhirversion\s*=\s*\"?([0-9.]{1,8})", re.IGNORECASE)
# Names that patients or their families gave a device stay unsaid (value set device-nametype).
_NAME_TYPES = frozenset({"udi-label-name", "manufacturer-name", "model-name", "registered-name"})
_NOMENCLATURE = "urn:iso:std:iso:11073:10101"
_SOURCE = ("manufacturer", "model", "serial", "udi", "version", "type", "name")


class Fhir(HttpCarried):
    """Follow one connection to a FHIR server."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="fhir",
        title="HL7 FHIR over HTTP",
        transports=(Transport.TCP,),
        reference="HL7 FHIR R4 and R5, RESTful API",
        ports=PORTS,
        starts=METHODS,
        stream_bytes=STREAM_BYTES,
        opening_tells=True,
        fields=(
            "fhir.role",
            "fhir.base_path",
            "fhir.format",
            "fhir.interaction",
            "fhir.version",
            "fhir.software_name",
            "fhir.software_version",
            "fhir.publisher",
            "fhir.resource",
            "fhir.metric",
            "fhir.observation_source",
            "fhir.patient_data",
            *(f"fhir.source_{name}" for name in _SOURCE),
            *HttpDissector.manifest.fields,
        ),
        medical=True,
    )

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell a request or response by its FHIR media type, or a request by base path and resource type."""
        if not payload.startswith(METHODS[:-1] if from_client else METHODS[-1]):
            return False
        head = payload[:HEAD_BYTES]
        says_fhir = b"fhir+" in head or b"+fhir" in head
        if says_fhir and _HEADER.search(head.partition(b"\r\n\r\n")[0].lower()):
            return True
        if not from_client:
            return False
        line = head.partition(b"\r\n")[0].split(b" ")
        if len(line) != 3 or not _BASE.search(line[1]):
            return False
        return _interaction("GET", line[1].decode("latin-1")) is not None

    def kept(self, head: HttpHead) -> int:
        """Keep bodies of FHIR media types, and JSON or XML that answers a FHIR request."""
        media = head.media_type
        if media in _MEDIA:
            return BODY_LIMIT
        plain = media in ("application/json", "application/xml", "text/xml")
        return BODY_LIMIT if plain and head.target and _interaction(head.method, head.target) else 0

    def request(self, head: HttpHead) -> None:
        """Tell what is asked: the interaction and the type of resource, never which one."""
        asked = _interaction(head.method, head.target)
        if asked is None:
            return
        interaction, base = asked
        self.said("fhir.role", "client")
        self.said("fhir.interaction", interaction)
        if base and public_path(base) == base:
            self.heard("fhir.base_path", base)
        self._media(head)

    def response(self, head: HttpHead) -> None:
        """Tell that a server of FHIR answers."""
        if head.media_type in _MEDIA or (
            head.status < 400 and self.kept(head) and _interaction(head.method, head.target)
        ):
            self.said("fhir.role", "server")
            self._media(head)

    def _media(self, head: HttpHead) -> None:
        media = head.media_type
        if media in _MEDIA:
            self.said("fhir.format", "xml" if "xml" in media else "json")
        for header in ("content-type", "accept"):
            if stated := _PARAMETER.search(head.headers.get(header, "")):
                self.said("fhir.version", stated[1])

    def body(self, body: HttpBody) -> None:
        """Read the resources of a body."""
        content = body.content()
        if not content.strip():
            return
        complete = body.complete and len(content) < INFLATED_LIMIT
        is_xml = "xml" in body.head.media_type
        for resource in resources(content, is_xml, complete):
            self._resource(resource, complete)

    def _resource(self, resource: Resource, complete: bool) -> None:
        kind = resource.type
        if kind not in _TYPES:
            return
        self.said("fhir.resource", kind)
        if kind in _ABOUT_PEOPLE or _names_patient(resource):
            self.said("fhir.patient_data", "yes")
        if kind in ("CapabilityStatement", "Conformance"):
            self._capabilities(resource)
        elif kind in ("Device", "DeviceDefinition", "DeviceComponent"):
            self.said_all(_device(resource, complete))
        elif kind == "DeviceMetric":
            self.said_all(("fhir.metric", text) for text in _codings(resource, "type"))
        elif kind in ("Observation", "DiagnosticReport"):
            for reference in resource.texts("device", "reference"):
                referred = reference.rpartition("/")[0].rpartition("/")[2]
                if referred in ("Device", "DeviceMetric"):
                    self.said("fhir.observation_source", referred)

    def _capabilities(self, resource: Resource) -> None:
        """CapabilityStatement: what the server is (R4 section 5.1)."""
        self.said("fhir.role", "server")
        for field, path in (
            ("software_name", ("software", "name")),
            ("software_version", ("software", "version")),
            ("publisher", ("publisher",)),
        ):
            for text in resource.texts(*path)[:1]:
                self.said(f"fhir.{field}", text)
        for version in resource.texts("fhirVersion")[:1]:
            if _VERSION.match(version):
                self.said("fhir.version", version)


def _interaction(method: str, target: str) -> tuple[str, str] | None:
    """Return the interaction (RESTful API) with the type of resource, and the base path; None if no FHIR."""
    path, _, _ = target.partition("?")
    if "://" in path:
        path = "/" + path.partition("://")[2].partition("/")[2]
    segments = path.rstrip("/").split("/")[1:]
    at = next((i for i, part in enumerate(segments) if part in _TYPES or part == "metadata"), None)
    if at is None:
        return None
    if not _PATH.match("/" + "/".join(segments[: at + 1])) and not _ends_like_a_base(segments[:at]):
        return None
    base = "".join(f"/{part}" for part in segments[:at])
    kind, rest = segments[at], segments[at + 1 :]
    if kind == "metadata":
        return ("capabilities", base) if not rest else None
    if any(part.startswith("$") for part in rest):
        return f"operation {kind}", base
    if "_history" in rest:
        return f"history {kind}", base
    if rest[:1] == ["_search"]:
        return f"search {kind}", base
    if method in _VERB:
        return f"{_VERB[method]} {kind}", base
    return f"{'read' if rest else 'search'} {kind}", base


def _ends_like_a_base(segments: list[str]) -> bool:
    return (
        bool(segments)
        and re.fullmatch(r"(?i)fhir\w{0,8}|base(?:dstu\d|r\d\w?)|r[45]b?", segments[-1]) is not None
    )


def _names_patient(resource: Resource) -> bool:
    return any(resource.has(name) for name in ("subject", "patient")) and any(
        "Patient" in text or names[-1] in ("display", "value")
        for names, _, text in resource.values
        if names[:1] in (("subject",), ("patient",))
    )


def _codings(resource: Resource, *path: str) -> Iterator[str]:
    """Yield the codings of a concept: the display of one, or the term of 11073-10101."""
    for coding in resource.grouped(*path, "coding")[:8]:
        display, code = coding.get("display", ""), coding.get("code", "")
        if code.startswith("MDC_") or (coding.get("system") == _NOMENCLATURE and not display):
            yield code
        elif display:
            yield display


def _device(resource: Resource, complete: bool) -> Iterator[tuple[str, str]]:
    """Yield what a Device (R4 8.11, R5 8.12) or DeviceDefinition says of make, model and version."""
    fields = (
        ("manufacturer", ("manufacturer",)),
        ("manufacturer", ("manufacturerString",)),
        ("model", ("modelNumber",)),
        ("model", ("model",)),
        ("udi", ("udiCarrier", "deviceIdentifier")),
        ("udi", ("udiDeviceIdentifier", "deviceIdentifier")),
        ("version", ("version", "value")),
        ("version", ("deviceVersion", "value")),
        ("version", ("version",)),
    )
    for name, path in fields:
        for text in resource.texts(*path)[:4]:
            yield f"fhir.source_{name}", text
    # R4 names the patient whose device it is; then its serial number is as good as a name.
    if complete and not resource.has("patient") and resource.type == "Device":
        for text in resource.texts("serialNumber")[:1]:
            yield "fhir.source_serial", text
    for text in _codings(resource, "type"):
        yield "fhir.source_type", text
    for names in (resource.grouped("deviceName"), resource.grouped("name")):
        for given in names[:8]:
            if given.get("type") in _NAME_TYPES:
                yield "fhir.source_name", given.get("name") or given.get("value", "")


DISSECTOR = Fhir
