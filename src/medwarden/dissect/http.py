"""HTTP/1.x: what clients and servers say of themselves.

For dissectors of what travels in HTTP (SOAP of SDC, DICOMweb, FHIR) this module also offers the framing of
:mod:`medwarden.dissect.http_message`: ``HttpStream``, ``http_pair``, ``HttpHead`` and ``HttpBody``::

    client, server = http_pair(keep=lambda head: 65536)
    for event in client.feed(payload_of_the_client):
        ...  # HttpHead, then HttpBody when the body is complete or ``keep(head)`` bytes of it are there

Fields are those of RFC 9110: 7.2 Host, 7.6.3 Via, 10.1.5 User-Agent, 10.2.4 Server, 11.6 authentication.
"""

from __future__ import annotations

import base64
import binascii
import html
from typing import ClassVar

from medwarden.dissect import ipp, ntlmssp, onvif
from medwarden.dissect.connection import Connection, Inbox
from medwarden.dissect.http_login import login_in_body, login_in_query
from medwarden.dissect.http_message import METHODS, HttpBody, HttpHead, HttpStream, http_pair
from medwarden.dissect.http_paths import public_path
from medwarden.dissect.upnp import FIELDS as UPNP_FIELDS
from medwarden.dissect.upnp import facts_of_description, is_description
from medwarden.model.evidence import MAX_VALUE
from medwarden.model.segment import DissectorManifest, Transport

__all__ = ["DISSECTOR", "HttpBody", "HttpDissector", "HttpHead", "HttpStream", "http_pair", "public_path"]


_SCHEMES = frozenset({"basic", "digest", "ntlm", "negotiate", "bearer", "oauth", "scram-sha-256", "kerberos"})
_TITLE_LIMIT = 8192
_DESCRIPTION_LIMIT = 65536
_FORM_LIMIT = 4096
_TITLED_PAGES = frozenset(
    {"", "index", "login", "home", "main", "default", "start", "status", "logon", "signin"}
)
_FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data", "application/json")


