r"""EAPOL: who asks a switch port for admission, and by which EAP method.

IEEE 802.1X-2020 clause 11 and RFC 3748. Identities of people are staff data: of those only the realm
or domain is kept, and a token; a machine (``host/name``, ``DOMAIN\name$``) is named in full.
"""

from __future__ import annotations

from struct import Struct
from typing import ClassVar

from medwarden.dissect.identities import read_identity
from medwarden.dissect.octets import printable
from medwarden.dissect.phi import Tokeniser
from medwarden.kernel.errors import MalformedInput
from medwarden.model.evidence import Evidence
from medwarden.model.segment import DissectorManifest, Segment, Transport

SOURCE = "eapol"

_HEADER = Struct("!BBH")
_EAP_HEADER = Struct("!BBH")
_EAP_PACKET, _START, _RESPONSE, _IDENTITY, _NAK, _EXPANDED = 0, 1, 2, 1, 3, 254
_METHODS = {
    4: "md5", 6: "gtc", 13: "tls", 17: "leap", 18: "sim", 21: "ttls", 23: "aka", 25: "peap",
    26: "mschapv2", 43: "fast", 50: "aka_prime", 52: "pwd", 55: "teap",
}  # fmt: skip


class Eapol:
    """State the machine identity or realm of a supplicant and the EAP method it answers with."""

    manifest: ClassVar[DissectorManifest] = DissectorManifest(
        name=SOURCE,
        title="EAP over LAN (802.1X)",
        transports=(Transport.ETHERNET,),
        reference="IEEE 802.1X-2020, RFC 3748",
        ethertypes=(0x888E,),
        fields=("eapol.identity", "eapol.machine", "eapol.user", "eapol.method", "eapol.role"),
    )

    def __init__(self) -> None:
        """Keep nothing but what turns people into tokens: every frame stands alone."""
        self.tokeniser: Tokeniser | None = None

    @staticmethod
    def recognises(payload: bytes, from_client: bool) -> bool:  # noqa: ARG004 - part of the protocol
        """Tell whether ``payload`` starts with an EAPOL header."""
        return len(payload) >= 4 and 1 <= payload[0] <= 3 and payload[1] <= 8

    def feed(self, segment: Segment) -> list[Evidence]:
        """Return what a supplicant's frame says; keys and requests say nothing of a device.

        Raises MalformedInput when the frame is shorter than its lengths.
        """
        payload = segment.payload
        if len(payload) < 4:
            raise MalformedInput(SOURCE, "frame is shorter than its header", len(payload))
        version, kind, length = _HEADER.unpack_from(payload)
        if not 1 <= version <= 3:
            raise MalformedInput(SOURCE, f"unknown version {version}", 0)
        if kind == _START:
            return [segment.said("eapol.role", "supplicant", SOURCE)]
        if kind != _EAP_PACKET:
            return []
        if length < 4 or 4 + length > len(payload):
            raise MalformedInput(SOURCE, "EAP packet overruns the frame", 2)
        code, _, eap_length = _EAP_HEADER.unpack_from(payload, 4)
        if eap_length < 4 or eap_length > length:
            raise MalformedInput(SOURCE, "EAP length exceeds its frame", 6)
        if code != _RESPONSE or eap_length < 5:
            return []
        method, body = payload[8], payload[9 : 4 + eap_length]
        facts = [segment.said("eapol.role", "supplicant", SOURCE)]
        if method == _IDENTITY:
            facts += self._identity(segment, printable(body.partition(b"\0")[0]))
        elif method > _NAK and method != _EXPANDED:
            facts.append(segment.said("eapol.method", _METHODS.get(method, str(method)), SOURCE))
        return facts

    def _identity(self, segment: Segment, name: str) -> list[Evidence]:
        identity = read_identity(name)
        told = {"eapol.identity": public_identity(name), "eapol.machine": identity.machine}
        if identity.person and identity.person.lower() != "anonymous" and self.tokeniser is not None:
            told["eapol.user"] = self.tokeniser.token("user", identity.person)
        return [segment.said(field, value, SOURCE) for field, value in told.items() if value]


def public_identity(identity: str) -> str:
    r"""Return what of an EAP identity names no person: a machine whole, else ``@realm`` or ``DOMAIN\``.

    A bare user name gives "". Machine names: ``host/<fqdn>`` (Windows, RFC 4120 host principal) and
    names that end in ``$``.
    """
    if identity.lower().startswith("host/") or identity.endswith("$"):
        return identity
    domain, backslash, _ = identity.partition("\\")
    if backslash:
        return f"{domain}\\"
    _, at, realm = identity.rpartition("@")
    return f"@{realm}" if at and realm else ""


DISSECTOR = Eapol
