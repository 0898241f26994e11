"""TLS: names, versions, fingerprint and certificates from what is said before encryption begins.

Records RFC 8446 section 5.1 (and RFC 5246 section 6.2), ClientHello 4.1.2, ServerHello 4.1.3,
supported_versions 4.2.1, ALPN RFC 7301, server name RFC 6066 section 3, Certificate RFC 5246 section 7.4.2,
alerts section 7.2. A hello in the SSL 2.0 form is RFC 5246 appendix E.2. Certificates of TLS 1.3 are
encrypted and stay unseen.
"""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar

from medwarden.dissect import x509
from medwarden.dissect._core import TlsReading
from medwarden.dissect.ja4 import ja4, parse_client_hello
from medwarden.dissect.tls_names import version_name
from medwarden.model.segment import DissectorManifest, Transport


class TlsDissector(TlsReading):
    """Read the handshake of both sides up to the point where it is encrypted."""

    from_payloads: ClassVar[bool] = True
    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name="tls",
        title="Transport Layer Security",
        transports=(Transport.TCP,),
        reference="RFC 8446, RFC 5246, RFC 6066, RFC 7301",
        ports=(
            443, 465, 563, 636, 853, 989, 990, 992, 993, 995, 2762, 3269, 4433, 5061, 5671, 5986, 6514, 8443,
            8883, 9443,
        ),
        starts=tuple(b"\x16\x03" + bytes((minor,)) for minor in range(5)),
        stream_bytes=24576,
        opening_tells=True,
        sniff=True,
        fields=(
            "tls.sni", "tls.ja4", "tls.version", "tls.client_versions", "tls.cipher", "tls.alpn",
            "tls.client_alpn", "tls.alert", *x509.FIELDS,
        ),
    )  # fmt: skip

    def client_hello(self, body: bytes) -> None:
        """Tell what the first hello of the client says."""
        self.said_all(_facts_of_client_hello(body))

    def certificate(self, der: bytes, of_server: bool) -> None:
        """Tell what the certificate of one side says."""
        self.said_all(x509.facts_of_certificate(der, of_server=of_server))


@lru_cache(maxsize=1024)
def _facts_of_client_hello(body: bytes) -> tuple[tuple[str, str], ...]:
    """Return what a ClientHello says; the same is read again where a conversation is followed anew."""
    hello = parse_client_hello(body)
    versions = hello.versions or (hello.legacy_version,)
    return (
        ("tls.ja4", ja4(hello)),
        ("tls.sni", hello.server_name or ""),
        ("tls.client_versions", ", ".join(version_name(v) for v in sorted(set(versions))[-8:])),
        *(("tls.client_alpn", name.decode("latin-1")) for name in hello.alpn[:8]),
    )


DISSECTOR = TlsDissector
