"""Connections to scanners: made, changed and ended by people; credentials go in and never come out again."""

from __future__ import annotations

import re
import shutil
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from medwarden.connectors.scanners.desk import ConnectorManifest, Credentials
from medwarden.connectors.scanners.registry import connector_named, connectors
from medwarden.kernel.errors import ConfigurationError
from medwarden.store.open import open_store
from medwarden.store.sealed import seal, unseal
from medwarden.transport.http import checked_host

if TYPE_CHECKING:
    from medwarden.store.models import ScannerConnection
    from medwarden.store.scanners import ConnectionView

MOST_HOURS = 24 * 31
MOST_CHOSEN = 200
_LARGEST_PEM = 256 * 1024
_FINGERPRINT = re.compile(r"[0-9a-f]{64}\Z")


class Wanted(msgspec.Struct, frozen=True):
    """What a person says of a connection. None leaves as it is; what is new must name the first three.

    ``authorities`` are certificates in PEM, ``fingerprint`` the SHA-256 of the scanner's own certificate,
    with colons or without. ``every_hours`` 0 asks only when a person does.
    """

    interface: str | None = None
    address: str | None = None
    credentials: Credentials | None = None
    name: str | None = None
    authorities: str | None = None
    fingerprint: str | None = None
    proxy: str | None = None
    chosen: tuple[str, ...] | None = None
    every_hours: int | None = None


def interfaces() -> tuple[ConnectorManifest, ...]:
    """Return the interfaces of scanners that can be asked."""
    return tuple(connector.manifest for connector in connectors())


def connect(home: Path, tenant: str, site: str, wanted: Wanted, *, actor: str, reason: str = "") -> str:
    """Make a connection on an open store and return its id.

    Raises ConfigurationError where something is missing or does not hold.
    """
    from medwarden.store.changes import Change
    from medwarden.store.scanners import make

    if not wanted.name or not wanted.interface or not wanted.address or wanted.credentials is None:
        raise ConfigurationError("a connection needs a name, an interface, an address and credentials")
    manifest = connector_named(wanted.interface).manifest
    values = _values(wanted, manifest)
    _check_way(str(values["address"]), str(values.get("proxy", "")))
    with Change(actor, reason or "scanner connected", tenant=tenant, site=site) as change:
        row = make(change, site, values)
        row.sealed = _sealed(home, row.pk, wanted.credentials)
        row.save(update_fields=["sealed"])
    return row.pk


def change(home: Path, tenant: str, name: str, wanted: Wanted, *, actor: str, reason: str = "") -> str:
    """Change a connection on an open store and return its id.

    Credentials are for one scanner: with another address, another certificate that is believed, or another
    proxy they have to be given again, or who may change a connection could have them sent to himself. Raises
    ConfigurationError where there is none of that name or something does not hold.
    """
    from medwarden.store.changes import Change
    from medwarden.store.scanners import alter, connection_called

    row = connection_called(tenant, name)
    manifest = connector_named(wanted.interface or row.interface).manifest
    values = dict(_values(wanted, manifest))
    now_named = {name: str(values.get(name, getattr(row, name))) for name in _TIED}
    moved = manifest.name != row.interface or any(getattr(row, name) != now_named[name] for name in _TIED)
    if moved and wanted.credentials is None:
        raise ConfigurationError(
            "with another address, certificate or proxy the credentials have to be given again"
        )
    _check_way(now_named["address"], now_named["proxy"])
    if manifest.name != row.interface:
        _check_address(str(values.get("address", row.address)), manifest)
    if wanted.credentials is not None:
        values["sealed"] = _sealed(home, row.pk, wanted.credentials)
    with Change(actor, reason or "scanner changed", tenant=tenant, site=row.site_id) as decision:
        alter(decision, row, values)
    if moved:
        _forget_kept(home, row.pk)
    return row.pk


def disconnect(tenant: str, name: str, *, actor: str, reason: str) -> None:
    """End a connection on an open store; its credentials are forgotten, its reports stay."""
    from medwarden.store.chain import folder_of_database
    from medwarden.store.changes import Change
    from medwarden.store.scanners import connection_called, end

    row = connection_called(tenant, name)
    with Change(actor, reason.strip(), tenant=tenant, site=row.site_id) as decision:
        end(decision, row)
    home = folder_of_database()
    if home is not None:
        _forget_kept(home, row.pk)


def _forget_kept(home: Path, id: str) -> None:
    """Remove what came of pulls that did not end: it was another scanner's, or nobody takes it up."""
    from medwarden.app.scanner_pull import FOLDER

    shutil.rmtree(home / FOLDER / id, ignore_errors=True)


def credentials_of(home: Path, row: ScannerConnection) -> Credentials:
    """Return what a scanner knows us by. Raises ConfigurationError where the key of the folder changed."""
    return msgspec.json.decode(unseal(home, row.sealed, _purpose(row.pk)), type=Credentials)


def _sealed(home: Path, id: str, credentials: Credentials) -> str:
    for half in (credentials.account, credentials.secret):
        if not half or len(half) > 500 or any(not c.isprintable() for c in half):
            raise ConfigurationError("credentials are two lines of at most 500 letters, neither empty")
    return seal(home, msgspec.json.encode(credentials).decode(), _purpose(id))


