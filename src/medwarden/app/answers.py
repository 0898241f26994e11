"""The queue of devices nobody could name, and what people answer: shown before, given, taken back.

These functions work on a store that is open already, as the console has it; ``cli/answers.py`` opens one.
An answer is a statement of a person about each device it names, which outranks everything. To other
devices it is passed on by a rule and the local model (:mod:`medwarden.app.learning`), which outrank
nothing that a device declares.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from medwarden.app.learning import (
    Earlier,
    Taught,
    bring_back,
    former_model,
    held_out,
    keep_in_line,
    labels_by,
    may_learn,
    put_to_use,
    retrain,
    tried,
)
from medwarden.app.unknown import ANSWERED_LEVELS, devices_meant, each_device
from medwarden.app.what_if import Turn, judged_here, turns
from medwarden.inventory.answer_rules import Change as Effect
from medwarden.inventory.answer_rules import changes, known_of, rule_for
from medwarden.inventory.labels.model import LabelModel
from medwarden.inventory.shared_evidence import shared_evidence
from medwarden.kernel.clock import wall_clock
from medwarden.kernel.errors import ConfigurationError
from medwarden.knowledge.fingerprints.rules import DERIVED_FIELDS, Fingerprint
from medwarden.knowledge.taxonomy import categories, class_of
from medwarden.model.device import Device, DeviceClass
from medwarden.model.statement import Authority, Statement

if TYPE_CHECKING:
    from medwarden.store.answers import GivenAnswer, LearntVersion
    from medwarden.store.changes import Change
    from medwarden.store.queries.scope import Scope

_MOST_REACHED = 5000
_MOST_SHOWN = 1000
_LONGEST = 120
_MOST_TRIES = 5
_AT_ONCE = "several people answer at once, and their answers count for each other: try again"


class Preview(msgspec.Struct, frozen=True):
    """What an answer would do.

    ``changes`` are labels that change, of the answered devices and of others; ``reached`` counts other
    devices that show what the answered ones share, ``kept`` those of them that nothing changes of,
    because they declare or have been told otherwise. ``rule`` is what passes the answer on, None where
    nothing does (``why_not`` says why). ``before`` tells how all
    answers of before were met when devices were left out of them, ``after`` the same with this one.
    """

    devices: tuple[str, ...]
    labels: dict[str, str]
    rule: dict[str, Any] | None
    why_not: str
    changes: tuple[Effect, ...]
    reached: int
    kept: int
    before: Earlier
    after: Earlier
    trained_seconds: float
    seconds: float


class Given(msgspec.Struct, frozen=True):
    """An answer that was given or taken back, what it came to, and the version that is in force now."""

    answer: GivenAnswer
    preview: Preview
    version: int
    judged: int


def checked_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Return labels of an answer as they are kept: a category brings its class.

    Raises ConfigurationError for a level or category that there is not, and where nothing is said.
    """
    said = {level: " ".join(text.split()) for level, text in labels.items() if text and text.strip()}
    if not said:
        raise ConfigurationError("an answer needs a label: name a category, vendor, model ...")
    for level, text in said.items():
        if level not in ANSWERED_LEVELS:
            raise ConfigurationError(f"{level!r} is no level: there are {', '.join(ANSWERED_LEVELS)}")
        if len(text) > _LONGEST or not text.isprintable():
            raise ConfigurationError(f"{level}: a label is at most {_LONGEST} printable characters")
    kind = said.get("category")
    if kind is not None and kind not in categories():
        known = [*categories(), *(c.name for c in categories().values())]
        named = next((c.id for c in categories().values() if c.name.lower() == kind.lower()), None)
        if named is None:
            near = get_close_matches(kind, known, 3)
            raise ConfigurationError(
                f"there is no category {kind[:40]!r}" + (f"; perhaps {', '.join(near)}" if near else "")
            )
        said["category"] = kind = named
    if "class" in said and said["class"] not in {c.value for c in DeviceClass}:
        raise ConfigurationError(f"a class is one of {', '.join(c.value for c in DeviceClass)}")
    if kind is not None and class_of(kind) is not DeviceClass.UNKNOWN:
        if said.get("class", class_of(kind).value) != class_of(kind).value:
            raise ConfigurationError(f"{kind} is of the class {class_of(kind).value}, not {said['class']}")
        said["class"] = class_of(kind).value
    return said


