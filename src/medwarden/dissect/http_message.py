"""HTTP/1.x message framing, for everybody who reads what travels in it.

For reuse by dissectors of what travels in HTTP (SOAP of SDC, DICOMweb, FHIR)::

    client, server = http_pair(keep=lambda head: 65536)
    for event in client.feed(payload_of_the_client):
        ...  # HttpHead, then HttpBody when the body is complete or ``keep(head)`` bytes of it are there

:class:`HttpStream` reads one direction. ``keep(head)`` says how many bytes of the body to keep; 0 skips
the body without an event. A body is already free of its transfer coding (identity or chunked) but not of
its content coding: ask :meth:`HttpBody.content`. :meth:`HttpStream.partial` shows what has come of the
current body, for bodies that only the end of the connection ends. Both raise MalformedInput and nothing
else, hold at most :data:`HEAD_LIMIT` plus ``keep`` bytes, and do not care how the bytes were cut.

Framing is RFC 9112 (sections 2.2, 3, 5, 6.3, 7.1), fields RFC 9110 (7.2 Host, 10.1.5 User-Agent, 10.2.4
Server, 11.6 authentication).
"""

from __future__ import annotations

from medwarden.dissect._core import HEAD_LIMIT, HttpBody, HttpHead, HttpStream, http_pair

__all__ = ["HEAD_LIMIT", "METHODS", "HttpBody", "HttpEvent", "HttpHead", "HttpStream", "http_pair"]

METHODS = (
    b"GET ", b"POST ", b"HEAD ", b"PUT ", b"OPTIONS ", b"DELETE ", b"PATCH ", b"CONNECT ", b"TRACE ",
    b"PROPFIND ", b"NOTIFY ", b"SUBSCRIBE ", b"UNSUBSCRIBE ", b"M-POST ", b"REPORT ", b"MKCOL ", b"SEARCH ",
)  # fmt: skip

HttpEvent = HttpHead | HttpBody
