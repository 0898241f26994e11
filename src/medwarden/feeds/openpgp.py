"""Detached OpenPGP signatures (RFC 9580) of publishers, checked with Sequoia.

Sequoia's Python binding is an extra (``medwarden[openpgp]``); without it a signature is not checked and the
document counts as unverified.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable
from types import ModuleType

from medwarden.kernel.errors import RemoteServiceError


def is_available() -> bool:
    """Tell whether signatures can be checked on this machine."""
    return importlib.util.find_spec("pysequoia") is not None


def _sequoia() -> ModuleType:
    return importlib.import_module("pysequoia")


class Keys:
    """The public keys that a publisher names, each with the fingerprint that it gives for it."""

    def __init__(self, keys: Iterable[tuple[str, bytes]], source: str) -> None:
        self._source = source
        self._certificates = []
        for fingerprint, data in keys:
            try:
                certificate = _sequoia().Cert.from_bytes(data)
            except Exception as error:
                raise RemoteServiceError(f"{source}: a public key cannot be read ({error})") from error
            if fingerprint and certificate.fingerprint.upper() != fingerprint.upper().replace(" ", ""):
                raise RemoteServiceError(
                    f"{source}: a public key has not the fingerprint that the metadata gives: nothing changed"
                )
            self._certificates.append(certificate)

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Return the fingerprints of the keys, as capital hexadecimal digits."""
        return tuple(str(one.fingerprint).replace(" ", "").upper() for one in self._certificates)

    @property
    def named(self) -> str:
        """Return whom the first key names, as ``Acme PSIRT <psirt@acme.example>``; empty where nobody."""
        for certificate in self._certificates:
            for user in certificate.user_ids:
                return "".join(c if c.isprintable() else " " for c in str(user))[:200]
        return ""

    def __bool__(self) -> bool:
        return bool(self._certificates)

    def check(self, data: bytes, signature: bytes, what: str) -> None:
        """Raise RemoteServiceError unless one of the keys signed ``data``."""
        sequoia = _sequoia()
        try:
            sequoia.verify(
                bytes=data,
                store=lambda _ids: self._certificates,
                signature=sequoia.Sig.from_bytes(signature),
            )
        except Exception as error:
            raise RemoteServiceError(
                f"{what}: the signature is not one of {self._source} ({error}): nothing was changed"
            ) from error
