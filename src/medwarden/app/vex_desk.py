"""VEX for commands: each opens the store, brings verdicts up to date, and does one thing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from medwarden.app import vulnerabilities
from medwarden.app.publisher_keys import Voucher, distrust, trust, vouchers
from medwarden.app.sites import scope_of_site
from medwarden.app.vex import TakenIn, decide, justified, reopen, take_back, take_in, weigh
from medwarden.app.vex_export import Chosen, Written, set_publisher, write
from medwarden.app.vex_signature import check_beside
from medwarden.app.vulnerability_findings import tell
from medwarden.app.work import refresh
from medwarden.app.work_table import due_day
from medwarden.kernel.errors import ConfigurationError, ResourceError
from medwarden.risk.work.vex.reading import LARGEST
from medwarden.store.open import open_store

if TYPE_CHECKING:
    from medwarden.store.queries import Page, Scope
    from medwarden.store.vex import DocumentRow, StatementRow

SAYINGS = ("irrelevant", "not_affected", "fixed")
"""What a person may say of a device and a vulnerability."""


@contextmanager
def _desk(home: Path, site: str | None = None) -> Iterator[Scope]:
    with open_store(home, writer=True, role="vex"):
        from medwarden.store.models import DEFAULT_TENANT

        scope = scope_of_site(site)
        vulnerabilities.refresh(home, DEFAULT_TENANT)
        weigh(home, DEFAULT_TENANT)
        yield scope


def import_file(home: Path, path: Path, *, actor: str, author: str = "") -> TakenIn:
    """Take the VEX document in ``path`` in; see :func:`medwarden.app.vex.take_in`.

    ``FILE.sha512``, ``FILE.sha256`` and ``FILE.asc`` beside it are held against it (CSAF 2.0, 7.1.18 to
    7.1.20), with the public keys of its folder. Raises ResourceError where the file cannot be read,
    MalformedInput where a digest or signature does not hold.
    """
    try:
        with path.open("rb") as file:
            document = file.read(LARGEST + 1)
    except OSError as error:
        raise ResourceError(f"{path}: {error.strerror}") from error
    with _desk(home) as scope:  # which binds keys that were trusted before, so that they count here
        found = check_beside(home, path, document)
        return take_in(home, scope.tenant, document, str(path), actor=actor, author=author, checked=found)


def speakers(home: Path) -> tuple[Voucher, ...]:
    """Return whose signature proves whose word."""
    with _desk(home):
        return vouchers(home)


def speaks_for(home: Path, who: str, publisher: str, *, trusted: bool, actor: str, reason: str) -> None:
    """Let a key or a provider speak for a publisher, or no longer, and weigh statements anew."""
    with _desk(home) as scope:
        (trust if trusted else distrust)(home, who, publisher, actor=actor, reason=reason)
        weigh(home, scope.tenant)


def export_file(home: Path, form: str, chosen: Chosen, *, actor: str, site: str | None = None) -> Written:
    """Return the hospital's verdicts as a document; the queue says what is done about each."""
    with _desk(home, site) as scope:
        from medwarden.app.inventory import one_device

        refresh(home, scope.tenant)
        if chosen.device:
            chosen = Chosen(
                chosen.vendor,
                chosen.vulnerability,
                one_device(chosen.device).id,
                chosen.status,
                chosen.devices,
            )
        return write(scope, form, chosen, actor=actor)


def issuer(home: Path, name: str, namespace: str, *, actor: str) -> None:
    """Keep who issues the hospital's documents."""
    with _desk(home) as scope:
        set_publisher(scope.tenant, name, namespace, actor=actor)


def listed(home: Path) -> list[DocumentRow]:
    """Return the imported documents, the latest first."""
    with _desk(home) as scope:
        from medwarden.store.vex import documents

        return documents(scope.tenant)


def said(home: Path, *, state: str = "", text: str = "", limit: int = 100) -> Page[StatementRow]:
    """Return statements of documents that count, those that wait first."""
    with _desk(home) as scope:
        from medwarden.store.vex import statements

        return statements(scope.tenant, state=state, text=text, limit=limit)


def settle(home: Path, ids: Sequence[int], *, accept: bool, actor: str, reason: str) -> int:
    """Accept or refuse statements that wait; return for how many devices a verdict changed."""
    with _desk(home) as scope:
        return decide(home, scope.tenant, ids, accept=accept, actor=actor, reason=reason)


def undo(home: Path, name: str, *, actor: str, reason: str) -> None:
    """Take back a document (by its id), or a decision on a statement (by its number)."""
    with _desk(home) as scope:
        if name.isascii() and name.isdigit():
            reopen(scope.tenant, int(name), actor=actor, reason=reason)
        else:
            take_back(scope.tenant, name, actor=actor, reason=reason)


def declare(
    home: Path,
    device: str,
    vulnerability: str,
    says: str,
    *,
    until: str,
    justification: str,
    alike: bool,
    actor: str,
    reason: str,
) -> None:
    """Keep the hospital's own word on a device and a vulnerability, with its justification, until a day.

    Raises ConfigurationError where nothing is said of both, or a word or the day cannot be.
    """
    with _desk(home) as scope:
        from medwarden.app.inventory import one_device

        found = one_device(device)
        declare_stored(
            scope.tenant,
            found.site,
            found.id,
            vulnerability,
            says,
            until_ns=due_day(until),
            justification=justification,
            alike=alike,
            actor=actor,
            reason=reason,
        )


def declare_stored(
    tenant: str,
    site: str,
    device: str,
    vulnerability: str,
    says: str,
    *,
    until_ns: int,
    justification: str,
    alike: bool,
    actor: str,
    reason: str,
) -> None:
    """Do the same on a store that is open already."""
    from medwarden.store.changes import Change
    from medwarden.store.queries.vulnerabilities import alike as alike_devices
    from medwarden.store.scores import mark_due
    from medwarden.store.vex import mark_said
    from medwarden.store.vulnerabilities import declare_irrelevant

    if says not in SAYINGS:
        raise ConfigurationError(f"say {', '.join(SAYINGS)}, not {says[:20]!r}")
    grounds = justified(justification)
    with Change(actor, reason.strip(), tenant=tenant, site=site) as change:
        declare_irrelevant(change, device, vulnerability, expires_ns=until_ns, alike=alike)
        mark_said(change, device, vulnerability, says, grounds)
        concerned = alike_devices(device) if alike else [device]
        mark_due(change, concerned)
        tell(tenant, site, concerned)
