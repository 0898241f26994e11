"""IEEE 11073 SDC (and plain DPWS) over HTTP: what medical devices say of themselves in SOAP.

IEEE 11073-20701, 11073-20702 and 11073-10207; OASIS DPWS 1.1; SOAP 1.2. WS-Discovery, by which these
devices find each other, has a dissector of its own. The HTTP around the messages is told as by the HTTP
dissector.
"""

from __future__ import annotations

import re
from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.http import HttpDissector
from medwarden.dissect.http_message import HttpBody, HttpHead, http_pair
from medwarden.dissect.sdc_message import NAMES, SDC_NAMESPACES, STATES, SoapMessage, read_soap
from medwarden.model.segment import DissectorManifest, Transport

INFLATED_LIMIT = 256 * 1024
"""Where :meth:`HttpBody.content` cuts a body off."""
BODY_LIMIT = 96 * 1024
"""Bytes of one body read; the metadata of an MDIB stand at its beginning."""

_SOAP = "application/soap+xml"
_SOAP_REQUEST = re.compile(
    rb"\APOST [^\r\n]* HTTP/1\.[01]\r?\n(?:[^\r\n]+\r?\n)*?content-type:[ \t]*application/soap\+xml",
    re.IGNORECASE,
)
_DEVICE_PROFILE = (
    "manufacturer",
    "model_name",
    "model_number",
    "friendly_name",
    "firmware_version",
    "serial_number",
)


class Sdc(Connection):
    """Follow one SOAP connection and tell metadata, roles and the services offered.

    ``application`` is ``sdc`` once a message of 11073 was seen; until then the flow is HTTP like any other
    (printers and cameras speak SOAP 1.2 too; their device profile is told as ``dpws.*``).
    """

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="sdc",
        title="IEEE 11073 SDC over HTTP",
        transports=(Transport.TCP,),
        reference="IEEE 11073-20701, 11073-20702, 11073-10207; OASIS DPWS 1.1",
        starts=(b"POST ",),
        stream_bytes=128 * 1024,
        fields=(
            *(f"sdc.{name}" for name in NAMES),
            "sdc.role",
            "sdc.operation",
            "sdc.reports",
            *(f"dpws.{name}" for name in (*_DEVICE_PROFILE, "device_type", "service")),
            *HttpDissector.manifest.fields,
        ),
        medical=True,
    )

    def __init__(self) -> None:
        super().__init__()
        self.application = "http"
        self._http = HttpDissector()
        self._streams = http_pair(_kept)

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell a SOAP 1.2 request by its method and content type."""
        return from_client and _SOAP_REQUEST.match(payload[:4096]) is not None

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read messages of one direction."""
        data = inbox.take(len(inbox.data)) or b""
        self._facts.extend(self._http.feed(self.segment))
        for event in self._streams[0 if from_client else 1].feed(data):
            if isinstance(event, HttpBody) and (content := event.content()):
                self._message(read_soap(content, event.complete and len(content) < INFLATED_LIMIT))

    def _message(self, message: SoapMessage) -> None:
        if message.action.startswith(SDC_NAMESPACES):
            message.is_sdc = True
        if not message.is_sdc:
            allowed = Sdc.manifest.fields
            self.said_all((f"dpws.{n}", value) for n, value in message.facts if f"dpws.{n}" in allowed)
            return
        self.application = "sdc"
        for name, value in message.facts:
            say = self.said_state if name in STATES else self.said
            say(f"sdc.{name}", value)
        names = {name for name, _ in message.facts}
        if names & {"device_type", "mds_type"}:
            self.said("sdc.role", "provider")
        if "subscribes" in names:
            self.said("sdc.role", "consumer")
        if message.action.startswith(SDC_NAMESPACES):
            self._action(message.action)

    def _action(self, action: str) -> None:
        """Tell the role from the action (11073-20701 annex A): reports and responses are a provider's."""
        service, _, operation = action.rpartition("/")
        service = service.rpartition("/")[2]
        provides = operation.endswith(("Response", "Report", "WaveformStream"))
        self.said("sdc.role", "provider" if provides else "consumer")
        if service == "SetService" and not provides:
            self.said("sdc.operation", operation)
        elif operation.endswith(("Report", "WaveformStream")):
            self.said("sdc.reports", operation)


def _kept(head: HttpHead) -> int:
    return BODY_LIMIT if head.media_type == _SOAP else 0


DISSECTOR = Sdc
