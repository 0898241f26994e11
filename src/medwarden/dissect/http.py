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
from typing import ClassVar

from medwarden.dissect import ipp, ntlmssp, onvif
from medwarden.dissect._core import HttpReading
from medwarden.dissect.http_login import login_in_body
from medwarden.dissect.http_message import METHODS, HttpBody, HttpHead, HttpStream, http_pair
from medwarden.dissect.http_paths import public_path
from medwarden.dissect.upnp import FIELDS as UPNP_FIELDS
from medwarden.dissect.upnp import facts_of_description, is_description
from medwarden.model.segment import DissectorManifest, Transport

__all__ = ["DISSECTOR", "HttpBody", "HttpDissector", "HttpHead", "HttpStream", "http_pair", "public_path"]


_SCHEMES = frozenset({"basic", "digest", "ntlm", "negotiate", "bearer", "oauth", "scram-sha-256", "kerberos"})


class HttpDissector(HttpReading):
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

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:
        """Tell whether the payload opens with a request line or a status line."""
        if from_client:
            line, ended, _ = payload.partition(b"\n")
            return payload.startswith(METHODS) and (not ended or b" HTTP/" in line)
        return payload.startswith(b"HTTP/1.")

    def credentials(self, value: str) -> None:
        """Tell the scheme of credentials, and what a token says of machines."""
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

    def challenge(self, value: str) -> None:
        """Tell the schemes and the realm of a challenge."""
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

    def body(self, body: HttpBody) -> None:
        """Tell what forms, descriptions and entry pages say of machines."""
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
        else:
            self.title(body.head, content)


DISSECTOR = HttpDissector
