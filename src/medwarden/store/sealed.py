"""Secrets of other systems at rest: sealed with a key that follows from the data folder's own.

AES-256 in GCM (NIST SP 800-38D) under a key derived by HKDF (RFC 5869) from ``secret.key``, bound to what the
secret is for. A database without that file tells nothing; a secret that is kept is never handed to a page, an
answer of the API, a log, or another program as an argument.
"""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from medwarden.kernel.errors import ConfigurationError
from medwarden.store.folder import SECRET_KEY_FILE

_NONCE = 12
_MARK = "sealed1:"


def seal(home: Path, text: str, purpose: str) -> str:
    """Return ``text`` sealed for ``purpose``. Raises ConfigurationError where the folder has no key."""
    nonce = os.urandom(_NONCE)
    kept = AESGCM(_key(home)).encrypt(nonce, text.encode(), purpose.encode())
    return _MARK + base64.b64encode(nonce + kept).decode()


def unseal(home: Path, sealed: str, purpose: str) -> str:
    """Return what was sealed.

    Raises ConfigurationError where the folder has another key since, or the secret was sealed for something
    else: it has to be given anew.
    """
    try:
        kept = base64.b64decode(sealed.removeprefix(_MARK), validate=True)
        return AESGCM(_key(home)).decrypt(kept[:_NONCE], kept[_NONCE:], purpose.encode()).decode()
    except (InvalidTag, binascii.Error, ValueError) as error:
        raise ConfigurationError(
            "kept credentials cannot be read with this folder's key: give them anew"
        ) from error


def _key(home: Path) -> bytes:
    try:
        secret = (home / SECRET_KEY_FILE).read_bytes().strip()
    except OSError as error:
        raise ConfigurationError(f"{home / SECRET_KEY_FILE} cannot be read ({error.strerror})") from error
    return HKDF(SHA256(), 32, None, b"medwarden sealed 1").derive(secret)
