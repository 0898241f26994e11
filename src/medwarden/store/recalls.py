"""Keep notices in their versions, what devices were compared by, and the verdicts over time.

Writers close the span of what no longer counts and open a new one with the cause, and write nothing where
nothing changed. See :mod:`medwarden.store.models.recalls`.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec
from django.db.models import TextField
from django.db.models.functions import Cast

from medwarden.kernel.errors import ConfigurationError, MalformedInput
from medwarden.kernel.ids import stable_id
from medwarden.knowledge.udi import Udi, parse_udi
from medwarden.risk.matching.profile import SURE
from medwarden.risk.recalls.engine import RecallMatch
from medwarden.risk.recalls.facts import DeviceFacts, Said
from medwarden.risk.recalls.notice import CSAF, MAKER, Notice
from medwarden.store.bulk import among, insert_rows, update_rows
from medwarden.store.changes import Change
from medwarden.store.models import (
    BookMatch,
    BookRow,
    Device,
    RecallFacts,
    RecallNotice,
    RecallNoticeVersion,
    RecallStanding,
    RecallVerdict,
)
from medwarden.store.prepared import Prepared, one_of
from medwarden.store.statements import HELD

OWN = (MAKER, CSAF)
"""Origins of notices that are the hospital's own: they come from no feed."""

_AT_ONCE = 400
_VENDOR_SURE = 0.5
_LONGEST = 400
_log = logging.getLogger(__name__)


class Standing(msgspec.Struct, frozen=True):
    """Up to which edition of knowledge, which own notices and which rules a site was judged."""

    edition: int = -1
    notices_ns: int = 0
    rules: str = ""


def notice_id(tenant: str, number: str) -> str:
    """Return the key of a notice by its publisher's number."""
    return stable_id("rn", tenant, number)


class _Row(NamedTuple):
    """What recalls look at of the row of a device."""

    pk: str
    name: str | None
    vendor: str | None
    model: str | None
    serial: str | None
    firmware: str | None
    confidence: dict[str, float]


_LOOKED_AT = Prepared(
    lambda ids: Device.objects.filter(pk__in=one_of(ids)), "tenant_id", "retired_at", *_Row._fields
)


def facts_of(tenant: str, ids: Sequence[str]) -> dict[str, DeviceFacts]:
    """Return what recalls look at of each device that is there and not retired, by its id."""
    found: dict[str, DeviceFacts] = {}
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + _AT_ONCE]
        from_books = booked(part)
        for held, retired_at, *said in _LOOKED_AT(part):
            row = _Row(*said)
            if held == tenant and retired_at is None:
                found[row.pk] = _facts(row, from_books.get(row.pk, ()))
    return found


def booked(ids: Sequence[str]) -> dict[str, list[tuple[str, dict[str, str]]]]:
    """Return what books say of devices: name of the book and its row."""
    matches = list(
        BookMatch.objects.filter(device_id__in=ids, state__in=HELD)
        .order_by("book_id", "key")
        .values_list("device_id", "book_id", "book__name", "key")
    )
    if not matches:
        return {}
    rows = {
        (book, key): said
        for book, key, said in BookRow.objects.filter(
            book_id__in={book for _, book, _, _ in matches},
            key__in={key for _, _, _, key in matches},
            until=None,
        ).values_list("book_id", "key", "said")
    }
    found: dict[str, list[tuple[str, dict[str, str]]]] = {}
    for device, book, name, key in matches:
        if (book, key) in rows:
            found.setdefault(device, []).append((name, rows[book, key]))
    return found


