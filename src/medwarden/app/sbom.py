"""Bills of materials: read from a file, attached to a device or model, listed, shown, removed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from medwarden.kernel.errors import ConfigurationError, ResourceError
from medwarden.knowledge.sbom import LARGEST, Component, read_bill
from medwarden.store.open import open_store

if TYPE_CHECKING:
    from medwarden.store.queries import Page
    from medwarden.store.sbom import BillView, Subject


def attach(
    home: Path,
    path: Path,
    *,
    actor: str,
    device: str = "",
    vendor: str = "",
    model: str = "",
    firmware: str = "",
) -> str:
    """Attach the bill in ``path`` to a device (its id, MAC or IP) or a maker's model; return its id.

    Raises ResourceError where the file cannot be read, MalformedInput where it is no bill, and
    ConfigurationError where nothing or both is named.
    """
    if bool(device) == bool(vendor or model):
        raise ConfigurationError("say what the bill is of: either a device, or a maker and a model")
    try:
        with path.open("rb") as file:
            document = file.read(LARGEST + 1)
    except OSError as error:
        raise ResourceError(f"{path}: {error.strerror}") from error
    with open_store(home, writer=True, role="sbom"):
        from medwarden.app.inventory import one_device
        from medwarden.store.models import DEFAULT_TENANT
        from medwarden.store.sbom import Subject

        of = Subject(one_device(device).id) if device else Subject("", vendor, model, firmware)
        return attach_stored(DEFAULT_TENANT, document, path.name, of, actor=actor)


def attach_stored(tenant: str, document: bytes, source: str, subject: Subject, *, actor: str) -> str:
    """Do the same on a store that is open already."""
    from medwarden.store.changes import Change
    from medwarden.store.sbom import attach_bill

    bill = read_bill(document, source)
    digest = hashlib.sha256(document).hexdigest()
    with Change(actor, f"bill of materials from {source}", tenant=tenant) as change:
        return attach_bill(change, bill, subject, source, digest)


def bill_list(home: Path, *, device: str = "", text: str = "") -> list[BillView]:
    """Return the bills, or those of one device (its id, MAC or IP) and its model."""
    with open_store(home, writer=False):
        from medwarden.app.inventory import one_device
        from medwarden.store.queries import Scope
        from medwarden.store.sbom import bills

        of = one_device(device).id if device else ""
        return list(bills(Scope(), device=of, text=text, limit=1000).items)


def shown(home: Path, bill: str, *, text: str = "", offset: int = 0, limit: int = 100) -> Page[Component]:
    """Return a page of the components of a bill. Raises ConfigurationError where there is no such bill."""
    with open_store(home, writer=False):
        from medwarden.store.queries import Scope
        from medwarden.store.sbom import bill as one_bill
        from medwarden.store.sbom import components

        one_bill(Scope(), bill)
        return components(Scope(), bill, text=text, offset=offset, limit=limit)


def remove(home: Path, bill: str, *, actor: str, reason: str) -> None:
    """Remove a bill."""
    with open_store(home, writer=True, role="sbom"):
        from medwarden.store.changes import Change
        from medwarden.store.queries import Scope
        from medwarden.store.sbom import remove_bill

        with Change(actor, reason) as change:
            remove_bill(change, Scope(), bill)
