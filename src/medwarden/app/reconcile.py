"""Books against the network: matched, judged, decided by people, and told as findings."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from medwarden.inventory.reconcile import Decided, Limits, Pairing, reconcile
from medwarden.inventory.reconcile_fields import disagreements, fields_of
from medwarden.inventory.reconcile_findings import KIND, BookedAs, book_findings
from medwarden.inventory.reconcile_sides import device_side, row_side
from medwarden.kernel.clock import NANOSECONDS, Clock, wall_clock
from medwarden.kernel.errors import ConfigurationError
from medwarden.knowledge.reconciliation import ReconciliationRules, default_rules, rules_with
from medwarden.store.open import open_store

if TYPE_CHECKING:
    from medwarden.inventory.reconcile_fields import FieldView
    from medwarden.model.device import Device
    from medwarden.model.finding import Finding
    from medwarden.store.books import StoredMatch
    from medwarden.store.changes import Change
    from medwarden.store.models import Book
    from medwarden.store.owed import Owed
    from medwarden.store.queries.books import ReconciledRow, ReconcileFilter, Situation

RULES_FILE = "reconciliation.yaml"
_DAY = 86_400 * NANOSECONDS
_BETWEEN_S = 300.0
_MOST_DIGITS = 9  # of the number of a line
_RULE_VERSION = "reconcile-1"
_log = logging.getLogger(__name__)
_last: dict[tuple[str, str], float] = {}


def rules_of(home: Path | None) -> ReconciliationRules:
    """Return the rules in force: the packaged ones with the data folder's own file, where it has one.

    Raises ConfigurationError where that file does not hold.
    """
    path = None if home is None else home / RULES_FILE
    if path is None or not path.is_file():
        return default_rules()
    return rules_with(path.read_text(encoding="utf-8", errors="replace"), str(path))


def _rules() -> ReconciliationRules:
    """Return the rules of the open store; a file that does not hold is named and left out."""
    from medwarden.store.chain import folder_of_database

    try:
        return rules_of(folder_of_database())
    except ConfigurationError as error:
        _log.warning("own rules of reconciliation left out: %s", error)
        return default_rules()


def reconcile_site(tenant: str, site: str, clock: Clock = wall_clock) -> dict[str, int]:
    """Reconcile every book of a site, which is owed no more then; return how many pairings each has."""
    due, names = _owed(tenant, site), _names(tenant, site)
    found = {name: len(reconcile_book(tenant, site, name, clock)) for name in names}
    if due is not None:
        due.done()
    return found


def _names(tenant: str, site: str) -> list[str]:
    from medwarden.store.models import Book

    rows = Book.objects.filter(tenant_id=tenant, site_id=site).order_by("name")
    return list(rows.values_list("name", flat=True))


def _owed(tenant: str, site: str) -> Owed | None:
    from medwarden.store.owed import Work, owed

    return owed(tenant, site).get(Work.BOOKS)


def reconcile_book(tenant: str, site: str, name: str, clock: Clock = wall_clock) -> list[Pairing]:
    """Reconcile one book with the devices of its site: matches, findings, and devices judged anew.

    Uses an open store. Raises ConfigurationError where there is no such book.
    """
    from medwarden.app.judge import judge_stale
    from medwarden.store.books import book_of, decisions_of, mark_stale, record_matches, records_of
    from medwarden.store.changes import Change
    from medwarden.store.queries.books import matchable

    book, rules, due = book_of(tenant, site, name), _rules(), _owed(tenant, site)
    _last[tenant, site] = time.monotonic()
    records = {record.key: record for record in records_of(book)}
    devices = {device.id: device for device in matchable(site)}
    pairings = reconcile(
        [row_side(record) for record in records.values()],
        [device_side(device) for device in devices.values()],
        Decided(*decisions_of(book)),
        Limits(rules.accept.probability, rules.accept.lead),
    )
    since = _since(book)
    stored = [
        _stored(
            p,
            disagreements(
                fields_of(records[p.key].said, since.get(p.key, 0), name, devices[p.device], rules)
            ),
        )
        for p in pairings
    ]
    with Change(
        "rule:reconcile", "book or devices changed", _RULE_VERSION, tenant=tenant, site=site
    ) as change:
        touched = record_matches(change, book, stored)
        mark_stale(touched)
    tell(tenant, site, list(devices.values()), rules, clock)
    if due is not None and _names(tenant, site) == [name]:
        due.done()
    if touched:
        judge_stale(tenant, site)
    return pairings


def _stored(pairing: Pairing, disagrees: tuple[str, ...]) -> StoredMatch:
    from medwarden.store.books import StoredMatch

    return StoredMatch(
        pairing.key,
        pairing.device,
        pairing.state.value,
        pairing.log_odds,
        pairing.lead,
        [msgspec.to_builtins(term) for term in pairing.terms],
        disagrees if pairing.state.value in ("matched", "pinned") else (),
    )


def _since(book: Book) -> dict[str, int]:
    from medwarden.store.models import BookRow

    return dict(BookRow.objects.filter(book=book, until=None).values_list("key", "since_ns"))


def tell(
    tenant: str, site: str, devices: Sequence[Device], rules: ReconciliationRules, clock: Clock = wall_clock
) -> None:
    """Open and resolve the findings of reconciliation; without a book there are none."""
    from medwarden.store.changes import Change
    from medwarden.store.models import Book

    booked = booked_as(site)
    has_book = Book.objects.filter(site_id=site).exists()
    found = book_findings(devices, booked, rules, clock()) if has_book else []
    if not found and not _standing(site):
        return
    with Change(
        "rule:reconcile", "books and network compared", _RULE_VERSION, tenant=tenant, site=site
    ) as change:
        _bring_in_line(change, site, found)


def _standing(site: str) -> set[str]:
    from medwarden.store.models import Finding

    standing = Finding.objects.filter(site_id=site, kind=KIND.value).exclude(state="resolved")
    return set(standing.values_list("device_id", flat=True))


def _bring_in_line(change: Change, site: str, found: Sequence[Finding]) -> None:
    """Open and resolve findings so that those of ``found`` stand on devices that are there."""
    from medwarden.store.bulk import among
    from medwarden.store.findings import record_findings
    from medwarden.store.models import Device as Row

    concerned = {finding.device for finding in found}
    there = set(Row.objects.filter(pk__in=among(concerned)).values_list("pk", flat=True))
    found = [finding for finding in found if finding.device in there]
    ids = {finding.device for finding in found} | _standing(site)
    record_findings(change, sorted(ids), found, frozenset({KIND}))


def booked_as(site: str) -> dict[str, list[BookedAs]]:
    """Return the rows of books that devices of a site are, by device."""
    from medwarden.store.models import BookMatch, BookRow
    from medwarden.store.statements import HELD

    rows = {
        (book, key): (name, said, since)
        for book, name, key, said, since in BookRow.objects.filter(site_id=site, until=None).values_list(
            "book_id", "book__name", "key", "said", "since_ns"
        )
    }
    found: dict[str, list[BookedAs]] = {}
    held = BookMatch.objects.filter(site_id=site, state__in=HELD).order_by("book_id", "key")
    for device, book, key in held.values_list("device_id", "book_id", "key"):
        if (book, key) in rows:
            name, said, since = rows[book, key]
            found.setdefault(device, []).append(BookedAs(name, key, said, since))
    return found


def decide(
    tenant: str, site: str, book: str, key: str, device: str, decision: str, *, actor: str, reason: str
) -> None:
    """Keep a person's word on a row and a device (``pin``, ``reject`` or ``forget``) and reconcile the book.

    Uses an open store. Raises ConfigurationError for another word, an unknown row or device, or no reason.
    """
    from medwarden.store.books import PIN, REJECT, book_of, forget_decision
    from medwarden.store.books import decide as keep
    from medwarden.store.changes import Change

    if not reason.strip():
        raise ConfigurationError("say why: every decision on a row and a device needs a reason")
    if decision not in (PIN, REJECT, "forget"):
        raise ConfigurationError(f"{decision[:20]!r} is no decision: use pin, reject or forget")
    found = book_of(tenant, site, book)
    with Change(actor, reason, tenant=tenant, site=site) as change:
        if decision == "forget":
            forget_decision(change, found, key, device)
        else:
            keep(change, found, key, device, decision)
    reconcile_book(tenant, site, book)


def forget_book(tenant: str, site: str, name: str, *, actor: str, reason: str) -> None:
    """Remove a book on an open store, and judge the devices anew that it spoke for."""
    from medwarden.app.judge import judge_stale
    from medwarden.store.books import book_of, mark_stale, remove_book
    from medwarden.store.changes import Change
    from medwarden.store.models import BookMatch
    from medwarden.store.queries.books import matchable
    from medwarden.store.statements import HELD

    book = book_of(tenant, site, name)
    spoken = list(BookMatch.objects.filter(book=book, state__in=HELD).values_list("device_id", flat=True))
    with Change(actor, reason or "book removed", tenant=tenant, site=site) as change:
        remove_book(change, site, name)
        mark_stale(spoken)
        if not _names(tenant, site):
            _bring_in_line(change, site, ())
    if _names(tenant, site):
        tell(tenant, site, matchable(site), _rules())
    judge_stale(tenant, site)


def follow(tenant: str, site: str) -> None:
    """Reconcile a site's books, which is owed, at most every few minutes of this process."""
    now = time.monotonic()
    if now - _last.get((tenant, site), -_BETWEEN_S) >= _BETWEEN_S:
        _last[tenant, site] = now
        reconcile_site(tenant, site)


