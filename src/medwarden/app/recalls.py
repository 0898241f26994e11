"""Devices against recalls and makers' notices: judged when either changes, told as findings, worked on.

The engine with all notices is kept in the process as long as knowledge and the hospital's own notices stay
the same. Where only some notices changed, only those are judged.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain, groupby
from pathlib import Path

import msgspec

from medwarden.app.vulnerabilities import ALIASES_FILE, own_aliases
from medwarden.feeds.csaf import FEED as CSAF_FEED
from medwarden.kernel.clock import Clock, wall_clock
from medwarden.kernel.errors import ConfigurationError, MalformedInput
from medwarden.model.feed import Entry, Kind, Rejected
from medwarden.model.recall import Recall
from medwarden.model.vulnerability import Advisory, Provenance
from medwarden.risk.recalls.engine import RULES, Engine, RecallMatch, engine_of
from medwarden.risk.recalls.facts import DeviceFacts, Said
from medwarden.risk.recalls.findings import KINDS, findings_of
from medwarden.risk.recalls.notice import Notice, of_advisory, of_recalls
from medwarden.risk.recalls.workflow import DueDays
from medwarden.store.knowledge import Knowledge

_AT_ONCE = 400
_MOST_CHANGED = 20_000
"""Changed recalls up to which only those are judged anew."""

_ACTOR = "rule:recalls"
_NEW = "new or changed notices"


_FEW = 200
"""Notices up to which their words are looked up one by one."""


class _Loaded(msgspec.Struct):
    """An engine that holds notices without the words that no verdict needs; ``kept`` are stored already."""

    key: tuple[Path, str, int, int, float]
    engine: Engine
    kept: set[str]


_loaded: list[_Loaded] = []


def _load(home: Path, tenant: str, knowledge: Knowledge) -> _Loaded:
    """Return all notices with their engine; kept until something of them changes."""
    from medwarden.store.recalls import own_notices, own_stamp

    path = home / ALIASES_FILE
    stamp = path.stat().st_mtime if path.is_file() else 0.0
    key = home, tenant, knowledge.newest, own_stamp(tenant), stamp
    for held in _loaded:
        if held.key == key:
            return held
    own = own_notices(tenant)
    mine = {notice.id for notice in own}
    by_number: dict[str, list[Recall]] = {}
    for record in knowledge.recalls():
        if record.id not in mine:
            short = msgspec.structs.replace(record, action="", reason="")
            by_number.setdefault(record.id, []).append(short)
    notices = (of_recalls(by_number.pop(number)) for number in list(by_number))
    engine = engine_of(chain(notices, own), own_aliases(home))
    _loaded[:] = [_Loaded(key, engine, set())]
    return _loaded[0]


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
    key = home, tenant, -1, -1, 0.0
    return _Loaded(key, engine_of(_whole(tenant, knowledge, numbers), own_aliases(home)), set())


def match_devices(home: Path, tenant: str, site: str, ids: Sequence[str]) -> int:
    """Judge devices whose maker, model, lot, serial number, firmware or dates changed; return whose moved.

    On an open store of a writer. Nothing is read or written for devices that are what they were.
    """
    from medwarden.store.changes import Change
    from medwarden.store.recalls import facts_of, own_stamp, record_facts

    moved: list[str] = []
    with Knowledge(home) as knowledge:
        if knowledge.newest == 0 and own_stamp(tenant) == 0:
            return 0
        for part in _parts(list(ids)):
            facts = facts_of(tenant, part)
            with Change(_ACTOR, "devices changed", RULES, tenant=tenant, site=site) as change:
                changed = record_facts(change, facts)
            if not changed:
                continue
            loaded = _load(home, tenant, knowledge)
            some = {device: facts[device] for device in changed}
            cause = "what is known of the device changed"
            moved += _judge(tenant, site, knowledge, loaded, some, cause, only=None)
    return len(moved)


def refresh(home: Path, tenant: str, site: str | None = None) -> int:
    """Judge every device by the notices there are now; return of how many the verdicts changed.

    Where only some notices changed since the last time, only they are judged, and only devices are looked at
    that may be meant: a device whose facts changed is judged when that is noticed (:func:`match_devices`). On
    an open store of a writer.
    """
    from medwarden.store.changes import Change
    from medwarden.store.models import Device, Site
    from medwarden.store.recall_cases import follow_merges
    from medwarden.store.recalls import (
        Standing,
        facts_of,
        own_stamp,
        record_facts,
        record_standing,
        standing_of,
    )

    moved = 0
    with Knowledge(home) as knowledge:
        now = Standing(knowledge.newest, own_stamp(tenant), RULES)
        sites = Site.objects.filter(tenant_id=tenant)
        for place in [site] if site else list(sites.values_list("pk", flat=True)):
            before = standing_of(place)
            if now.edition == 0 and now.notices_ns == 0 and before.edition <= 0:
                continue
            only = None if before == now else _changed(tenant, knowledge, before, now)
            small = None if only is None else _some(home, tenant, knowledge, only)
            with Change(_ACTOR, "devices merged", RULES, tenant=tenant, site=place) as change:
                follow_merges(change, place)
            moved += _end_retired(tenant, place)
            if small is not None and only is not None:
                looked_at = _meant(tenant, place, small.engine, only)
            else:
                rows = Device.objects.filter(tenant_id=tenant, site_id=place, retired_at=None)
                looked_at = list(rows.order_by("pk").values_list("pk", flat=True))
            for part in _parts(looked_at):
                facts = facts_of(tenant, part)
                with Change(_ACTOR, "devices changed", RULES, tenant=tenant, site=place) as change:
                    changed = set(record_facts(change, facts))
                behind = before != now and only is None
                whole = set(facts) if behind else changed
                cause = (
                    "notices were compared with devices" if behind else "what is known of the device changed"
                )
                if whole:
                    loaded = _load(home, tenant, knowledge)
                    these = {device: each for device, each in facts.items() if device in whole}
                    moved += len(_judge(tenant, place, knowledge, loaded, these, cause, only=None))
                rest = {device: each for device, each in facts.items() if device not in whole}
                if rest and small is not None:
                    moved += len(_judge(tenant, place, knowledge, small, rest, _NEW, only=only))
            if before != now:
                with Change(_ACTOR, "notices changed", RULES, tenant=tenant, site=place) as change:
                    record_standing(change, place, now)
    return moved


def _meant(tenant: str, site: str, engine: Engine, only: Collection[str]) -> list[str]:
    """Return the devices of a site that the notices of an engine may mean, or that have a verdict on one."""
    from medwarden.store.queries.recall_reach import devices_in_reach

    def means(vendor: str, model: str) -> bool:
        return bool(engine.judge(DeviceFacts("", "", vendor, models=(Said(model, "model"),))))

    return devices_in_reach(tenant, site, only, means)


def _end_retired(tenant: str, site: str) -> int:
    """End the verdicts on devices that were retired; return how many devices that were."""
    from medwarden.store.changes import Change
    from medwarden.store.models import RecallVerdict
    from medwarden.store.recalls import record_verdicts

    rows = RecallVerdict.objects.filter(site_id=site, until_ns=None).exclude(device__retired_at=None)
    gone = sorted(set(rows.values_list("device_id", flat=True)))
    for part in _parts(gone):
        nothing: dict[str, Sequence[RecallMatch]] = dict.fromkeys(part, ())
        with Change(_ACTOR, "devices retired", RULES, tenant=tenant, site=site) as change:
            record_verdicts(change, nothing, rules=RULES, cause="the device was retired")
        tell(tenant, site, part)
    return len(gone)


def _changed(tenant: str, knowledge: Knowledge, before: object, now: object) -> frozenset[str] | None:
    """Return the numbers of notices that changed since a site was judged, or None for too many to tell."""
    from medwarden.store.recalls import Standing, own_changed

    if not isinstance(before, Standing) or not isinstance(now, Standing) or before.rules != now.rules:
        return None
    changes = knowledge.changed_since(max(before.edition, 0))
    if not changes.complete or before.edition < 0:
        return None
    numbers = set(changes.ids.get(Kind.RECALL, frozenset())) | own_changed(tenant, before.notices_ns)
    return frozenset(numbers) if len(numbers) <= _MOST_CHANGED else None


def _judge(
    tenant: str,
    site: str,
    knowledge: Knowledge,
    loaded: _Loaded,
    facts: dict[str, DeviceFacts],
    cause: str,
    *,
    only: frozenset[str] | None,
) -> list[str]:
    """Judge devices and keep what came of it; return those whose verdicts changed."""
    from medwarden.store.changes import Change
    from medwarden.store.recalls import record_notices, record_verdicts

    judged: dict[str, Sequence[RecallMatch]] = {d: loaded.engine.judge(each) for d, each in facts.items()}
    numbers = {match.notice for found in judged.values() for match in found} | set(only or ())
    fresh = _whole(tenant, knowledge, numbers - loaded.kept) if numbers - loaded.kept else []
    with Change(_ACTOR, cause, RULES, tenant=tenant, site=site) as change:
        record_notices(change, fresh)
        moved = record_verdicts(change, judged, rules=RULES, cause=cause, only=only)
    loaded.kept |= numbers
    tell(tenant, site, moved)
    return moved


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


def tell(tenant: str, site: str, ids: Sequence[str], clock: Clock = wall_clock) -> None:
    """Open cases, and bring the findings on recalls of some devices in line with verdicts and steps."""
    from medwarden.store.changes import Change
    from medwarden.store.findings import record_findings
    from medwarden.store.queries import Scope
    from medwarden.store.queries.recalls import standing
    from medwarden.store.recall_cases import open_cases
    from medwarden.store.scores import mark_due

    days = due_days(tenant)
    for part in _parts(sorted(ids)):
        with Change(_ACTOR, "verdicts or steps changed", RULES, tenant=tenant, site=site) as change:
            open_cases(change, part, days)
            found = findings_of(site, standing(Scope(tenant, (site,)), part), clock())
            record_findings(change, part, found, kinds=KINDS)
            mark_due(change, part)


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


def _parts(ids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), _AT_ONCE):
        yield ids[start : start + _AT_ONCE]
