"""Tell whether an HTTP request carries a password in clear, looking at the names of fields only."""

from __future__ import annotations

from itertools import pairwise
from urllib.parse import unquote_plus

_NAMES = frozenset({"pass", "pwd", "pw", "psw", "psd", "passphrase", "pin", "passcode", "secret", "kennwort"})
_PARTS = ("passw", "passwd", "pwd", "kennwort", "contrase", "motdepasse")


def is_password_field(name: str) -> bool:
    """Tell whether a form field of this name holds a password."""
    name = name.strip().strip("\"'").lower()
    name = name.rpartition(".")[2].rpartition("[")[2].rstrip("]")
    return name in _NAMES or any(part in name for part in _PARTS)


def login_in_query(target: str) -> bool:
    """Tell whether the query of a request target names a password that is not empty."""
    return "?" in target and _pairs_hold_password(target.partition("?")[2])


def login_in_body(media_type: str, body: bytes) -> bool:
    """Tell whether a request body (form, multipart form or JSON) holds a password field with a value."""
    if media_type == "application/x-www-form-urlencoded":
        return _pairs_hold_password(body.decode("latin-1"))
    if media_type == "multipart/form-data":
        names = body.decode("latin-1").split('name="')[1:]
        return any(is_password_field(part.partition('"')[0]) for part in names)
    if media_type.endswith("json"):
        # A name is what stands in quotes before a colon; the values are passed over unread.
        parts = body.decode("latin-1").split('"')
        return any(
            is_password_field(name) and after.lstrip().startswith(":") for name, after in pairwise(parts)
        )
    return False


def _pairs_hold_password(pairs: str) -> bool:
    for pair in pairs.split("&"):
        name, equals, value = pair.partition("=")
        if equals and value and len(name) <= 128 and is_password_field(unquote_plus(name)):
            return True
    return False