class _Plan(msgspec.Struct, frozen=True):
    """An answer that was thought through: what is given, and what would be in force after it."""

    number: int
    devices: tuple[Device, ...]
    cluster: str
    labels: dict[str, str]
    standing: tuple[int, ...]
    rules: tuple[Fingerprint, ...]
    model: LabelModel | None
    touched: tuple[str, ...]
    preview: Preview


def _pairs(became: Iterable[Turn]) -> list[tuple[Device, Device]]:
    return [(turn.before, turn.after) for turn in became]


def preview(scope: Scope, target: str | Sequence[str], labels: Mapping[str, str]) -> Preview:
    """Return what an answer would change, without giving it. Raises ConfigurationError like an answer."""
    return _planned(scope, target, labels, "preview").preview


def _planned(scope: Scope, target: str | Sequence[str], labels: Mapping[str, str], by: str) -> _Plan:
    from medwarden.store.answers import next_number, standing_answers

    begun = time.monotonic()
    said = checked_labels(labels)
    devices, cluster = devices_meant(scope, target)
    if len({device.site for device in devices}) > 1:
        raise ConfigurationError("an answer is about devices of one site: answer each site's by itself")
    number = next_number(scope.tenant)
    standing = standing_answers(scope.tenant)
    now = wall_clock()
    spoken = {
        device.id: tuple(
            Statement(Authority.PERSON, level, label, by, now, f"answer:{number}")
            for level, label in said.items()
        )
        for device in devices
    }
    rule, why_not = (
        (None, "several customers share this folder")
        if not may_learn()
        else _rule(scope, number, said, devices)
    )
    rules = (*rules_of(standing), *(() if rule is None else (rule,)))
    taught = [*_taught(standing), Taught(number, said, [_told(d, spoken[d.id]) for d in devices])]
    model, trained = retrain(taught) if may_learn() else (None, 0.0)
    others = [] if rule is None else _reached(scope, rule, {device.id for device in devices})
    became = turns(
        [*devices, *others],
        lambda device: _told(device, spoken.get(device.id, ())),
        partial(tried, [] if rule is None else [rule], model=model),
    )
    found = changes(_pairs(became), spoken)
    touched = {effect.device for effect in found}
    return _Plan(
        number,
        tuple(devices),
        cluster,
        said,
        tuple(answer.number for answer in standing),
        rules,
        model,
        tuple(sorted(touched)),
        Preview(
            devices=tuple(device.id for device in devices),
            labels=said,
            rule=None if rule is None else msgspec.to_builtins(rule),
            why_not=why_not,
            changes=tuple(found[:_MOST_SHOWN]),
            reached=len(others),
            kept=sum(device.id not in touched for device in others),
            before=_measured(scope.tenant),
            after=held_out(taught),
            trained_seconds=trained,
            seconds=round(time.monotonic() - begun, 3),
        ),
    )


def _told(device: Device, said: Sequence[Statement]) -> Device:
    return msgspec.structs.replace(device, statements=(*device.statements, *said))


def _rule(
    scope: Scope, number: int, labels: dict[str, str], devices: Sequence[Device]
) -> tuple[Fingerprint | None, str]:
    """Return the rule by which an answer is passed on, or why there is none."""
    rule = rule_for(number, labels, devices)
    if rule is None:
        return None, "the devices have nothing telling in common, or only a serial number was answered"
    others = _reached(scope, rule, {device.id for device in devices})
    sound = rule_for(number, labels, devices, [known_of(device) for device in judged_here(others)])
    if sound is None:
        return None, "devices that are surely something else show the same evidence"
    return sound, ""