def _facts(row: _Row, booked: Iterable[tuple[str, dict[str, str]]]) -> DeviceFacts:
    models: dict[str, str] = {row.model: "model"} if row.model else {}
    serials: dict[str, str] = {row.serial: "serial"} if row.serial else {}
    firmware: dict[str, str] = {row.firmware: "firmware"} if row.firmware else {}
    identifiers: dict[str, str] = {}
    lots: dict[str, str] = {}
    made: dict[str, str] = {}
    bought: dict[str, str] = {}
    vendor = row.vendor or ""
    for name, said in booked:
        field = f"book:{name}"
        vendor = vendor or said.get("vendor", "")
        for values, key in (
            (models, "model"), (serials, "serial"), (firmware, "firmware"), (lots, "lot"),
            (made, "manufactured"), (bought, "purchase_date"),
        ):  # fmt: skip
            if said.get(key):
                values.setdefault(said[key], field)
        udi = _udi(said.get("udi", ""), row.pk, name)
        if udi is not None:
            identifiers.setdefault(udi.di, field)
            for values, value in ((lots, udi.lot), (serials, udi.serial), (made, udi.manufactured)):
                if value:
                    values.setdefault(value, f"{field} (UDI)")
    made_label = " ".join(part for part in (row.vendor, row.model) if part)
    return DeviceFacts(
        device=row.pk,
        label=(row.name or made_label or row.pk)[:200],
        vendor=vendor,
        vendor_sure=row.confidence.get("vendor", 1.0) >= _VENDOR_SURE,
        model_sure=row.confidence.get("model", 1.0) >= SURE,
        models=_said(models),
        identifiers=_said(identifiers),
        lots=_said(lots),
        serials=_said(serials),
        firmware=_said(firmware),
        made=_said(made),
        bought=_said(bought),
    )


def _said(values: Mapping[str, str]) -> tuple[Said, ...]:
    return tuple(Said(value, field) for value, field in values.items())


def _udi(text: str, device: str, book: str) -> Udi | None:
    if not text:
        return None
    try:
        return parse_udi(text)
    except MalformedInput as error:
        _log.info("the UDI of %s in %s is not used: %s", device, book, error)
        return None


def record_facts(change: Change, facts: Mapping[str, DeviceFacts]) -> list[str]:
    """Note what devices are compared by; return those for which that is new or changed."""
    ids = list(facts)
    changed: list[str] = []
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + _AT_ONCE]
        rows = RecallFacts.objects.filter(device_id__in=among(part))
        texts = rows.annotate(text=Cast("facts", TextField()))  # compared as it is stored
        stored = {device: (key, text) for device, key, text in texts.values_list("device_id", "pk", "text")}
        fresh, altered = [], []
        for device in part:
            now = _plain(facts[device])
            known = stored.get(device)
            if known is None:
                fresh.append(RecallFacts(tenant_id=change.tenant, device_id=device, facts=now))
            elif msgspec.json.decode(known[1]) != now:
                altered.append(RecallFacts(pk=known[0], device_id=device, facts=now))
        sites = dict(
            Device.objects.filter(pk__in=among(row.device_id for row in fresh)).values_list("pk", "site_id")
        )
        for row in fresh:
            row.site_id = sites[row.device_id]
        insert_rows(fresh)
        update_rows(altered, ("facts",))
        changed += [row.device_id for row in (*fresh, *altered)]
    return changed


def _plain(facts: DeviceFacts) -> dict[str, object]:
    plain: dict[str, object] = msgspec.json.decode(msgspec.json.encode(facts))  # as JSON gives it back
    plain.pop("device")
    plain.pop("label", None)
    return plain


def standing_of(site: str) -> Standing:
    """Return up to what a site was judged."""
    row = RecallStanding.objects.filter(site_id=site).first()
    return Standing() if row is None else Standing(row.edition, row.notices_ns, row.rules_version)


def record_standing(change: Change, site: str, standing: Standing) -> None:
    """Note up to what a site was judged."""
    row = RecallStanding.objects.filter(site_id=site).first()
    row = row or RecallStanding(tenant_id=change.tenant, site_id=site)
    row.edition, row.notices_ns, row.rules_version = standing.edition, standing.notices_ns, standing.rules
    row.judged_ns = change.now_ns
    row.save()


def own_notices(tenant: str) -> list[Notice]:
    """Return the hospital's own notices that are not withdrawn."""
    rows = RecallNotice.objects.filter(tenant_id=tenant, origin__in=OWN, withdrawn=False)
    return [msgspec.convert(body, Notice) for body in rows.order_by("pk").values_list("body", flat=True)]


def own_stamp(tenant: str) -> int:
    """Return the number of the last version of own notices that was stored; 0 where there is none.

    Numbers are given in the order of commits, which times are not: a long change is stamped when it begins.
    """
    rows = RecallNoticeVersion.objects.filter(tenant_id=tenant, notice__origin__in=OWN)
    return rows.order_by("-pk").values_list("pk", flat=True).first() or 0