def soon(tenant: str, site: str) -> None:
    """Let the next :func:`follow` of a site reconcile at once: a person changed what its devices are."""
    _last.pop((tenant, site), None)


def filter_of(
    situation: Situation, *, book: str = "", text: str = "", field: str = "", clock: Clock = wall_clock
) -> ReconcileFilter:
    """Return the filter of a situation with the days of the rules in force, on an open store."""
    from medwarden.store.queries.books import ReconcileFilter

    rules, now = _rules(), clock()
    return ReconcileFilter(
        situation,
        silent_before=now - rules.silent_days * _DAY,
        heard_since=now - rules.heard_days * _DAY,
        book=book,
        text=text,
        field=field,
    )


def compared(device: Device) -> dict[str, tuple[FieldView, ...]]:
    """Return, by book, who says what of a device since when and whose word counts, on an open store."""
    from medwarden.store.models import BookMatch, BookRow
    from medwarden.store.statements import HELD

    rules, found = _rules(), {}
    for match in BookMatch.objects.filter(device_id=device.id, state__in=HELD).select_related("book"):
        row = BookRow.objects.filter(book_id=match.book_id, key=match.key, until=None).first()
        if row is not None:
            found[match.book.name] = fields_of(row.said, row.since_ns, match.book.name, device, rules)
    return found


