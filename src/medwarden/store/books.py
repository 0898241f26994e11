"""Books of equipment: imported as versions, compared with the one before, taken back; and their matches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from medwarden.kernel.errors import ConfigurationError
from medwarden.kernel.ids import stable_id
from medwarden.model.book import BookRecord, EquipmentList, RowProblem
from medwarden.store.bulk import insert_rows, update_rows
from medwarden.store.changes import Change
from medwarden.store.marking import mark
from medwarden.store.models import Book, BookDecision, BookMatch, BookRow, BookVersion, Device, MergedDevice
from medwarden.store.owed import owe_comparison

PIN, REJECT = "pin", "reject"
_MOST_PROBLEMS = 500
_AT_ONCE = 400


class BookImport(msgspec.Struct, frozen=True):
    """What an import came to. ``same`` rows say what they said before; ``version`` is 0 for a trial."""

    book: str
    version: int
    rows: int
    new: int
    changed: int
    gone: int
    same: int
    rejected: int
    columns: tuple[tuple[str, str], ...]
    unmapped: tuple[str, ...]
    problems: tuple[RowProblem, ...]
    system: str


class StoredMatch(msgspec.Struct, frozen=True):
    """A pairing as it is kept; ``terms`` are plain values of the engine's terms."""

    key: str
    device: str
    state: str
    log_odds: float
    lead: float
    terms: list[dict[str, object]]
    disagrees: tuple[str, ...] = ()


def book_of(tenant: str, site: str, name: str) -> Book:
    """Return the book of that name. Raises ConfigurationError where the site has none."""
    found = Book.objects.filter(tenant_id=tenant, site_id=site, name=name).first()
    if found is None:
        known = list(
            Book.objects.filter(tenant_id=tenant, site_id=site)
            .order_by("name")
            .values_list("name", flat=True)
        )
        have = f"there are {', '.join(known)}" if known else "import one with `medwarden books import`"
        raise ConfigurationError(f"there is no book named {name[:60]!r}: {have}")
    return found


def import_book(
    change: Change,
    site: str,
    name: str,
    read: EquipmentList,
    source: str,
    digest: str,
    own: Mapping[str, str],
) -> BookImport:
    """Make ``read`` the present version of the book ``name``, which is made where it is new.

    Rows are recognised by their keys: what is new, changed and gone is counted and kept, so that
    :func:`undo_import` can take it back. Comparing the book with the network is owed from then on, as it is
    after whatever else changes a book.
    """
    if not name.strip() or len(name) > 80:
        raise ConfigurationError("a book needs a name of 1 to 80 characters")
    book = _book(change, site, name)
    number = _next_number(book)
    current = {row.key: row for row in BookRow.objects.filter(book=book, until=None)}
    records = {record.key: record for record in read.records}
    changed = [k for k, r in records.items() if k in current and current[k].said != r.said]
    new = [k for k in records if k not in current]
    gone = [k for k in current if k not in records]
    ended = [current[k] for k in (*changed, *gone)]
    for row in ended:
        row.until = number
    update_rows(ended, ["until"])
    twins = twins_of(read.records)
    insert_rows([_row(book, records[k], number, change.now_ns, twins.get(k, "")) for k in (*new, *changed)])
    kept = [k for k in records if k in current and k not in set(changed)]
    moved = [k for k in kept if (current[k].line, current[k].twins) != (records[k].line, twins.get(k, ""))]
    for key in moved:
        current[key].line, current[key].twins = records[key].line, twins.get(key, "")
    update_rows([current[key] for key in moved], ["line", "twins"])
    columns = [list(pair) for pair in read.columns]
    BookVersion.objects.create(
        tenant_id=change.tenant, site_id=site, book=book, number=number, at_ns=change.now_ns,
        actor=change.actor[:150], source=source[:255], digest=digest, columns=columns,
        before_columns=book.columns,
        rows=len(records), new=len(new), changed=len(changed), gone=len(gone), rejected=read.rejected,
        problems=msgspec.to_builtins(read.problems[:_MOST_PROBLEMS]),
    )  # fmt: skip
    book.columns, book.own, book.version, book.system = columns, dict(own), number, read.system
    book.save()
    owe_comparison(change, site)
    change.record(
        "book.imported",
        f"book:{book.pk}",
        {"rows": len(current)},
        {"name": name, "version": number, "rows": len(records), "new": len(new), "changed": len(changed),
         "gone": len(gone), "rejected": read.rejected},
        site=site,
    )  # fmt: skip
    return BookImport(
        name, number, len(records), len(new), len(changed), len(gone), len(kept), read.rejected,
        read.columns, read.unmapped, read.problems, read.system,
    )  # fmt: skip


