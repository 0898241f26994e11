"""Wireless Communications Transfer Protocol over HTTP: who hands pages to whom.

WCTP 1.3 (Paging Technical Committee), section 4 (operations): an XML document ``wctp-Operation`` in an HTTP
POST to an address that by convention has ``wctp`` in its path, answered in the response. Documents name a
document type, which is why they are searched for the names of operations and not read as XML: senders,
recipients and texts never leave the connection. The HTTP around them is told as by the HTTP dissector.
"""

from __future__ import annotations

import re
from typing import ClassVar

from medwarden.dissect.http import HttpDissector
from medwarden.dissect.http_carried import PORTS, HttpCarried
from medwarden.dissect.http_message import HttpBody, HttpHead
from medwarden.dissect.octets import printable
from medwarden.model.segment import DissectorManifest, Transport

BODY_LIMIT = 16 * 1024

_REQUEST = re.compile(rb"\APOST [^ \r\n]*wctp[^ \r\n]* HTTP/1\.[01]\r?\n", re.IGNORECASE)
_OPERATION = re.compile(rb"<wctp-Operation\b[^>]{0,512}>", re.IGNORECASE)
_VERSION = re.compile(rb"wctpVersion\s*=\s*[\"']([A-Za-z0-9.-]{1,32})[\"']", re.IGNORECASE)
_NAME = re.compile(rb"<wctp-([A-Za-z]{4,40})[\s/>]")
_REQUESTS = {
    b"SubmitRequest": "message",
    b"SubmitClientMessage": "client message",
    b"ClientQuery": "query",
    b"LookupSubscriber": "lookup",
    b"PollForMessages": "poll",
    b"VersionQuery": "version query",
    b"StatusInfo": "status",
    b"MessageReply": "reply",
}


class Wctp(HttpCarried):
    """Follow one HTTP connection of a messaging client to its gateway."""

    application = "http"
    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="wctp",
        title="WCTP over HTTP",
        transports=(Transport.TCP,),
        reference="WCTP 1.3",
        ports=PORTS,
        starts=(b"POST ",),
        stream_bytes=32 * 1024,
        opening_tells=True,
        fields=("wctp.role", "wctp.version", "wctp.operation", *HttpDissector.manifest.fields),
        medical=True,
    )

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell a request by the path it is posted to."""
        return from_client and payload.startswith(b"POST ") and _REQUEST.match(payload[:1024]) is not None

    def kept(self, head: HttpHead) -> int:
        """Keep documents, also those whose type is not stated."""
        return BODY_LIMIT if "xml" in head.media_type or not head.media_type else 0

    def request(self, head: HttpHead) -> None:
        """Wait for the document: the head is the HTTP dissector's."""

    def response(self, head: HttpHead) -> None:
        """Wait for the document: the head is the HTTP dissector's."""

    def body(self, body: HttpBody) -> None:
        """Read a document."""
        self._document(body.content())

    def _document(self, document: bytes) -> None:
        operation = _OPERATION.search(document)
        if operation is None:
            return
        self.application = "wctp"
        if version := _VERSION.search(operation[0]):
            self.said("wctp.version", printable(version[1]))
        for name in _NAME.finditer(document, operation.end()):
            if name[1] in _REQUESTS:
                self.said("wctp.role", "client")
                self.heard("wctp.role", "gateway")
                self.said("wctp.operation", _REQUESTS[name[1]])
                return


DISSECTOR = Wctp