_TIED = ("address", "proxy", "fingerprint", "authorities")
"""Whom credentials are for, and what makes sure that nobody else gets them."""


def _purpose(id: str) -> str:
    return f"scanner {id}"


def _values(wanted: Wanted, manifest: ConnectorManifest) -> Mapping[str, object]:
    """Return what is said, checked."""
    values: dict[str, object] = {}
    if wanted.interface is not None:
        values["interface"] = manifest.name
    if wanted.name is not None:
        values["name"] = _name(wanted.name)
    if wanted.address is not None:
        values["address"] = _check_address(wanted.address, manifest)
    if wanted.authorities is not None:
        values["authorities"] = _authorities(wanted.authorities)
    if wanted.fingerprint is not None:
        values["fingerprint"] = _fingerprint(wanted.fingerprint)
    if wanted.proxy is not None:
        values["proxy"] = _proxy(wanted.proxy)
    if wanted.chosen is not None:
        values["chosen"] = [each.strip()[:200] for each in wanted.chosen if each.strip()][:MOST_CHOSEN]
    if wanted.every_hours is not None:
        if not 0 <= wanted.every_hours <= MOST_HOURS:
            raise ConfigurationError(f"a scanner is asked every 1 to {MOST_HOURS} hours, or 0: by hand")
        values["every_hours"] = wanted.every_hours
    return values


def _check_way(address: str, proxy: str) -> None:
    if proxy and address.startswith("http://"):
        raise ConfigurationError("over a proxy only https is used: it would read the credentials")


def _name(said: str) -> str:
    name = " ".join(said.split())
    if not name or len(name) > 80 or not name.isprintable():
        raise ConfigurationError("a connection needs a name of at most 80 letters")
    return name


def _check_address(said: str, manifest: ConnectorManifest) -> str:
    """Return an address without a path of the API. Raises ConfigurationError for one of another kind."""
    address = said.strip().rstrip("/")
    parts = urlsplit(address)
    if len(address) > 300 or parts.query or parts.fragment or parts.username or parts.password:
        raise ConfigurationError(f"write the address of {manifest.title} as {manifest.address}")
    if "https" in manifest.schemes:
        if not parts.hostname:
            raise ConfigurationError(f"write the address of {manifest.title} as {manifest.address}")
        checked_host(address)
        return address
    local = parts.scheme == "unix" and parts.path.startswith("/") and not parts.netloc
    if parts.scheme not in manifest.schemes or not (local or (parts.hostname and _port(address))):
        raise ConfigurationError(
            f"write the address of {manifest.title} as {manifest.address} or unix:///run/gvmd/gvmd.sock"
        )
    return address


def _port(address: str) -> int | None:
    try:
        return urlsplit(address).port
    except ValueError:
        return None


def _authorities(said: str) -> str:
    pem = said.strip()
    if not pem:
        return ""
    if len(pem) > _LARGEST_PEM:
        raise ConfigurationError(f"certificates of authorities are at most {_LARGEST_PEM >> 10} KiB of PEM")
    try:
        ssl.create_default_context(cadata=pem)
    except (ssl.SSLError, ValueError) as error:
        raise ConfigurationError("these are no certificates in PEM") from error
    return pem + "\n"


def _fingerprint(said: str) -> str:
    digits = re.sub(r"[\s:-]", "", said).lower().removeprefix("sha256")
    if digits and _FINGERPRINT.match(digits) is None:
        raise ConfigurationError("a fingerprint is the SHA-256 of the certificate: 64 hexadecimal digits")
    return digits


def _proxy(said: str) -> str:
    proxy = said.strip()
    parts = urlsplit(proxy)
    if proxy and (parts.scheme not in ("http", "https") or not parts.hostname or parts.password):
        raise ConfigurationError("write a proxy as http://proxy.example:3128, without a password")
    return proxy[:200]


# ---------------------------------------------------------------- for commands: each opens the store


def connections_of(home: Path) -> list[ConnectionView]:
    """Return the connections, by name."""
    with open_store(home, writer=False):
        from medwarden.store.queries import Scope
        from medwarden.store.scanners import connections

        return connections(Scope())


def connect_named(home: Path, wanted: Wanted, *, actor: str, site: str | None = None) -> str:
    """Make a connection and return its id; see :func:`connect`."""
    with open_store(home, writer=True, role="scanner-settings"):
        from medwarden.store.open import ensure_site

        tenant, place = ensure_site(None, site)
        return connect(home, tenant, place, wanted, actor=actor)


def change_named(home: Path, name: str, wanted: Wanted, *, actor: str) -> str:
    """Change a connection and return its id; see :func:`change`."""
    with open_store(home, writer=True, role="scanner-settings"):
        from medwarden.store.models import DEFAULT_TENANT

        return change(home, DEFAULT_TENANT, name, wanted, actor=actor)


def disconnect_named(home: Path, name: str, *, actor: str, reason: str) -> None:
    """End a connection; see :func:`disconnect`."""
    with open_store(home, writer=True, role="scanner-settings"):
        from medwarden.store.models import DEFAULT_TENANT

        disconnect(DEFAULT_TENANT, name, actor=actor, reason=reason)
