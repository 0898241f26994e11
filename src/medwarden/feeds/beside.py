"""Digests and signatures that lie beside a publisher's file in a folder, as its distribution has them.

CSAF 2.0 (7.1.18 to 7.1.20) puts ``FILE.sha256``, ``FILE.sha512`` and ``FILE.asc`` beside each document;
OpenPGP public keys lie somewhere in the folder. A digest or signature that does not hold refuses the file. A
document counts as verified only with a key whose fingerprint the operator named: whoever can change the
folder can put another key there as well. And it proves only the word of the publishers that key is bound to
(:mod:`medwarden.feeds.vouching`): whom a document names is read by who takes it in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO

import msgspec

from medwarden.feeds.openpgp import Keys, is_available
from medwarden.feeds.vouching import is_among
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
    """What lay beside a file: who signed it, and a sentence where that is worth knowing.

    ``fingerprint`` is that of the key that signed it, ``signer`` whom that key names; anybody can write a
    name into a key, so it says something only where the fingerprint is ``trusted``, and then of the
    ``publishers`` that the key is bound to.
    """

    note: str = ""
    fingerprint: str = ""
    signer: str = ""
    trusted: bool = False
    publishers: tuple[str, ...] = ()

    def speaks_for(self, publisher: str) -> bool:
        """Tell whether the signature proves the word of a publisher."""
        return self.trusted and is_among(publisher, self.publishers)


class Companions:
    """The digests, signatures and keys of some files; ``trusted`` are publishers by fingerprint of a key."""

    def __init__(self, files: Iterable[Path], trusted: Mapping[str, tuple[str, ...]] | None = None) -> None:
        held = list(files)
        names = set(held)
        self._trusted = dict(trusted or {})
        self._of = {path for path in held if path.suffix in _ENDINGS and path.with_name(path.stem) in names}
        self._keys = [
            (path, data)
            for path in held
            if path not in self._of and path.suffix.lower() in KEY_ENDINGS and (data := _key_in(path))
        ]

    def is_companion(self, path: Path) -> bool:
        """Tell whether a file is a digest, a signature or a key, and no knowledge itself."""
        return path in self._of or any(path == key for key, _ in self._keys)

    def has_any(self, path: Path) -> bool:
        """Tell whether a digest or a signature lies beside a file."""
        return any(path.with_name(path.name + ending) in self._of for ending in _ENDINGS)

    def check(self, path: Path, document: IO[bytes]) -> Beside:
        """Hold a file against what lies beside it.

        ``document`` is what was read of it and will be used: the file itself may be another one by then.
        Raises MalformedInput where a digest or signature does not hold, ResourceError for the disk.
        """
        try:
            for name in _DIGESTS:
                self._digest(path, document, name)
            signature = path.with_name(path.name + _SIGNATURE)
            return self._signature(path, document, signature) if signature in self._of else Beside()
        except OSError as error:
            raise ResourceError(f"{path}: {error.strerror or error}") from error

    def _digest(self, path: Path, document: IO[bytes], name: str) -> None:
        beside = path.with_name(f"{path.name}.{name}")
        if beside not in self._of:
            return
        words = beside.read_bytes()[:4096].decode("ascii", "replace").split()
        document.seek(0)
        own = hashlib.file_digest(document, name).hexdigest()  # type: ignore[arg-type]  # typeshed wants a raw file
        if not words or words[0].lower() != own:
            raise MalformedInput(
                str(path), f"its {name} is not the one in {beside.name}: nothing of it was kept"
            )

    def _signature(self, path: Path, document: IO[bytes], signature: Path) -> Beside:
        if not is_available():
            return Beside(note="its signature was not checked: install medwarden[openpgp]")
        if not self._keys:
            return Beside(note="its signature was not checked: no public key lies in the folder")
        document.seek(0)
        data = document.read(_LARGEST_SIGNED + 1)
        if len(data) > _LARGEST_SIGNED:
            raise MalformedInput(str(path), "a signed document of more than 64 MiB")
        with signature.open("rb") as file:
            signed = file.read(_MOST)
        for key, certificate in self._keys:
            try:
                keys = Keys([("", certificate)], key.name)
                keys.check(data, signed, path.name)
            except RemoteServiceError:
                continue
            (fingerprint,) = keys.fingerprints
            bound = self._trusted.get(fingerprint)
            if bound is not None:
                return Beside(
                    "" if bound else _bound_to_nobody(fingerprint), fingerprint, keys.named, True, bound
                )
            return Beside(
                f"it is signed with the key {fingerprint}; compare that with what its publisher says and"
                f" trust it for that publisher (`medwarden vex trust {fingerprint} --publisher NAME`), so"
                " that it counts",
                fingerprint,
                keys.named,
            )
        raise MalformedInput(
            str(path), f"{signature.name} is of none of the keys in the folder: nothing of it was kept"
        )


def _bound_to_nobody(fingerprint: str) -> str:
    return (
        f"it is signed with the key {fingerprint}, which was trusted without saying for whom: say it with"
        f" `medwarden vex trust {fingerprint} --publisher NAME`"
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