def _book(change: Change, site: str, name: str) -> Book:
    """Return the book of that name, made where it is new."""
    book = Book.objects.filter(tenant_id=change.tenant, site_id=site, name=name).first()
    if book is None:
        book = Book(
            id=stable_id("b", site, name),
            tenant_id=change.tenant,
            site_id=site,
            name=name,
            created_ns=change.now_ns,
        )
        book.save(force_insert=True)
    return book


def _next_number(book: Book) -> int:
    last = BookVersion.objects.filter(book=book).order_by("-number").first()
    return 1 if last is None else last.number + 1


def _row(book: Book, record: BookRecord, number: int, now_ns: int, twins: str) -> BookRow:
    return BookRow(
        tenant_id=book.tenant_id,
        site_id=book.site_id,
        book=book,
        key=record.key,
        line=record.line,
        since=number,
        since_ns=now_ns,
        said=record.said,
        status=record.said.get("status", "")[:40],
        twins=twins,
    )


def worded(words: Iterable[str]) -> str:
    """Return words as a column holds them, between blanks, so that ``' word '`` finds one."""
    joined = " ".join(words)
    return f" {joined} " if joined else ""


def twins_of(records: Sequence[BookRecord]) -> dict[str, str]:
    """Return, by row, which of serial, asset tag and MAC address other rows of the book have too."""
    rows: dict[tuple[str, str], list[str]] = {}
    for record in records:
        for field in ("serial", "asset_tag", "mac"):
            for value in (
                record.said.get(field, "").casefold().split()
                if field == "mac"
                else ([record.said[field].casefold()] if field in record.said else [])
            ):
                rows.setdefault((field, value), []).append(record.key)
    found: dict[str, dict[str, None]] = {}
    for (field, _), keys in rows.items():
        for key in keys if len(keys) > 1 else ():
            found.setdefault(key, {})[field] = None
    return {key: worded(fields) for key, fields in found.items()}


def undo_import(change: Change, site: str, name: str) -> BookVersion:
    """Take the latest import of a book back that was not taken back yet, and return it.

    Raises ConfigurationError where there is none.
    """
    book = book_of(change.tenant, site, name)
    version = BookVersion.objects.filter(book=book, number=book.version).first()
    if version is None:
        raise ConfigurationError(f"nothing of {name[:60]!r} is left to be taken back")
    BookRow.objects.filter(book=book, since=version.number).delete()
    BookRow.objects.filter(book=book, until=version.number).update(until=None)
    version.undone_ns = change.now_ns
    version.save(update_fields=["undone_ns"])
    before = BookVersion.objects.filter(book=book, undone_ns=None).order_by("-number").first()
    book.version = 0 if before is None else before.number
    book.columns = version.before_columns
    book.save()
    owe_comparison(change, site)
    change.record(
        "book.import_undone",
        f"book:{book.pk}",
        {"version": version.number},
        {"version": book.version, "rows": BookRow.objects.filter(book=book, until=None).count()},
        site=site,
    )
    return version


def remove_book(change: Change, site: str, name: str) -> None:
    """Remove a book with its versions, rows, matches and decisions."""
    book = book_of(change.tenant, site, name)
    rows = BookRow.objects.filter(book=book, until=None).count()
    change.record("book.removed", f"book:{book.pk}", {"name": name, "rows": rows}, None, site=site)
    book.delete()
    owe_comparison(change, site)


def records_of(book: Book) -> list[BookRecord]:
    """Return the present rows of a book, by key."""
    rows = BookRow.objects.filter(book=book, until=None).order_by("key").values_list("key", "line", "said")
    return [BookRecord(*values) for values in rows]


def decisions_of(book: Book) -> tuple[frozenset[tuple[str, str]], frozenset[tuple[str, str]]]:
    """Return pinned and rejected (row key, device id) pairs; devices that merged are what they became.

    Where two devices were pinned to rows of their own before they became one, the later pin counts; the
    earlier one is kept and counts again when they are told apart.
    """
    merged = dict(MergedDevice.objects.filter(site_id=book.site_id).values_list("gone", "kept"))

    def present(device: str) -> str:
        seen = {device}
        while device in merged and merged[device] not in seen:
            device = merged[device]
            seen.add(device)
        return device

    pinned: dict[str, str] = {}
    rejected: set[tuple[str, str]] = set()
    rows = BookDecision.objects.filter(book=book).order_by("at_ns", "pk")
    for key, device, decision in rows.values_list("key", "device_id", "decision"):
        if decision == PIN:
            pinned[present(device)] = key
        else:
            rejected.add((key, present(device)))
    pins = frozenset((key, device) for device, key in pinned.items())
    return pins, frozenset(rejected) - pins