class HttpDissector(Connection):
    """Say who talks HTTP and with what: products, host names, log-in schemes, device descriptions.

    A target's query, and any path segment that could be an identifier of a person or study, stays
    unsaid; so do titles of pages other than the entry pages of a site. Credentials are told by their
    scheme alone.
    """

    from_payloads: ClassVar[bool] = True
    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="http",
        title="HTTP/1.x",
        transports=(Transport.TCP,),
        reference="RFC 9110, RFC 9112",
        ports=(80, 81, 591, 631, 3128, 5985, 8000, 8008, 8042, 8080, 8081, 8088, 8888, 49152, 49153),
        starts=(*METHODS, b"HTTP/1."),
        stream_bytes=65536,
        opening_tells=True,
        fields=(
            "http.user_agent", "http.server", "http.host", "http.title", "http.method", "http.status",
            "http.www_authenticate", "http.auth_scheme", "http.login_form", "http.path", "http.content_type",
            "http.powered_by", "http.soap_action", "http.via", "http.proxied",
            *UPNP_FIELDS, *ntlmssp.FIELDS, *ipp.FIELDS, *onvif.FIELDS,
        ),
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._streams = http_pair(_kept)
        self.client, self.server = (stream.inbox for stream in self._streams)
        self._titled: HttpHead | None = None
        self.application = "http"

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell whether the payload opens with a request line or a status line."""
        if from_client:
            line, ended, _ = payload.partition(b"\n")
            return payload.startswith(METHODS) and (not ended or b" HTTP/" in line)
        return payload.startswith(b"HTTP/1.")

    def parse(self, inbox: Inbox, from_client: bool) -> None:
        """Read messages of one direction."""
        stream = self._streams[0 if inbox is self.client else 1]
        for event in stream.read():
            if isinstance(event, HttpBody):
                self._body(event)
            elif from_client:
                self._request(event)
            else:
                self._response(event)
        if not from_client and (body := stream.partial()) is not None:
            head = body[0]
            if self._titled is not head and _shows_title(head):
                self._title(head, bytes(body[1]))
        if stream.tunnel:
            self.close()

    def _request(self, head: HttpHead) -> None:
        headers = head.headers
        self.said("http.method", head.method)
        self.said("http.user_agent", headers.get("user-agent", ""))
        self.said("http.host", headers.get("host", ""))
        if (path := public_path(head.path)) != "/":
            self.said("http.path", path)
        self.said("http.content_type", head.media_type)
        if head.media_type == ipp.MEDIA_TYPE:
            self.application = ipp.SOURCE
        self.said("http.soap_action", headers.get("soapaction", "").strip('"'))
        self.said("http.via", headers.get("via", ""))
        if head.method == "CONNECT":
            self.said("http.proxied", head.target)
        elif "://" in head.target:
            self.said("http.proxied", head.target.partition("://")[2].partition("/")[0].rpartition("@")[2])
        for name in ("authorization", "proxy-authorization"):
            if name in headers:
                self._credentials(headers[name])
        if login_in_query(head.target):
            self.said("http.login_form", "query")

    def _credentials(self, value: str) -> None:
        scheme, _, rest = value.partition(" ")
        self.said("http.auth_scheme", scheme.lower())
        if scheme.lower() in ("ntlm", "negotiate"):
            self._token(rest)

    def _token(self, encoded: str) -> None:
        try:
            token = base64.b64decode(encoded.strip(), validate=True)
        except (binascii.Error, ValueError) as error:
            raise self.malformed("an authentication token is not base64") from error
        self.said_all(ntlmssp.facts_of_token(token))

    def _response(self, head: HttpHead) -> None:
        headers = head.headers
        self.said("http.status", str(head.status))
        self.said("http.server", headers.get("server", ""))
        self.said("http.powered_by", headers.get("x-powered-by", ""))
        self.said("http.content_type", head.media_type)
        self.said("http.via", headers.get("via", ""))
        for name in ("www-authenticate", "proxy-authenticate"):
            if name in headers:
                self._challenge(headers[name])

    def _challenge(self, value: str) -> None:
        for challenge in value.split(","):
            scheme, _, rest = challenge.strip().partition(" ")
            if scheme.lower() not in _SCHEMES:
                continue  # a parameter of the challenge before it
            self.said("http.auth_scheme", scheme.lower())
            if scheme.lower() in ("ntlm", "negotiate") and rest:
                self._token(rest)
        start = value.lower().find("realm=")
        if start >= 0:
            realm = value[start + 6 :]
            quoted = realm.startswith('"')
            self.said(
                "http.www_authenticate", realm[1:].partition('"')[0] if quoted else realm.partition(",")[0]
            )

    def _body(self, body: HttpBody) -> None:
        if body.head.from_client:
            if login_in_body(body.head.media_type, body.content()):
                self.said("http.login_form", "form")
            return
        content = body.content()
        if is_description(content):
            if body.complete:
                self.said_all(facts_of_description(content))
        elif body.head.media_type == ipp.MEDIA_TYPE:
            self.said_all(ipp.facts_of_answer(content, body.complete))
        elif body.complete and onvif.is_answer(content):
            self.said_all(onvif.facts_of_answer(content))
        elif _shows_title(body.head):
            self._title(body.head, content)

    def _title(self, head: HttpHead, page: bytes) -> None:
        if self._titled is head:
            return
        start = page[:_TITLE_LIMIT].lower().find(b"<title")
        begin = page.find(b">", start) + 1
        end = page[:_TITLE_LIMIT].lower().find(b"</title", begin)
        if start >= 0 and 0 < begin <= end:
            self._titled = head
            title = page[begin:end][: 4 * MAX_VALUE].decode("utf-8", "replace")
            self.said("http.title", " ".join(html.unescape(title).split()))


def _kept(head: HttpHead) -> int:
    """Return how much of a body is worth keeping."""
    media_type = head.media_type
    if head.from_client:
        return _FORM_LIMIT if media_type in _FORM_TYPES else 0
    if media_type == ipp.MEDIA_TYPE:
        return _DESCRIPTION_LIMIT
    if media_type.endswith("xml") and "html" not in media_type:
        return _DESCRIPTION_LIMIT
    return _TITLE_LIMIT if _shows_title(head) else 0


def _shows_title(head: HttpHead) -> bool:
    """Tell whether a response is an entry page: what its title says is about the site, not a person.

    Where the request was not seen it may be any page.
    """
    if not head.target:
        return False
    if "html" not in head.media_type and head.media_type:
        return False
    stem = head.path.lstrip("/").lower().partition(".")[0]
    return "?" not in head.target and stem in _TITLED_PAGES


DISSECTOR = HttpDissector
