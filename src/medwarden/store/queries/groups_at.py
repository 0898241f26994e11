"""Scores of groups as of a date: the scores of devices then, gathered by what the devices were held for then.

What a device was held for is read backwards from the audit chain: its labels now, with every change since
taken back. Where no change is written down, it was then what it is now; of departments, changes are written
down since they are among the audited labels.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

import msgspec

from medwarden.risk.levels import SHOWN, GroupKind, GroupScore, from_counts
from medwarden.risk.weights import GroupShape
from medwarden.store.models import AuditEntry, Device
from medwarden.store.queries.risk_groups import name_of_group, organisation_at, scores_at
from medwarden.store.queries.scope import Scope

LABELS = {
    GroupKind.SITE: ("site",),
    GroupKind.DEPARTMENT: ("department",),
    GroupKind.CATEGORY: ("category",),
    GroupKind.MODEL: ("vendor", "model"),
}
_COLUMNS = {"site": "site_id", "department": "place__department"}
_SUBJECT = "device:"


def groups_at(scope: Scope, kind: GroupKind, at_ns: int, shape: GroupShape) -> list[GroupScore]:
    """Return the scores of all groups of a kind as of ``at_ns``, highest first.

    Each is made of the scores that its devices had then, as they were computed then. A device that was in no
    group counts in none; before the first score there are no groups.
    """
    if kind is GroupKind.ORGANISATION:
        whole = organisation_at(scope, at_ns, shape)
        return [whole] if whole.devices else []
    scores = scores_at(scope, at_ns)
    members: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for device, name in members_at(scope, kind, at_ns, scores).items():
        members[name].append((device, scores[device]))
    found = []
    for name, devices in members.items():
        worst = sorted(devices, key=lambda pair: (-pair[1], pair[0]))[:SHOWN]
        found.append(from_counts(kind, name, Counter(score for _, score in devices), worst, shape))
    return sorted(found, key=lambda group: (-group.score, -group.devices, group.name))


def members_at(scope: Scope, kind: GroupKind, at_ns: int, devices: Mapping[str, object]) -> dict[str, str]:
    """Return the group of a kind that each of ``devices`` was in at ``at_ns``; those in none are left out."""
    labels = LABELS[kind]
    columns = [_COLUMNS.get(label, label) for label in labels]
    held: dict[str, dict[str, object]] = {
        device: dict(zip(labels, values, strict=True))
        for device, *values in scope.over(Device.objects.all()).values_list("pk", *columns)
        if device in devices
    }
    if kind is not GroupKind.SITE:
        taken_back: set[tuple[str, str]] = set()
        for device, before in _changes_since(scope, at_ns):
            for label in labels:
                if device in held and label in before and (device, label) not in taken_back:
                    held[device][label] = before[label]
                    taken_back.add((device, label))
    named = {device: name_of_group(said.values()) for device, said in held.items()}
    return {device: name for device, name in named.items() if name}


def _changes_since(scope: Scope, at_ns: int) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield devices and what they were held for before each change after a moment, oldest change first."""
    rows = AuditEntry.objects.filter(tenant_id=scope.tenant, action="device.identified", at_ns__gt=at_ns)
    if scope.sites is not None:
        rows = rows.filter(site_id__in=scope.sites)
    decode = msgspec.json.Decoder(dict[str, object] | None).decode
    entries = rows.order_by("sequence").values_list("subject", "before")
    for subject, before in entries.iterator(chunk_size=2000):
        yield subject.removeprefix(_SUBJECT), decode(before) or {}
