"""The infusion server: TLS 1.2 with a certificate of its own making, as such servers often have."""

from __future__ import annotations

import datetime
import socketserver
import ssl
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID


def certificate(work: Path) -> Path:
    """Write key and self-signed certificate into one file of the work folder."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Alaris Systems Manager"),
            x509.NameAttribute(NameOID.COMMON_NAME, "pumpserver.ward.example"),
        ]
    )
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    path = work / "pumpserver.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


class Session(socketserver.BaseRequestHandler):
    """One pump's connection: every heartbeat is answered."""

    def handle(self) -> None:
        """Answer until the pump goes."""
        while piece := self.request.recv(1024):
            self.request.sendall(b"ok " + piece[:32])


class Server(socketserver.ThreadingTCPServer):
    """TLS on port 3613."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, pem: Path) -> None:
        super().__init__(("0.0.0.0", 3613), Session)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(pem)
        self.socket = context.wrap_socket(self.socket, server_side=True)


if __name__ == "__main__":
    Server(certificate(Path(sys.argv[1]))).serve_forever()
