"""How other sensors word things, turned into the words of our own dissectors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from medwarden.dissect.dns import registrable_domain
from medwarden.dissect.http_login import login_in_query
from medwarden.dissect.http_paths import public_path
from medwarden.sensors.logs.gathering import ip_or_none

_MOST_WORDED = 1 << 13
_TLS_VERSIONS = {
    "sslv2": "SSL 2.0", "sslv20": "SSL 2.0", "sslv3": "SSL 3.0", "sslv30": "SSL 3.0", "tlsv1": "TLS 1.0",
    "tlsv10": "TLS 1.0", "tlsv11": "TLS 1.1", "tlsv12": "TLS 1.2", "tlsv13": "TLS 1.3",
}  # fmt: skip
_TLS_UNKNOWN = frozenset({"undetermined", "unknown", ""})
_RDP = {
    "rdp": "rdp",
    "ssl": "tls",
    "tls": "tls",
    "hybrid": "credssp",
    "hybrid_ex": "credssp-ex",
    "rdstls": "rdstls",
}
_SHARES = frozenset({"IPC$", "ADMIN$", "C$", "D$", "PRINT$", "SYSVOL", "NETLOGON"})
_COMMUNITIES = frozenset({"public", "private"})
_NAME_PART = re.compile(r"(?<!\\),\s*")
_SSH = re.compile(r"SSH-(\d+\.\d+)-")
_CONTROL = re.compile(r"^[a-z0-9!#$%&'*+.^_`|~-]+/[a-z0-9!#$%&'*+.^_`|~-]+$", re.IGNORECASE)


@lru_cache(_MOST_WORDED)
def tls_version(text: str) -> str | None:
    """Return ``TLSv12`` or ``TLS 1.2`` as our TLS dissector words it, None where nobody knew."""
    key = re.sub(r"[^a-z0-9]", "", text.lower())
    key = key if "v" in key else key.replace("tls", "tlsv").replace("ssl", "sslv")
    return None if key in _TLS_UNKNOWN else _TLS_VERSIONS.get(key, text)


@lru_cache(_MOST_WORDED)
def certificate_name(text: str) -> str | None:
    """Return a distinguished name (RFC 4514, most particular part first) with ``, `` between its parts."""
    return ", ".join(part for part in _NAME_PART.split(text) if part) or None


def ssh_identification(text: str) -> str | None:
    """Return an identification line, with the protocol before it where only the software is told."""
    return text if text.startswith("SSH-") else f"SSH-2.0-{text}" if text else None


def ssh_protocol(text: str) -> str | None:
    """Return the protocol version of an identification line."""
    found = _SSH.match(text)
    return found[1] if found else None


def rdp_security(text: str) -> str | None:
    """Return a security protocol of RDP (MS-RDPBCGR 2.2.1.2.1) as our dissector words it."""
    return _RDP.get(text.lower())


def smb_share(path: str) -> str | None:
    """Return a share that every Windows network has; others may be named after people."""
    share = path.rstrip("\\").rpartition("\\")[2].upper()
    return share if share in _SHARES else None


def community(text: str) -> str | None:
    """Return a community that everybody knows, ``set`` for one of their own."""
    return text if text in _COMMUNITIES else "set"


@lru_cache(_MOST_WORDED)
def http_path(uri: str) -> str | None:
    """Return the part of a request target that names a program, never a person."""
    path = uri.partition("://")[2].partition("/")[2] if "://" in uri[:12] else uri.lstrip("/")
    public = public_path("/" + path.partition("?")[0])
    return public if public != "/" else None


def login_form(uri: str) -> str | None:
    """Tell where a request target carries a password."""
    return "query" if login_in_query(uri) else None


def telling_target(uri: str) -> str:
    """Return a request target without what neither :func:`http_path` nor :func:`login_form` looks at."""
    plain, query, _ = uri.partition("?")
    return plain if query and "://" not in uri[:12] and not login_in_query(uri) else uri


@lru_cache(_MOST_WORDED)
def media_type(text: str) -> str | None:
    """Return a media type without its parameters."""
    kind = text.partition(";")[0].strip().lower()
    return kind if _CONTROL.match(kind) else None


def machine_of_principal(client: str) -> str | None:
    """Return the machine that a Kerberos client (``NAME$/REALM``) is, None for persons and accounts."""
    name, _, rest = client.partition("/")
    if name.lower() == "host" and rest:
        return rest.partition("/")[0].partition("@")[0]
    name = name.partition("@")[0]
    return name.removesuffix("$") if name.endswith("$") and len(name) > 1 else None


def realm_of_principal(client: str) -> str | None:
    """Return the realm of a Kerberos client (``NAME/REALM``)."""
    return client.rpartition("/")[2] or None if "/" in client else None


def service_principal(text: str) -> str | None:
    """Return the service that a ticket is for, without the ticket-granting service itself."""
    names = text.split("/")[:2]
    if len(names) < 2 or names[0].lower() in ("krbtgt", "kadmin"):
        return None
    return "/".join(names)


def registered(name: str) -> str | None:
    """Return the domain that somebody registered of a name that was asked for."""
    return registrable_domain(name.rstrip("."))


def plain_name(name: str) -> str | None:
    """Return a DNS name without its last dot."""
    return name.rstrip(".") or None


def answered_names(query: str, answers: list[str | None]) -> Iterator[tuple[str, str]]:
    """Yield (address, name) for every answer that is an address, under the name that was asked for."""
    name = query.rstrip(".")
    for answer in answers[:32]:
        address = ip_or_none(answer) if answer else None
        if address is not None and name:
            yield address, name


def pointed_address(query: str) -> str | None:
    """Return the address that a name under in-addr.arpa or ip6.arpa stands for (RFC 1035 3.5, RFC 3596)."""
    labels = query.rstrip(".").lower().split(".")
    if labels[-2:] == ["in-addr", "arpa"] and len(labels) == 6:
        return ip_or_none(".".join(reversed(labels[:4])))
    if labels[-2:] == ["ip6", "arpa"] and len(labels) == 34 and all(len(x) == 1 for x in labels[:32]):
        digits = "".join(reversed(labels[:32]))
        return ip_or_none(":".join(digits[at : at + 4] for at in range(0, 32, 4)))
    return None