def own_changed(tenant: str, since: int) -> set[str]:
    """Return the numbers of own notices of which a version was stored after that of a stamp.

    All of them for a stamp that is no such version: before, times were kept.
    """
    rows = RecallNoticeVersion.objects.filter(tenant_id=tenant, notice__origin__in=OWN)
    if since <= own_stamp(tenant):
        rows = rows.filter(pk__gt=since)
    return set(rows.values_list("notice__number", flat=True))


def record_notices(change: Change, notices: Iterable[Notice]) -> None:
    """Keep notices that concern something here; another wording than before becomes a version."""
    wanted = {notice_id(change.tenant, notice.id): notice for notice in notices}
    keys = list(wanted)
    for start in range(0, len(keys), _AT_ONCE):
        part = keys[start : start + _AT_ONCE]
        rows = {row.pk: row for row in RecallNotice.objects.filter(pk__in=part)}
        fresh = [_row(change, key, wanted[key]) for key in part if key not in rows]
        insert_rows(fresh)
        altered = [row for key, row in rows.items() if row.body != _body(wanted[key]) or row.withdrawn]
        for row in altered:
            row.version += 1
            _set(row, wanted[row.pk])
            row.withdrawn = False
        update_rows(altered, _SET)
        insert_rows([_version(change, row, "") for row in fresh])
        insert_rows([_version(change, row, "the publisher's words changed") for row in altered])


_SET = ("recall_class", "maker", "title", "begun", "ongoing", "body", "version", "withdrawn", "origin")


def _body(notice: Notice) -> dict[str, object]:
    body: dict[str, object] = msgspec.json.decode(msgspec.json.encode(notice))  # as JSON gives it back
    return body


def _set(row: RecallNotice, notice: Notice) -> None:
    row.origin = notice.origin[:20]
    row.recall_class = notice.recall_class.value
    row.maker = notice.maker[:300]
    row.title = notice.title[:_LONGEST]
    row.begun = notice.begun[:10]
    row.ongoing = notice.ongoing
    row.body = _body(notice)


def _row(change: Change, key: str, notice: Notice) -> RecallNotice:
    row = RecallNotice(
        id=key,
        tenant_id=change.tenant,
        site_id=None,
        number=notice.id[:120],
        version=1,
        added_ns=change.now_ns,
        closed_ns=None,
        closure=None,
    )
    _set(row, notice)
    return row


def _version(change: Change, row: RecallNotice, reason: str) -> RecallNoticeVersion:
    return RecallNoticeVersion(
        tenant_id=row.tenant_id,
        site_id=None,
        notice_id=row.pk,
        number=row.version,
        body=row.body,
        at_ns=change.now_ns,
        actor=change.actor[:150],
        reason=reason or change.reason,
    )


def notice_named(tenant: str, number: str) -> RecallNotice:
    """Return the notice with this number. Raises ConfigurationError where there is none."""
    row = RecallNotice.objects.filter(tenant_id=tenant, number=number).first()
    if row is None:
        raise ConfigurationError(f"there is no notice {number[:60]!r}: see 'medwarden recalls'")
    return row


def enter_notice(change: Change, notice: Notice) -> str:
    """Keep a notice that a person entered or brought as a document; return its number.

    One without a number gets the next of this year. Raises ConfigurationError for one that says nothing, or
    whose number is taken.
    """
    if notice.origin not in OWN:
        raise ConfigurationError("only notices of makers are entered by hand; feeds bring the others")
    if not notice.title.strip() or not any(s.product or s.models or s.identifiers for s in notice.scopes):
        raise ConfigurationError("a notice needs a title and a product: its name, a model number or a UDI-DI")
    number = notice.id.strip() or _next_number(change)
    if RecallNotice.objects.filter(tenant_id=change.tenant, number=number).exists():
        raise ConfigurationError(f"there is a notice {number[:60]!r} already: correct that one")
    row = _row(change, notice_id(change.tenant, number), msgspec.structs.replace(notice, id=number))
    row.save(force_insert=True)
    insert_rows([_version(change, row, change.reason)])
    change.record("recall.entered", f"recall:{number}", None, {"title": row.title, "origin": row.origin})
    return number


