"""Devices against recalls and makers' notices: judged when either changes, told as findings, worked on.

The engine with all notices is kept in the process as long as knowledge and the hospital's own notices stay
the same. Where only some notices changed, only those are judged.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, groupby
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from medwarden.app.layered import Layered
from medwarden.app.vulnerabilities import ALIASES_FILE, own_aliases
from medwarden.feeds.csaf import FEED as CSAF_FEED
from medwarden.kernel.clock import Clock, wall_clock
from medwarden.kernel.errors import ConfigurationError, MalformedInput
from medwarden.model.feed import Entry, Kind, Rejected
from medwarden.model.recall import Recall
from medwarden.model.vulnerability import Advisory, Provenance
from medwarden.risk.factor import Basis
from medwarden.risk.recalls.engine import RULES, RecallMatch, engine_of
from medwarden.risk.recalls.facts import DeviceFacts, Said
from medwarden.risk.recalls.findings import KINDS, finding_id, findings_of
from medwarden.risk.recalls.notice import Notice, of_advisory, of_recalls
from medwarden.risk.recalls.workflow import DueDays
from medwarden.store.knowledge import Knowledge

if TYPE_CHECKING:
    from medwarden.store.changes import Change
    from medwarden.store.recalls import Standing

_AT_ONCE = 400
_MOST_CHANGED = 20_000
"""Changed recalls up to which only those are judged anew."""

_ACTOR = "rule:recalls"
_NEW = "new or changed notices"
_OTHER = "what is known of the device changed"
_FEW_DEVICES = 1000
"""Devices that are compared with a few notices in one transaction, for whose end a sensor waits."""
_MOST_LAID = 1000
"""Changed notices up to which they are laid over the others instead of reading all."""
_FEW = 200
"""Notices up to which their words are looked up one by one."""


class _Loaded(msgspec.Struct):
    """An engine that holds notices without the words that no verdict needs; ``kept`` are stored already.

    ``edition`` and ``own_ns`` tell what it was filled from, ``newest`` and ``newest_ns`` until when what
    changed since is laid over it.
    """

    key: tuple[Path, str, float]
    edition: int
    own_ns: int
    newest: int
    newest_ns: int
    engine: Layered[DeviceFacts, RecallMatch]
    kept: set[str]


_loaded: list[_Loaded] = []


def _load(home: Path, tenant: str, knowledge: Knowledge) -> _Loaded:
    """Return all notices with their engine; filled anew only where too much of them changed."""
    from medwarden.store.recalls import own_notices, own_stamp

    path = home / ALIASES_FILE
    key = home, tenant, path.stat().st_mtime if path.is_file() else 0.0
    newest, newest_ns = knowledge.newest, own_stamp(tenant)
    for held in _loaded:
        if held.key == key and _brought_up(held, home, tenant, knowledge, newest_ns):
            return held
    own = own_notices(tenant)
    mine = {notice.id for notice in own}
    by_number: dict[str, list[Recall]] = {}
    for record in knowledge.recalls():
        if record.id not in mine:
            short = msgspec.structs.replace(record, action="", reason="")
            by_number.setdefault(record.id, []).append(short)
    notices = (of_recalls(by_number.pop(number)) for number in list(by_number))
    engine = Layered(engine_of(chain(notices, own), own_aliases(home)).judge, lambda match: match.notice)
    _loaded[:] = [_Loaded(key, newest, newest_ns, newest, newest_ns, engine, set())]
    return _loaded[0]


def _brought_up(held: _Loaded, home: Path, tenant: str, knowledge: Knowledge, newest_ns: int) -> bool:
    """Lay over an engine what changed since it was filled; tell whether that was possible."""
    if (held.newest, held.newest_ns) == (knowledge.newest, newest_ns):
        return True
    changed = _changed_since(tenant, knowledge, held.edition, held.own_ns)
    if changed is None or len(changed) > _MOST_LAID:
        return False
    if changed:
        held.engine.lay(_some(home, tenant, knowledge, changed).engine.judge, changed)
        held.kept -= changed
    held.newest, held.newest_ns = knowledge.newest, newest_ns
    return True


def read_ahead(home: Path, tenant: str) -> None:
    """Fill the engine, so that the first device that is compared does not wait for it."""
    from medwarden.store.recalls import own_stamp

    with Knowledge(home) as knowledge:
        if knowledge.newest or own_stamp(tenant):
            _load(home, tenant, knowledge)


def _whole(tenant: str, knowledge: Knowledge, numbers: Collection[str]) -> list[Notice]:
    """Return notices with all their words; numbers that nobody tells of have none."""
    from medwarden.store.recalls import own_notices

    found = [notice for notice in own_notices(tenant) if notice.id in numbers]
    left = set(numbers) - {notice.id for notice in found}
    by_number: dict[str, list[Recall]] = {}
    if len(left) <= _FEW:
        by_number = {number: list(knowledge.recall(number)) for number in sorted(left)}
    else:
        for record in knowledge.recalls():
            if record.id in left:
                by_number.setdefault(record.id, []).append(record)
    return found + [of_recalls(records) for records in by_number.values() if records]


def _some(home: Path, tenant: str, knowledge: Knowledge, numbers: Collection[str]) -> _Loaded:
    """Return some notices with an engine of their own."""
    engine = engine_of(_whole(tenant, knowledge, numbers), own_aliases(home))
    layered = Layered(engine.judge, lambda match: match.notice)
    return _Loaded((home, tenant, 0.0), -1, -1, -1, -1, layered, set())


def match_devices(home: Path, tenant: str, site: str, ids: Sequence[str]) -> int:
    """Judge devices whose maker, model, lot, serial number, firmware or dates changed; return whose moved.

    On an open store of a writer. Nothing is read or written for devices that are what they were.
    """
    from medwarden.store.changes import Change
    from medwarden.store.recalls import facts_of, own_changed, own_stamp, record_facts

    moved: list[str] = []
    with Knowledge(home) as knowledge:
        if knowledge.newest == 0 and own_stamp(tenant) == 0:
            return 0
        only = None if knowledge.newest else frozenset(own_changed(tenant, 0))
        for part in _parts(list(ids)):
            facts = facts_of(tenant, part)
            with Change(_ACTOR, _OTHER, RULES, tenant=tenant, site=site) as change:
                changed = record_facts(change, facts)
                if changed:
                    loaded = _load(home, tenant, knowledge)
                    some = {device: facts[device] for device in changed}
                    moved += _judge(change, knowledge, loaded, some, _OTHER, only=only)[0]
    return len(moved)


def refresh(home: Path, tenant: str, site: str | None = None) -> int:
    """Judge every device by the notices there are now; return of how many the verdicts changed.

    Where only some notices changed since the last time, only they are judged, and only devices are looked at
    that may be meant: a device whose facts changed is judged when that is noticed (:func:`match_devices`). On
    an open store of a writer.
    """
    from medwarden.store.changes import Change
    from medwarden.store.models import Site
    from medwarden.store.recall_cases import follow_merges
    from medwarden.store.recalls import Standing, own_stamp, record_standing, standing_of

    moved = 0
    with Knowledge(home) as knowledge:
        today = Standing(knowledge.newest, own_stamp(tenant), RULES)
        sites = Site.objects.filter(tenant_id=tenant)
        for place in [site] if site else list(sites.values_list("pk", flat=True)):
            before, now = standing_of(place), today
            gone = today.edition == 0 < before.edition  # knowledge was removed and is to come again
            if gone:
                now = Standing(before.edition, today.notices_ns, before.rules)
            if now.edition == 0 and now.notices_ns == 0 and before.edition <= 0:
                continue
            only = None if before == now and not gone else _changed(tenant, knowledge, before, now)
            with Change(_ACTOR, "devices merged", RULES, tenant=tenant, site=place) as change:
                follow_merges(change, place)
            moved += _end_retired(tenant, place)
            if only is None:
                moved += _compare_all(home, tenant, place, knowledge, behind=before != now)
            else:
                moved += _compare_some(home, tenant, place, knowledge, only, today)
            if before != now:
                with Change(_ACTOR, "notices changed", RULES, tenant=tenant, site=place) as change:
                    if _is_today(tenant, knowledge, today):
                        record_standing(change, place, now)
    return moved


def _compare_all(home: Path, tenant: str, site: str, knowledge: Knowledge, *, behind: bool) -> int:
    """Compare every device of a site with all notices, where not ``behind`` those whose facts changed."""
    from medwarden.store.changes import Change
    from medwarden.store.models import Device
    from medwarden.store.recalls import facts_of, record_facts

    moved = 0
    rows = Device.objects.filter(tenant_id=tenant, site_id=site, retired_at=None)
    for part in _parts(list(rows.order_by("pk").values_list("pk", flat=True))):
        facts = facts_of(tenant, part)
        with Change(_ACTOR, "devices changed", RULES, tenant=tenant, site=site) as change:
            changed = record_facts(change, facts)
            these = facts if behind else {device: facts[device] for device in changed}
            if these:
                loaded = _load(home, tenant, knowledge)
                cause = "notices were compared with devices" if behind else _OTHER
                moved += len(_judge(change, knowledge, loaded, these, cause, only=None)[0])
    return moved


def _is_today(tenant: str, knowledge: Knowledge, today: Standing) -> bool:
    """Tell, in a change, whether notices are those there were; who changed them compares devices anew."""
    from medwarden.store.recalls import own_stamp

    return (knowledge.newest, own_stamp(tenant)) == (today.edition, today.notices_ns)


def _compare_some(
    home: Path, tenant: str, site: str, knowledge: Knowledge, only: frozenset[str], today: Standing
) -> int:
    """Compare devices with a few notices, and score those that are told something else at once.

    Ends where notices change meanwhile: who changed them may have stored what the new ones say.
    """
    from medwarden.app.touched import assess_touched
    from medwarden.store.changes import Change
    from medwarden.store.recalls import facts_of, record_facts
    from medwarden.store.scores import mark_touched

    moved = 0
    small = _some(home, tenant, knowledge, only)
    for part in _parts(_meant(tenant, site, small.engine, only), _FEW_DEVICES):
        facts = facts_of(tenant, part)
        with Change(_ACTOR, _NEW, RULES, tenant=tenant, site=site) as change:
            if not _is_today(tenant, knowledge, today):
                return moved
            changed = set(record_facts(change, facts))
            whole = {device: each for device, each in facts.items() if device in changed}
            rest = {device: each for device, each in facts.items() if device not in changed}
            if whole:
                loaded = _load(home, tenant, knowledge)
                moved += len(_judge(change, knowledge, loaded, whole, _OTHER, only=None)[0])
            judged, told = _judge(change, knowledge, small, rest, _NEW, only=only)
            fresh = mark_touched(change, told)
        assess_touched(tenant, {site: fresh}, Basis.FINDINGS)
        moved += len(judged)
    return moved


def _meant(
    tenant: str, site: str, engine: Layered[DeviceFacts, RecallMatch], only: Collection[str]
) -> list[str]:
    """Return the devices of a site that the notices of an engine may mean, or that have a verdict on one."""
    from medwarden.store.queries.recall_reach import devices_in_reach

    def means(vendor: str, model: str) -> bool:
        return bool(engine.judge(DeviceFacts("", "", vendor, models=(Said(model, "model"),))))

    return devices_in_reach(tenant, site, only, means)


def _end_retired(tenant: str, site: str) -> int:
    """End the verdicts on devices that were retired; return how many devices that were."""
    from medwarden.store.bulk import among
    from medwarden.store.changes import Change
    from medwarden.store.models import Device, RecallVerdict
    from medwarden.store.recalls import record_verdicts

    retired = Device.objects.filter(tenant_id=tenant, site_id=site).exclude(retired_at=None)
    held = among(retired.values_list("pk", flat=True))
    rows = RecallVerdict.objects.filter(device_id__in=held, until_ns=None)
    gone = sorted(set(rows.values_list("device_id", flat=True)))
    for part in _parts(gone):
        nothing: dict[str, Sequence[RecallMatch]] = dict.fromkeys(part, ())
        with Change(_ACTOR, "devices retired", RULES, tenant=tenant, site=site) as change:
            record_verdicts(change, nothing, rules=RULES, cause="the device was retired")
            tell(tenant, site, part)
    return len(gone)


def _changed(tenant: str, knowledge: Knowledge, before: object, now: object) -> frozenset[str] | None:
    """Return the numbers of notices that changed since a site was judged, or None for too many to tell."""
    from medwarden.store.recalls import Standing

    if not isinstance(before, Standing) or not isinstance(now, Standing) or before.rules != now.rules:
        return None
    if before.edition < 0:
        return None
    return _changed_since(tenant, knowledge, before.edition, before.notices_ns)


def _changed_since(tenant: str, knowledge: Knowledge, edition: int, notices_ns: int) -> frozenset[str] | None:
    """Return the numbers of notices that changed since an edition and a time, None for too many to tell."""
    from medwarden.store.recalls import own_changed

    own = own_changed(tenant, notices_ns)
    if knowledge.newest == 0:
        return frozenset(own)  # what publishers said stands until they are heard again
    changes = knowledge.changed_since(max(edition, 0), (Kind.RECALL,))
    if not changes.complete:
        return None
    numbers = set(changes.ids.get(Kind.RECALL, frozenset())) | own
    return frozenset(numbers) if len(numbers) <= _MOST_CHANGED else None


def _judge(
    change: Change,
    knowledge: Knowledge,
    loaded: _Loaded,
    facts: dict[str, DeviceFacts],
    cause: str,
    *,
    only: frozenset[str] | None,
) -> tuple[list[str], list[str]]:
    """Judge devices, keep what came of it and tell it; return whose verdicts changed, and whose findings.

    All in one change: nothing is half told.
    """
    from django.db import transaction

    from medwarden.store.recalls import record_notices, record_verdicts

    judged: dict[str, Sequence[RecallMatch]] = {d: loaded.engine.judge(each) for d, each in facts.items()}
    numbers = {match.notice for found in judged.values() for match in found} | set(only or ())
    fresh = _whole(change.tenant, knowledge, numbers - loaded.kept) if numbers - loaded.kept else []
    record_notices(change, fresh)
    moved = record_verdicts(change, judged, rules=RULES, cause=cause, only=only)
    # Only once it is stored: a change that is taken back leaves nothing stored.
    transaction.on_commit(partial(loaded.kept.update, numbers))
    if not moved or change.site is None:
        return moved, []
    return moved, tell(change.tenant, change.site, moved, only=only)


def due_days(tenant: str) -> DueDays:
    """Return within how many days a case shall be closed, by class of the notice."""
    from medwarden.store.recall_cases import DUE_DAYS
    from medwarden.store.settings import setting

    return setting(DUE_DAYS, DueDays(), tenant=tenant)


def set_due_days(tenant: str, days: DueDays, *, actor: str, reason: str) -> None:
    """Change within how many days cases shall be closed; those that are open keep their day.

    Raises ConfigurationError for days below 1 or above 3,650.
    """
    from medwarden.store.changes import Change
    from medwarden.store.recall_cases import DUE_DAYS
    from medwarden.store.settings import set_setting

    if any(not 1 <= value <= 3650 for value in msgspec.structs.astuple(days)):
        raise ConfigurationError("days until a case is due are 1 to 3,650")
    with Change(actor, reason, tenant=tenant) as change:
        set_setting(change, DUE_DAYS, days)


def tell(
    tenant: str,
    site: str,
    ids: Sequence[str],
    clock: Clock = wall_clock,
    *,
    only: Collection[str] | None = None,
) -> list[str]:
    """Open cases, and bring the findings on recalls of some devices in line with verdicts and steps.

    ``only`` limits this to the notices with these numbers, nothing else changed, and leaves it to the caller
    to have devices scored. Returns the devices of which a finding changed.
    """
    from medwarden.store.changes import Change
    from medwarden.store.findings import record_findings
    from medwarden.store.queries import Scope
    from medwarden.store.queries.recalls import standing
    from medwarden.store.recall_cases import open_cases
    from medwarden.store.scores import mark_due

    days = due_days(tenant)
    told: list[str] = []
    for part in _parts(sorted(ids)):
        with Change(_ACTOR, "verdicts or steps changed", RULES, tenant=tenant, site=site) as change:
            open_cases(change, part, days, only)
            found = findings_of(site, standing(Scope(tenant, (site,)), part, only), clock())
            about = None if only is None else {finding_id(site, d, number) for d in part for number in only}
            told += sorted(record_findings(change, part, found, KINDS, about, due=only is None))
            if only is None:
                mark_due(change, part)
    return told


def tell_sites(tenant: str, devices: Iterable[tuple[str, str]]) -> None:
    """Bring findings in line for pairs of site and device."""
    ordered = sorted(set(devices))
    for site, pairs in groupby(ordered, key=lambda pair: pair[0]):
        tell(tenant, site, [device for _, device in pairs])


def notices_in(document: bytes, name: str) -> list[Notice]:
    """Return the notices that a CSAF document holds.

    Raises MalformedInput for what is no such document, or has nothing in it that can be read.
    """
    import io

    found: list[Notice] = []
    problems: list[str] = []
    for item in CSAF_FEED.read(io.BytesIO(document), Provenance("csaf", name, read_ns=wall_clock())):
        if isinstance(item, Entry):
            found += [of_advisory(each) for each in item.records if isinstance(each, Advisory)]
        elif isinstance(item, Rejected):
            problems.append(f"{item.where}: {item.reason}")
    if not found:
        raise MalformedInput(name, problems[0] if problems else "there is no notice in it")
    return found


def _parts(ids: list[str], size: int = _AT_ONCE) -> Iterator[list[str]]:
    for start in range(0, len(ids), size):
        yield ids[start : start + size]
