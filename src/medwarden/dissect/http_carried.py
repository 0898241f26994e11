"""What dissectors of services over clear-text HTTP share: the HTTP around, told as by its own dissector.

RFC 9110, RFC 9112. A service of its own application (FHIR, DICOMweb) derives from :class:`HttpCarried`, says
which bodies it wants and reads heads and bodies; the flow's user agent, server and the rest are
the HTTP dissector's facts, under its rules of what may be told.
"""

from __future__ import annotations

from typing import ClassVar

from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.http import HttpDissector
from medwarden.dissect.http_message import HttpBody, HttpHead, http_pair

METHODS = (b"GET ", b"POST ", b"PUT ", b"DELETE ", b"PATCH ", b"HTTP/1.")
PORTS = HttpDissector.manifest.ports
STREAM_BYTES = 64 * 1024
HEAD_BYTES = 4096
"""How much of a payload is looked at to recognise a service."""


class HttpCarried(Connection):
    """Follow one HTTP connection on behalf of a service that travels in it."""

    refines: ClassVar[bool] = True  # never taken by its port alone: the ports are those of HTTP
    from_payloads: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self._http = HttpDissector()
        self._streams = http_pair(self.kept)

    def kept(self, head: HttpHead) -> int:
        """Return how many bytes of the body after ``head`` are wanted."""
        raise NotImplementedError

    def request(self, head: HttpHead) -> None:
        """Read the head of a request."""
        raise NotImplementedError

    def response(self, head: HttpHead) -> None:
        """Read the head of a response."""
        raise NotImplementedError

    def body(self, body: HttpBody) -> None:
        """Read a body as far as it was kept."""
        raise NotImplementedError

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read messages of one direction."""
        data = inbox.take(len(inbox.data)) or b""
        self._facts.extend(self._http.feed(self.segment))
        for event in self._streams[0 if from_client else 1].feed(data):
            if isinstance(event, HttpBody):
                self.body(event)
            elif from_client:
                self.request(event)
            else:
                self.response(event)
