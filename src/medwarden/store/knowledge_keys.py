"""Ed25519 keys of bundles (RFC 8032): the one this folder signs with, and those of others that it trusts.

``HOME/knowledge/keys/own.pem`` is the private key, made when it is first needed; ``trusted.json`` lists
public keys by their id, the first 32 hexadecimal digits of the SHA-256 of the raw key. ``heirs.json`` holds
for each own key that was replaced its signature of the next one, so that who trusts the old one may trust the
new one without a person carrying it.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from medwarden.kernel.errors import ConfigurationError, ResourceError
from medwarden.store.folder import replace_durably
from medwarden.store.knowledge import FOLDER

_CONTEXT = b"medwarden knowledge bundle 1\n"
_HEIR_CONTEXT = b"medwarden knowledge key succession 1\n"
_LONGEST_NAME = 80
_MOST_HEIRS = 32


class TrustedKey(msgspec.Struct, frozen=True):
    """A public key whose bundles are taken in; ``pem`` is its SubjectPublicKeyInfo."""

    id: str
    name: str
    pem: str
    added_ns: int


class Heir(msgspec.Struct, frozen=True):
    """The next key of a folder, signed by the one before: its id, the new public key, the signature."""

    before: str
    pem: str
    signature: bytes


class BundleKeys:
    """The keys of a data folder."""

    def __init__(self, home: Path) -> None:
        self._folder = home / FOLDER / "keys"
        self._own = self._folder / "own.pem"
        self._trusted = self._folder / "trusted.json"
        self._heirs = self._folder / "heirs.json"

    def own(self) -> tuple[str, str]:
        """Return id and public key (PEM) of this folder, making them where there are none."""
        public = self._private().public_key()
        return key_id(public), _pem(public)

    @property
    def has_own(self) -> bool:
        """Tell whether this folder has a key of its own yet."""
        return self._own.exists()

    def renew(self) -> tuple[str, str]:
        """Make another key of this folder's own; bundles of the old one are still taken in here.

        The old key signs the new one: who trusts the old one and takes a bundle of the new one in trusts that
        from then on. A key that was stolen must be forgotten everywhere instead.
        """
        if not self._own.exists():
            return self.own()
        old = self._private()
        id, pem = self.own()
        fresh = Ed25519PrivateKey.generate()
        public = fresh.public_key()
        heir = Heir(id, _pem(public), old.sign(_HEIR_CONTEXT + public.public_bytes_raw()))
        self._write(self._heirs, msgspec.json.encode([*self.heirs(), heir][-_MOST_HEIRS:]))
        self._keep([*self.trusted(), TrustedKey(id, "own, replaced", pem, time.time_ns())])
        self._write(self._own, fresh.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return self.own()

    def heirs(self) -> list[Heir]:
        """Return which own key followed which, the oldest first."""
        if not self._heirs.exists():
            return []
        try:
            return msgspec.json.decode(self._heirs.read_bytes(), type=list[Heir])
        except (OSError, ValueError) as error:
            raise ResourceError(f"{self._heirs} cannot be read ({error}): remove it") from error

    def successor(self, id: str, heirs: Sequence[Heir]) -> tuple[TrustedKey, TrustedKey] | None:
        """Return a trusted key and the key with this id that follows it by signatures, or None.

        Nothing is kept: see :meth:`inherit`.
        """
        known = {key.id: key for key in self.trusted()}
        line = {key: (key, held.pem) for key, held in known.items()}
        for heir in heirs[:_MOST_HEIRS]:
            if heir.before not in line:
                continue
            first, pem = line[heir.before]
            try:
                public = _public(heir.pem.encode())
                _public(pem.encode()).verify(heir.signature, _HEIR_CONTEXT + public.public_bytes_raw())
            except (InvalidSignature, ConfigurationError):
                continue
            line.setdefault(key_id(public), (first, _pem(public)))
        if id in known or id not in line:
            return None
        old = known[line[id][0]]
        return old, TrustedKey(id, old.name, line[id][1], time.time_ns())

    def inherit(self, old: TrustedKey, new: TrustedKey) -> None:
        """Trust a key in place of the one that it follows: what the old one signs is older, or stolen."""
        self._keep([*(key for key in self.trusted() if key.id not in (old.id, new.id)), new])

    def sign(self, data: bytes) -> tuple[str, bytes]:
        """Return the id of the own key and its signature of ``data``."""
        private = self._private()
        return key_id(private.public_key()), private.sign(_CONTEXT + data)

    def trusted(self) -> list[TrustedKey]:
        """Return the keys of others that are trusted."""
        if not self._trusted.exists():
            return []
        try:
            return msgspec.json.decode(self._trusted.read_bytes(), type=list[TrustedKey])
        except (OSError, ValueError) as error:
            raise ResourceError(f"{self._trusted} cannot be read ({error}): trust the keys again") from error

    def trust(self, pem: bytes, name: str) -> TrustedKey:
        """Trust a public key under a name. Raises ConfigurationError for what is no Ed25519 key."""
        public = _public(pem)
        key = TrustedKey(key_id(public), name[:_LONGEST_NAME], _pem(public), time.time_ns())
        self._keep([*(k for k in self.trusted() if k.id != key.id), key])
        return key

    def forget(self, id: str) -> TrustedKey:
        """Trust a key no longer. Raises ConfigurationError where none has this id."""
        known = self.trusted()
        found = [key for key in known if key.id.startswith(id)] if id else []
        if len(found) != 1:
            raise ConfigurationError(
                f"{len(found)} trusted keys have an id that begins with {id!r}: name one"
            )
        self._keep([key for key in known if key.id != found[0].id])
        return found[0]

    def holds(self, id: str, data: bytes, signature: bytes, *, also: TrustedKey | None = None) -> bool | None:
        """Tell whether the key with this id signed ``data``; None where that key is not trusted.

        ``also`` is a key that counts as trusted for this question.
        """
        keys = {key.id: key.pem for key in (*self.trusted(), *([also] if also else []))}
        if self._own.exists():
            own, pem = self.own()
            keys[own] = pem
        if id not in keys:
            return None
        try:
            _public(keys[id].encode()).verify(signature, _CONTEXT + data)
        except InvalidSignature:
            return False
        return True

    def _private(self) -> Ed25519PrivateKey:
        try:
            if not self._own.exists():
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                fresh = Ed25519PrivateKey.generate()
                pem = fresh.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
                replace_durably(self._own, pem, 0o600)
            held = load_pem_private_key(self._own.read_bytes(), None)
        except OSError as error:
            raise ResourceError(f"{self._own}: {error.strerror or error}") from error
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise ResourceError(f"{self._own} is damaged: remove it and make a new key") from error
        if not isinstance(held, Ed25519PrivateKey):
            raise ResourceError(f"{self._own} is no Ed25519 key: remove it and make a new key")
        return held

    def _keep(self, keys: list[TrustedKey]) -> None:
        self._write(self._trusted, msgspec.json.encode(keys))

    def _write(self, path: Path, data: bytes) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_durably(path, data, 0o600)
        except OSError as error:
            raise ResourceError(f"{path}: {error.strerror or os.fspath(self._folder)}") from error


def key_id(public: Ed25519PublicKey) -> str:
    """Return the id of a public key."""
    return hashlib.sha256(public.public_bytes_raw()).hexdigest()[:32]


def _public(pem: bytes) -> Ed25519PublicKey:
    try:
        public = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(
            "this is no public key: give the file that `medwarden knowledge key show` prints"
        ) from error
    if not isinstance(public, Ed25519PublicKey):
        raise ConfigurationError("this is a public key of another kind than Ed25519")
    return public


def _pem(public: Ed25519PublicKey) -> str:
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