def decide(change: Change, book: Book, key: str, device: str, decision: str) -> None:
    """Keep that a person says of a row and a device that they are one (pin), or are not (reject).

    A row is pinned to one device and a device to one row of a book: an earlier pin of either ends. Raises
    ConfigurationError where there is no such row or device.
    """
    if not BookRow.objects.filter(book=book, key=key, until=None).exists():
        raise ConfigurationError(f"{book.name} has no row {key[:80]!r}")
    if not Device.objects.filter(site_id=book.site_id, pk=device).exists():
        raise ConfigurationError(f"there is no device {device[:40]!r} at this site")
    standing = BookDecision.objects.filter(book=book)
    if decision == PIN:
        (standing.filter(decision=PIN, key=key) | standing.filter(decision=PIN, device_id=device)).delete()
    before = standing.filter(key=key, device_id=device).values_list("decision", flat=True).first()
    standing.filter(key=key, device_id=device).delete()
    BookDecision.objects.create(
        tenant_id=book.tenant_id,
        site_id=book.site_id,
        book=book,
        key=key,
        device_id=device,
        decision=decision,
        actor=change.actor[:150],
        reason=change.reason,
        at_ns=change.now_ns,
    )
    owe_comparison(change, book.site_id)
    change.record(
        "book.decided",
        f"device:{device}",
        before,
        {"book": book.name, "row": key, "decision": decision},
        site=book.site_id,
    )


def forget_decision(change: Change, book: Book, key: str, device: str) -> None:
    """Take a person's decision back. Raises ConfigurationError where there is none."""
    row = BookDecision.objects.filter(book=book, key=key, device_id=device).first()
    if row is None:
        raise ConfigurationError(f"nobody decided of {key[:80]!r} and {device[:40]!r}")
    change.record(
        "book.decision_undone",
        f"device:{device}",
        {"book": book.name, "row": key, "decision": row.decision},
        None,
        site=book.site_id,
    )
    row.delete()
    owe_comparison(change, book.site_id)


def record_matches(change: Change, book: Book, found: Sequence[StoredMatch]) -> list[str]:
    """Make ``found`` the matches of a book; return the devices for which something changed."""
    stored = {(m.key, m.device_id): m for m in BookMatch.objects.filter(book=book)}
    fresh = {(match.key, match.device): match for match in found}
    touched: dict[str, None] = {}
    gone = [match for pair, match in stored.items() if pair not in fresh]
    for start in range(0, len(gone), _AT_ONCE):
        BookMatch.objects.filter(pk__in=[m.pk for m in gone[start : start + _AT_ONCE]]).delete()
    touched |= dict.fromkeys(m.device_id for m in gone if m.state in ("matched", "pinned"))
    rows, updated = [], []
    for pair, match in fresh.items():
        row = stored.get(pair)
        if row is None:
            row = BookMatch(
                tenant_id=book.tenant_id, site_id=book.site_id, book=book, key=match.key,
                device_id=match.device, since_ns=change.now_ns,
            )  # fmt: skip
            rows.append(row)
            before = ""
        else:
            before = row.state
            now = (match.state, match.log_odds, match.lead, worded(match.disagrees))
            if (row.state, row.log_odds, row.margin, row.disagrees) == now:
                continue
            updated.append(row)
        row.state, row.log_odds, row.margin = match.state, match.log_odds, match.lead
        row.evidence, row.disagrees = match.terms, worded(match.disagrees)
        if before != match.state:
            row.since_ns = change.now_ns
            touched[match.device] = None
    insert_rows(rows)
    update_rows(updated, ["state", "log_odds", "margin", "evidence", "disagrees", "since_ns"])
    states = {s: sum(m.state == s for m in found) for s in ("matched", "pinned", "ambiguous", "contradicted")}
    if rows or updated or gone:
        change.record(
            "book.reconciled", f"book:{book.pk}", None, {"name": book.name, **states}, site=book.site_id
        )
    return list(touched)


def mark_stale(ids: Iterable[str]) -> None:
    """Mark devices as to be judged anew, because what books say of them changed."""
    mark(ids, retired=False)
