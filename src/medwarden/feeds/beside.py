"""Digests and signatures that lie beside a publisher's file in a folder, as its distribution has them.

CSAF 2.0 (7.1.18 to 7.1.20) puts ``FILE.sha256``, ``FILE.sha512`` and ``FILE.asc`` beside each document;
OpenPGP public keys lie somewhere in the folder. A digest or signature that does not hold refuses the file. A
document counts as verified only with a key whose fingerprint the operator named: whoever can change the
folder can put another key there as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import msgspec

from medwarden.feeds.openpgp import Keys, is_available
from medwarden.kernel.errors import MalformedInput, RemoteServiceError, ResourceError

_DIGESTS = ("sha512", "sha256")
_SIGNATURE = ".asc"
_ENDINGS = (*(f".{name}" for name in _DIGESTS), _SIGNATURE)
_KEY = b"-----BEGIN PGP PUBLIC KEY BLOCK-----"
KEY_ENDINGS = frozenset({".asc", ".pgp", ".gpg", ".key", ".txt"})
"""How files may end that hold a publisher's public key."""
_MOST = 1 << 20
_LARGEST_SIGNED = 64 << 20


class Beside(msgspec.Struct, frozen=True):
    """What lay beside a file: whether it is verified, and a sentence where that is worth knowing.

    ``fingerprint`` is that of the key that signed it, ``signer`` whom that key names; anybody can write a
    name into a key, so it says something only where the fingerprint is trusted.
    """

    verified: bool = False
    note: str = ""
    fingerprint: str = ""
    signer: str = ""


class Companions:
    """The digests, signatures and keys of some files."""

    def __init__(self, files: Iterable[Path], trusted: Iterable[str] = ()) -> None:
        held = list(files)
        names = set(held)
        self._trusted = frozenset(one.replace(" ", "").upper() for one in trusted)
        self._of = {path for path in held if path.suffix in _ENDINGS and path.with_name(path.stem) in names}
        self._keys = [
            (path, data)
            for path in held
            if path not in self._of and path.suffix.lower() in KEY_ENDINGS and (data := _key_in(path))
        ]

    def is_companion(self, path: Path) -> bool:
        """Tell whether a file is a digest, a signature or a key, and no knowledge itself."""
        return path in self._of or any(path == key for key, _ in self._keys)

    def check(self, path: Path) -> Beside:
        """Hold a file against what lies beside it.

        Raises MalformedInput where a digest or signature does not hold, ResourceError for the disk.
        """
        try:
            for name in _DIGESTS:
                self._digest(path, name)
            signature = path.with_name(path.name + _SIGNATURE)
            return self._signature(path, signature) if signature in self._of else Beside()
        except OSError as error:
            raise ResourceError(f"{path}: {error.strerror or error}") from error

    def _digest(self, path: Path, name: str) -> None:
        beside = path.with_name(f"{path.name}.{name}")
        if beside not in self._of:
            return
        words = beside.read_bytes()[:4096].decode("ascii", "replace").split()
        with path.open("rb") as file:
            own = hashlib.file_digest(file, name).hexdigest()
        if not words or words[0].lower() != own:
            raise MalformedInput(
                str(path), f"its {name} is not the one in {beside.name}: nothing of it was kept"
            )

    def _signature(self, path: Path, signature: Path) -> Beside:
        if not is_available():
            return Beside(note="its signature was not checked: install medwarden[openpgp]")
        if not self._keys:
            return Beside(note="its signature was not checked: no public key lies in the folder")
        if path.stat().st_size > _LARGEST_SIGNED:
            raise MalformedInput(str(path), "a signed document of more than 64 MiB")
        data, signed = path.read_bytes(), signature.read_bytes()[:_MOST]
        for key, certificate in self._keys:
            try:
                keys = Keys([("", certificate)], key.name)
                keys.check(data, signed, path.name)
            except RemoteServiceError:
                continue
            (fingerprint,) = keys.fingerprints
            if fingerprint in self._trusted:
                return Beside(verified=True, fingerprint=fingerprint, signer=keys.named)
            return Beside(
                note=f"it is signed with the key {fingerprint}; compare that with what its publisher says and"
                " name it under openpgp in feeds.yaml, so that it counts",
                fingerprint=fingerprint,
                signer=keys.named,
            )
        raise MalformedInput(
            str(path), f"{signature.name} is of none of the keys in the folder: nothing of it was kept"
        )


def _key_in(path: Path) -> bytes:
    """Return an armoured public key; nothing where the file is none."""
    try:
        if path.stat().st_size > _MOST:
            return b""
        data = path.read_bytes()
    except OSError as error:
        raise ResourceError(f"{path}: {error.strerror or error}") from error
    return data if data.lstrip().startswith(_KEY) else b""
