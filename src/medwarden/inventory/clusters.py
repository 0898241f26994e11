"""Devices nobody could name, gathered by what they share, so that one answer labels many.

Devices with the same evidence are one signature; signatures are taken in the order of how many devices
have them, and each joins the first cluster to which it is similar enough or begins one of its own (leader
clustering, Hartigan 1975). Similarity is the weighted Jaccard index over shared evidence: what a device
declares weighs more than the layout of its packets, what few devices share more than what all do. Only
leaders that share something rare enough are compared, so cost goes with devices, not with their square.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence

import msgspec

from medwarden.inventory.shared_evidence import Shared, in_words, rank_of, shared_evidence, weight_of
from medwarden.kernel.ids import stable_id
from medwarden.model.device import Device

LEVELS = ("category", "vendor")
"""Levels whose being open brings a device into the queue, unless others are asked for."""

SURE = 0.6
"""Least confidence that counts as an answer."""

_ALIKE = 0.4
_COMMON_TO = 0.8
_IN_NAME = 3
_MOST_LEADERS = 64
_LEAST_SHARE = 0.25
_USUAL = 0.2


class Subject(msgspec.Struct, frozen=True):
    """A device that wants an answer: the levels it is open at, what it might be, and what it shares."""

    id: str
    label: str
    address: str
    open: tuple[str, ...]
    guesses: dict[str, tuple[str, float]]
    evidence: tuple[Shared, ...]


class Guess(msgspec.Struct, frozen=True):
    """What a share of a cluster's devices look like without being sure; ``label`` None: nothing."""

    level: str
    label: str
    devices: int
    confidence: float


class Cluster(msgspec.Struct, frozen=True):
    """Devices that one answer may label.

    ``id`` follows from the most telling evidence that its devices share, so it stays while devices come
    and go. ``alike`` (0 to 1) is how similar they are on average; ``gain`` is how many devices an answer
    is expected to label. ``evidence`` is what they share, most telling first, as field, value and words;
    ``holders`` are beside each the first of the devices that said it: not all of them have to.
    """

    id: str
    name: str
    devices: tuple[str, ...]
    alike: float
    gain: float
    open: dict[str, int]
    guesses: tuple[Guess, ...]
    evidence: tuple[tuple[str, str, str], ...]
    holders: tuple[str, ...] = ()

    @property
    def told(self) -> tuple[tuple[str, str, str, str], ...]:
        """Return what its devices share with a device that said it: field, value, words, device."""
        return tuple((*said, holder) for said, holder in zip(self.evidence, self.holders, strict=True))

    @property
    def shared(self) -> tuple[Shared, ...]:
        """Return what its devices share as pairs."""
        return tuple((field, value) for field, value, _ in self.evidence)


def subject_of(
    device: Device,
    levels: Sequence[str] = LEVELS,
    sure: float = SURE,
    peers: Mapping[str, str] | None = None,
) -> Subject | None:
    """Return what a device brings into the queue, None where every level is answered surely enough."""
    verdicts = {level: device.verdict(level) for level in levels}
    doubtful = tuple(
        level for level, v in verdicts.items() if v is None or v.label is None or v.confidence < sure
    )
    if not doubtful:
        return None
    guesses: dict[str, tuple[str, float]] = {}
    for level in doubtful:
        verdict = verdicts[level]
        if verdict is not None and verdict.ballots:
            guesses[level] = verdict.label or verdict.ballots[0].label, verdict.confidence
    address = (device.ips or device.macs or ("",))[0]
    return Subject(device.id, device.label, address, doubtful, guesses, shared_evidence(device, peers))


class _Group(msgspec.Struct):
    """Devices of one signature, and later of one cluster."""

    evidence: frozenset[Shared]
    members: list[Subject]
    likeness: float = 0.0


def clusters(subjects: Iterable[Subject]) -> list[Cluster]:
    """Return the clusters, those first whose answer labels most devices. The order of input does not matter.

    Devices that shared nothing telling with anybody come last, each by itself or, where they said nothing
    at all, together.
    """
    everybody = sorted(subjects, key=lambda s: s.id)
    seen = Counter(shared for subject in everybody for shared in subject.evidence)
    weights = {
        shared: weight_of(shared) * math.log1p(len(everybody) / count)
        for shared, count in seen.items()
        if count > 1
    }
    groups: dict[frozenset[Shared], _Group] = {}
    alone: list[Subject] = []
    for subject in everybody:
        evidence = frozenset(shared for shared in subject.evidence if shared in weights)
        if not evidence and subject.evidence:
            alone.append(subject)
        else:
            groups.setdefault(evidence, _Group(evidence, [])).members.append(subject)
    led = _led(sorted(groups.values(), key=lambda g: (-len(g.members), sorted(g.evidence))), weights)
    found = [_cluster(group, weights) for group in led]
    found += [_cluster(_Group(frozenset(subject.evidence), [subject], 1.0), {}) for subject in alone]
    ordered = sorted(found, key=lambda c: (-c.gain, -len(c.devices), c.name, c.devices))
    usual = {shared for shared, count in seen.items() if count > _USUAL * len(everybody)}
    return _numbered(ordered, usual)