class Reconciliation(msgspec.Struct, frozen=True):
    """What reconciliation says of a site: how many lines each situation has, and the lines of one."""

    counts: dict[str, int]
    lines: list[ReconciledRow]


def reconciliation(
    home: Path, situation: str, *, book: str = "", text: str = "", field: str = "", site: str | None = None
) -> Reconciliation:
    """Return the counts of all situations and every line of one, names of people included.

    Raises ConfigurationError for a situation that there is not.
    """
    with open_store(home, writer=False):
        from medwarden.store.queries import Scope
        from medwarden.store.queries import books as q

        scope = Scope() if site is None else Scope(sites=(site,))
        wanted = filter_of(situation_named(situation), book=book, text=text, field=field)
        counts = q.situation_counts(scope, wanted.silent_before, wanted.heard_since, book)
        lines: list[ReconciledRow] = []
        while True:
            page = q.reconciled(scope, wanted, offset=len(lines), limit=1000, staff=True)
            lines += page.items
            if len(lines) >= page.total or not page.items:
                return Reconciliation(counts, lines)


def situation_named(text: str) -> Situation:
    """Return the situation of that name. Raises ConfigurationError for another one."""
    from medwarden.store.queries.books import Situation

    try:
        return Situation(text)
    except ValueError:
        known = ", ".join(s.value for s in Situation)
        raise ConfigurationError(f"there is no situation {text[:40]!r}: use one of {known}") from None


def reconcile_now(home: Path, *, site: str | None = None) -> dict[str, int]:
    """Reconcile every book of a site now; return how many pairings each has."""
    with open_store(home, writer=True, role="books"):
        from medwarden.store.open import ensure_site

        return reconcile_site(*ensure_site(None, site))


def decide_at(
    home: Path,
    book: str,
    key: str,
    device: str,
    decision: str,
    *,
    actor: str,
    reason: str,
    site: str | None = None,
) -> str:
    """Keep a person's word on a row and a device; ``device`` is an id, MAC or IP address. Return its id.

    ``key`` is a row's key, or its asset tag, serial number or line where that names one row.
    """
    with open_store(home, writer=True, role="books"):
        from medwarden.app.inventory import one_device
        from medwarden.store.books import book_of
        from medwarden.store.open import ensure_site

        tenant, place = ensure_site(None, site)
        found = one_device(device)
        row = row_named(book_of(tenant, place, book), key)
        decide(tenant, place, book, row, found.id, decision, actor=actor, reason=reason)
        return found.id


def row_named(book: Book, text: str) -> str:
    """Return the key of the row that a person means by its key, asset tag, serial number or line.

    Raises ConfigurationError where there is none, or there are several.
    """
    from medwarden.store.models import BookRow

    rows = BookRow.objects.filter(book=book, until=None)
    if rows.filter(key=text).exists():
        return text
    found = list(rows.filter(said__asset_tag=text) | rows.filter(said__serial=text))
    if not found and text.isdecimal() and len(text) <= _MOST_DIGITS:
        found = list(rows.filter(line=int(text)))
    if len(found) != 1:
        many = "several rows are" if found else "no row is"
        raise ConfigurationError(f"{many} called {text[:60]!r} in {book.name}: give the row's key")
    return found[0].key


def compared_at(home: Path, device: str) -> dict[str, tuple[FieldView, ...]]:
    """Return the same of the device with this id, MAC or IP address. Raises ConfigurationError for none."""
    with open_store(home, writer=False):
        from medwarden.app.inventory import one_device

        return compared(one_device(device))