def _next_number(change: Change) -> str:
    from medwarden.kernel.clock import to_datetime

    year = to_datetime(change.now_ns).year
    count = RecallNotice.objects.filter(tenant_id=change.tenant, number__startswith=f"N-{year}-").count()
    return f"N-{year}-{count + 1:03d}"


def correct_notice(change: Change, number: str, notice: Notice) -> int:
    """Give an own notice another wording; return the number of that version.

    Raises ConfigurationError for a notice of a feed, without a reason, and where nothing is different.
    """
    row = notice_named(change.tenant, number)
    if row.origin not in OWN:
        raise ConfigurationError(
            f"{number} is its publisher's: it changes when the feed brings another wording"
        )
    if not change.reason.strip():
        raise ConfigurationError("say why the notice is corrected")
    fixed = msgspec.structs.replace(notice, id=row.number, origin=row.origin)
    if row.body == _body(fixed) and not row.withdrawn:
        raise ConfigurationError("that is what the notice says already")
    before = row.version
    row.version += 1
    _set(row, fixed)
    row.withdrawn = False
    row.save()
    insert_rows([_version(change, row, change.reason)])
    change.record("recall.corrected", f"recall:{number}", {"version": before}, {"version": row.version})
    return row.version


def withdraw_notice(change: Change, number: str) -> None:
    """Take an own notice back: it concerns no device any more; its record stays.

    Raises ConfigurationError for a notice of a feed, one that is withdrawn, and without a reason.
    """
    row = notice_named(change.tenant, number)
    if row.origin not in OWN or row.withdrawn:
        raise ConfigurationError(f"{number} cannot be withdrawn: it is no notice of your own that counts")
    if not change.reason.strip():
        raise ConfigurationError("say why the notice is withdrawn")
    row.withdrawn = True
    row.version += 1
    row.save(update_fields=["withdrawn", "version"])
    insert_rows([_version(change, row, change.reason)])
    change.record("recall.withdrawn", f"recall:{number}", None, None)


def record_verdicts(
    change: Change,
    judged: Mapping[str, Sequence[RecallMatch]],
    *,
    rules: str,
    cause: str,
    only: Collection[str] | None = None,
) -> list[str]:
    """Bring the verdicts on devices in line with what the engine says now; return devices that changed.

    ``only`` limits this to the notices with these numbers. The notices must have been recorded before.
    """
    keys = None if only is None else {notice_id(change.tenant, number) for number in only}
    changed: list[str] = []
    ids = list(judged)
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + _AT_ONCE]
        sites = dict(Device.objects.filter(pk__in=among(part)).values_list("pk", "site_id"))
        held: dict[str, dict[str, RecallVerdict]] = {}
        rows = RecallVerdict.objects.filter(device_id__in=among(part), until_ns=None)
        if keys is not None:
            rows = rows.filter(notice_id__in=among(keys))
        for row in rows:
            held.setdefault(row.device_id, {})[row.notice_id] = row
        ended: list[RecallVerdict] = []
        begun: list[RecallVerdict] = []
        for device in part:
            now = {notice_id(change.tenant, match.notice): match for match in judged[device]}
            before = held.get(device, {})
            over = [row for key, row in before.items() if key not in now or not _same(row, now[key])]
            fresh = [key for key, match in now.items() if key not in before or not _same(before[key], match)]
            ended += over
            begun += [_verdict(change, sites[device], key, now[key], rules, cause) for key in fresh]
            if over or fresh:
                changed.append(device)
        for row in ended:
            row.until_ns = change.now_ns
        update_rows(ended, ("until_ns",))
        insert_rows(begun)
    if changed:
        change.record("recalls.judged", "devices", None, {"changed": len(changed), "cause": cause})
    return changed


def _same(row: RecallVerdict, match: RecallMatch) -> bool:
    return (row.state, row.reason) == (match.state.value, match.reason)


def _verdict(
    change: Change, site: str, notice: str, match: RecallMatch, rules: str, cause: str
) -> RecallVerdict:
    return RecallVerdict(
        tenant_id=change.tenant,
        site_id=site,
        device_id=match.device,
        notice_id=notice,
        state=match.state.value,
        reason=match.reason,
        aspects=msgspec.to_builtins(match.aspects),
        rules_version=rules,
        since_ns=change.now_ns,
        until_ns=None,
        cause=cause[:200],
    )