def _led(groups: list[_Group], weights: Mapping[Shared, float]) -> list[_Group]:
    """Let every group join the leader it is most similar to, or lead.

    A leader that is similar enough shares something of the group's rarest pieces that together weigh more
    than half (prefix filter of Chaudhuri, Ganti and Kaushik 2006): only such leaders are compared.
    """
    leaders: list[_Group] = []
    totals: list[float] = []
    by_evidence: defaultdict[Shared, list[int]] = defaultdict(list)
    for group in groups:
        total = sum(weights[s] for s in group.evidence)
        candidates: dict[int, None] = {}
        reached = 0.0
        for shared in sorted(group.evidence, key=lambda s: (len(by_evidence[s]), s)):
            candidates |= dict.fromkeys(by_evidence[shared][:_MOST_LEADERS])
            reached += weights[shared]
            if reached > (1 - _ALIKE) * total or len(candidates) >= _MOST_LEADERS:
                break
        best, likeness = -1, 0.0
        for leader in candidates:
            common = sum(weights[s] for s in group.evidence & leaders[leader].evidence)
            alike = common / (total + totals[leader] - common)
            if alike > likeness or (alike == likeness and leader < best):
                best, likeness = leader, alike
        if likeness >= _ALIKE:
            leaders[best].likeness += likeness * len(group.members)
            leaders[best].members += group.members
            continue
        group.likeness = float(len(group.members))
        for shared in group.evidence:
            by_evidence[shared].append(len(leaders))
        leaders.append(group)
        totals.append(total)
    for group in leaders:
        group.likeness /= len(group.members)
    return leaders


def _cluster(group: _Group, weights: Mapping[Shared, float]) -> Cluster:
    members = sorted(group.members, key=lambda s: s.id)
    held = Counter(shared for subject in members for shared in subject.evidence)
    common = [shared for shared, count in held.items() if count >= _COMMON_TO * len(members)]
    first = {shared: subject.id for subject in reversed(members) for shared in subject.evidence}
    common.sort(key=lambda s: (-weights.get(s, weight_of(s)), s))
    words = [in_words(shared) for shared in common[:_IN_NAME]]
    number = f"{len(members):,} device{'' if len(members) == 1 else 's'}"
    silent = not common
    return Cluster(
        id="",
        name=f"{number}: {', '.join(words)}" if words else f"{number} that said nothing of themselves",
        devices=tuple(s.id for s in members),
        alike=0.0 if silent else round(group.likeness, 4),
        gain=0.0 if silent else round(group.likeness * len(members), 2),
        open=dict(sorted(Counter(level for s in members for level in s.open).items())),
        guesses=_guesses(members),
        evidence=tuple((field, value, in_words((field, value))) for field, value in common),
        holders=tuple(first[shared] for shared in common),
    )


def _guesses(members: Sequence[Subject]) -> tuple[Guess, ...]:
    """Return what a good part of the devices look like, the most frequent first."""
    found: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for subject in members:
        for level, (label, confidence) in subject.guesses.items():
            found[level, label].append(confidence)
    return tuple(
        Guess(level, label, len(sure), round(sum(sure) / len(sure), 4))
        for (level, label), sure in sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
        if len(sure) >= _LEAST_SHARE * len(members)
    )


def _numbered(found: list[Cluster], usual: Container[Shared]) -> list[Cluster]:
    """Return the clusters with their ids: made of as much of their evidence as tells them apart.

    What is ``usual`` among open devices comes last in an id: it tells none of them.
    """
    taken: set[str] = set()
    named = []
    for cluster in found:
        anchors = sorted(cluster.shared, key=lambda s: (s in usual, rank_of(s[0]), s))
        depth = min(_IN_NAME, len(anchors))
        key = stable_id("u", *(part for shared in anchors[:depth] for part in shared))
        while key in taken and depth < len(anchors):
            depth += 1
            key = stable_id("u", *(part for shared in anchors[:depth] for part in shared))
        if key in taken:
            key = stable_id("u", key, *cluster.devices[:1])
        taken.add(key)
        named.append(msgspec.structs.replace(cluster, id=key))
    return named
