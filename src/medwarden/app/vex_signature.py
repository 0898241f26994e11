"""Digests and signatures of VEX documents: beside a file, or uploaded with it.

They are those that CSAF's distribution has (CSAF 2.0, 7.1.18 to 7.1.20): ``FILE.sha512``, ``FILE.sha256``, a
detached OpenPGP signature ``FILE.asc``, and the publisher's public key. A document that does not fit them is
refused. What was read of a document is what is checked and taken in: its file may be another one by then.
"""

from __future__ import annotations

import io
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from medwarden.app.knowledge_settings import publishers_by_key, read_settings
from medwarden.app.vex import Checked
from medwarden.feeds.beside import KEY_ENDINGS, Companions
from medwarden.kernel.errors import ConfigurationError, MalformedInput, ResourceError

MOST_COMPANIONS = 12
LARGEST_COMPANION = 1 << 20
_MOST_KEYS = 50
_KEY = b"-----BEGIN PGP PUBLIC KEY BLOCK-----"
_SIGNATURE = b"-----BEGIN PGP SIGNATURE-----"
_DIGEST = re.compile(rb"\s*([0-9A-Fa-f]{64}|[0-9A-Fa-f]{128})(?:\s|\Z)")
_DOCUMENT = "document.json"


def check_beside(home: Path, path: Path, document: bytes) -> Checked:
    """Hold a document that was read from ``path`` against what lies beside that.

    Raises MalformedInput where a digest or signature does not hold, ResourceError for the disk.
    """
    try:
        beside = [each for each in sorted(path.parent.iterdir()) if each.is_file() and each != path]
    except OSError as error:
        raise ResourceError(f"{path.parent}: {error.strerror}") from error
    own = [each for each in beside if each.name.startswith(f"{path.name}.")]
    keys = [each for each in beside if each.suffix.lower() in KEY_ENDINGS and each not in own]
    return _found(home, path, document, own, keys[:_MOST_KEYS], "lies beside it")


def check_with(home: Path, document: bytes, name: str, companions: Sequence[tuple[str, bytes]]) -> Checked:
    """Hold an uploaded document against what was uploaded with it: digests, signature, public keys.

    What each is, is told by its content. Raises ConfigurationError for anything else, MalformedInput where
    a digest or signature does not hold.
    """
    if len(companions) > MOST_COMPANIONS:
        raise ConfigurationError(f"bring at most {MOST_COMPANIONS} digests, signatures and keys")
    try:
        with tempfile.TemporaryDirectory(prefix="medwarden-vex-") as folder:
            path = Path(folder) / _DOCUMENT  # never written: what was uploaded is what is checked
            own: list[Path] = []
            keys: list[Path] = []
            for number, (called, data) in enumerate(companions):
                ending = _ending(called, data)
                beside = path.with_name(f"{_DOCUMENT}.{ending}") if ending else Path(folder) / f"{number}.asc"
                if beside.exists():
                    raise ConfigurationError(f"bring one {ending} for a document, not two")
                beside.write_bytes(data)
                (own if ending else keys).append(beside)
            try:
                return _found(home, path, document, own, keys, "came with it")
            except MalformedInput as error:
                raise MalformedInput(name, error.reason.replace(f"{_DOCUMENT}.", "its ")) from error
    except OSError as error:
        raise ResourceError(f"a document cannot be laid down to be checked: {error.strerror}") from error


def _ending(called: str, data: bytes) -> str:
    """Return how a companion ends in CSAF's distribution; empty for a public key."""
    if len(data) > LARGEST_COMPANION:
        raise ConfigurationError(f"{called[:80]}: a digest, signature or key has at most 1 MiB")
    begin = data.lstrip()
    if begin.startswith(_KEY):
        return ""
    digest = _DIGEST.match(data)
    if digest is not None:
        return "sha256" if len(digest.group(1)) == 64 else "sha512"
    if begin.startswith(_SIGNATURE) or called.lower().endswith((".asc", ".sig")):
        return "asc"
    raise ConfigurationError(
        f"{called[:80]} is no digest (SHA-256, SHA-512), signature or public key of OpenPGP"
    )


def _found(
    home: Path, path: Path, document: bytes, own: Sequence[Path], keys: Sequence[Path], where: str
) -> Checked:
    trusted = publishers_by_key(read_settings(home))
    found = Companions([path, *own, *keys], trusted).check(path, io.BytesIO(document))
    if found.publishers:
        sentence = f"it is signed with a key that is trusted for {', '.join(found.publishers)}"
    elif found.note:
        sentence = found.note
    else:
        sentence = f"its digest holds, no signature {where}" if own else f"no signature {where}"
    sentence = sentence.replace("lies in the folder", where)  # as it is said of folders of files
    return Checked(sentence, found.fingerprint, found.signer, found.publishers)