def _reached(scope: Scope, rule: Fingerprint, but: set[str]) -> list[Device]:
    """Return the stored devices that a rule matches; ``but`` these. At most 5,000 are looked at."""
    from medwarden.inventory.answer_rules import reached
    from medwarden.store.models import EvidenceEntry
    from medwarden.store.queries import device_ids

    candidates: set[str] | None = None
    for look in rule.tests:
        if any(field in DERIVED_FIELDS for field in look.fields):
            continue
        rows = scope.over(EvidenceEntry.objects.filter(field__in=look.fields))
        if look.equals is not None:
            rows = rows.filter(value__iexact=look.equals)
        elif look.regex is not None:
            rows = rows.filter(value__iregex=look.regex)
        held = set(rows.values_list("device_id", flat=True).distinct())
        candidates = held if candidates is None else candidates & held
    ids = sorted((set(device_ids(scope)) if candidates is None else candidates) - but)
    return reached([rule], each_device(ids[:_MOST_REACHED]))


def rules_of(standing: Iterable[GivenAnswer]) -> tuple[Fingerprint, ...]:
    """Return the rules that pass standing answers on."""
    return tuple(msgspec.convert(answer.rule, Fingerprint) for answer in standing if answer.rule is not None)


def _taught(standing: Sequence[GivenAnswer]) -> list[Taught]:
    return [Taught(a.number, a.labels, list(each_device(a.devices))) for a in standing]


def _measured(tenant: str) -> Earlier:
    """Return how the version in force did when it was made."""
    from medwarden.store.answers import learnt

    version = learnt(tenant)
    figures = {} if version is None else version.figures.get("after", {})
    return msgspec.convert(figures, Earlier) if figures else Earlier(0, 0, 0)


def give_answer(
    scope: Scope,
    target: str | Sequence[str],
    labels: Mapping[str, str],
    *,
    home: Path,
    actor: str,
    reason: str = "",
) -> Given:
    """Keep an answer, learn from it and judge what it touches anew; return what it came to.

    Where somebody else answers meanwhile, it is thought through once more with that answer. Raises
    ConfigurationError where devices or labels cannot be meant.
    """
    from medwarden.app.judge import judge_stale
    from medwarden.store.answers import answer_of
    from medwarden.store.changes import Change

    for _ in range(_MOST_TRIES):
        plan = _planned(scope, target, labels, actor)
        site = plan.devices[0].site
        with Change(actor, reason, tenant=scope.tenant, site=site) as change:
            version = _keep(change, home, plan)
        if version is not None:
            break
    else:
        raise ConfigurationError(_AT_ONCE)
    keep_in_line(scope.tenant)
    judged = judge_stale(scope.tenant, site)
    kept = answer_of(scope, str(plan.number))
    assert kept is not None
    return Given(kept, plan.preview, version.number, judged)


def _keep(change: Change, home: Path, plan: _Plan) -> LearntVersion | None:
    """Store an answer and what was learnt from it; None where others answered since it was planned."""
    from medwarden.store.answers import mark_stale, next_number, record_answer

    if (next_number(change.tenant), _standing(change.tenant)) != (plan.number, plan.standing):
        return None
    record_answer(
        change,
        number=plan.number,
        devices=plan.preview.devices,
        labels=plan.labels,
        shared=shared_evidence(plan.devices[0]) if len(plan.devices) == 1 else _common(plan.devices),
        rule=plan.preview.rule,
        effects={
            "devices": len(plan.devices),
            "reached": plan.preview.reached,
            "changed": len(plan.touched),
            "seconds": plan.preview.seconds,
        },
        cluster=plan.cluster,
    )
    mark_stale(plan.touched)
    return put_to_use(
        change, home, answer=plan.number, rules=plan.rules, model=plan.model, figures=_figures(plan)
    )


def _standing(tenant: str) -> tuple[int, ...]:
    from medwarden.store.answers import standing_answers

    return tuple(answer.number for answer in standing_answers(tenant))


def _common(devices: Sequence[Device]) -> list[tuple[str, str]]:
    held = [dict.fromkeys(shared_evidence(device)) for device in devices]
    return [shared for shared in held[0] if all(shared in other for other in held[1:])]


def _figures(plan: _Plan) -> dict[str, Any]:
    return {
        "answers": [*plan.standing, plan.number],
        "after": msgspec.to_builtins(plan.preview.after),
        "trained_seconds": plan.preview.trained_seconds,
    }


def undo_answer(scope: Scope, key: str, *, home: Path, actor: str, reason: str = "") -> Given:
    """Take an answer back: it no longer speaks, and what was learnt from it is forgotten.

    Where it was the last one, the very rules and model of before come back; else both are made anew from
    the answers that stand. Raises ConfigurationError where there is no such answer, or it was taken back.
    """
    from medwarden.app.judge import judge_stale
    from medwarden.store.answers import answer_of, mark_stale, withdraw
    from medwarden.store.changes import Change

    begun = time.monotonic()
    for _ in range(_MOST_TRIES):
        answer = _not_taken_back(scope, key)
        left = _left(scope, answer)
        became, others = _without(scope, answer, left)
        found = changes(_pairs(became), frozenset(answer.devices))
        with Change(actor, reason, tenant=scope.tenant, site=answer.site) as change:
            if _standing(scope.tenant) != tuple(sorted([*left.numbers, answer.number])):
                continue
            withdraw(change, answer)
            version = left.put_to_use(change, home)
            mark_stale(sorted({turn.after.id for turn in became}))
        break
    else:
        raise ConfigurationError(_AT_ONCE)
    keep_in_line(scope.tenant)
    judged = judge_stale(scope.tenant, answer.site)
    kept = answer_of(scope, answer.id)
    assert kept is not None
    none = Earlier(0, 0, 0)
    touched = {effect.device for effect in found}
    shown = Preview(
        devices=answer.devices,
        labels=answer.labels,
        rule=answer.rule,
        why_not="",
        changes=tuple(found[:_MOST_SHOWN]),
        reached=len(others),
        kept=sum(device.id not in touched for device in others),
        before=none,
        after=none,
        trained_seconds=left.trained,
        seconds=round(time.monotonic() - begun, 3),
    )
    return Given(kept, shown, version.number, judged)


def _not_taken_back(scope: Scope, key: str) -> GivenAnswer:
    from medwarden.store.answers import answer_of

    answer = answer_of(scope, key)
    if answer is None:
        raise ConfigurationError(f"there is no answer {key[:40]!r}: see `medwarden answers list`")
    if answer.undone_ns is not None:
        raise ConfigurationError(f"answer {answer.number} was taken back already")
    return answer


class _Left(msgspec.Struct, frozen=True):
    """What is in force when an answer is taken back: the ``former`` version, or a model made anew."""

    numbers: tuple[int, ...]
    rules: tuple[Fingerprint, ...]
    former: LearntVersion | None
    model: LabelModel | None
    trained: float

    def put_to_use(self, change: Change, home: Path) -> LearntVersion:
        """Store it as the version in force."""
        if self.former is not None:
            return bring_back(change, home, self.former, self.rules)
        figures = {"answers": list(self.numbers), "trained_seconds": self.trained}
        last = max(self.numbers, default=0)
        return put_to_use(change, home, answer=last, rules=self.rules, model=self.model, figures=figures)


def _left(scope: Scope, answer: GivenAnswer) -> _Left:
    from medwarden.store.answers import standing_answers, versions

    left = [other for other in standing_answers(scope.tenant) if other.id != answer.id]
    former = _former(versions(scope), left)
    model, trained = None, 0.0
    if former is None:
        model, trained = retrain(_taught(left)) if may_learn() else (None, 0.0)
    else:
        model = former_model(former)
    return _Left(tuple(other.number for other in left), rules_of(left), former, model, trained)


def _without(scope: Scope, answer: GivenAnswer, left: _Left) -> tuple[list[Turn], list[Device]]:
    """Return what becomes of devices without an answer, and the other devices that its rule reaches."""
    devices = list(each_device(answer.devices))
    own = () if answer.rule is None else rules_of([answer])
    others = _reached(scope, own[0], set(answer.devices)) if own else []
    said = f"answer:{answer.number}"
    became = turns(
        [*devices, *others],
        lambda device: msgspec.structs.replace(
            device, statements=tuple(s for s in device.statements if s.reference != said)
        ),
        partial(tried, (), [rule.id for rule in own], labels_by(left.model)),
    )
    return became, others


def _former(chain: Sequence[LearntVersion], left: Sequence[GivenAnswer]) -> LearntVersion | None:
    """Return the latest version that was learnt from just the answers that are left, None without any."""
    numbers = [other.number for other in left]
    return next((v for v in chain if numbers and v.figures.get("answers") == numbers), None)
