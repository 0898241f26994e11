"""Which ends of sale and support concern a device, by the same comparison of names as advisories.

A notice becomes a claim on a product; what the comparison says of claim and device is then put into words of
support. Days differ from model to model of one family, so more is asked of a name than for weaknesses:
confirmed is only a notice that names the device's very model, or its whole series in so many words. One that
names the model makes others of the family void; where many models may be meant nothing is known.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable

from medwarden.model.life_cycle import ENDING_WORDS, EndOfLife, EndOfSupport
from medwarden.model.vulnerability import (
    Match,
    MatchState,
    ProductClaim,
    ProductStatus,
    Provenance,
    VersionSpan,
    Vulnerability,
)
from medwarden.risk.matching.engine import Engine
from medwarden.risk.matching.names import Aliases, packaged_aliases, plain, shown
from medwarden.risk.matching.products import Name, alike, product_name
from medwarden.risk.matching.profile import Profile

RULES = "life cycle 1"
"""Raised whenever the same device and notice may come to another verdict than before."""

_MOST_KEPT = 20_000
_MOST_MODELS = 4
"""Models and versions among which a device's may be; where there are more, no day of them is told."""
_WORD = re.compile(r"[a-z]{2,}")
_CONCERNING = (MatchState.CONFIRMED, MatchState.POTENTIAL)


class Notices:
    """Notices, indexed: give it all of them, then ask. Devices alike are judged once."""

    def __init__(self, notices: Iterable[EndOfSupport], aliases: Aliases | None = None) -> None:
        self._notices: dict[str, EndOfSupport] = {}
        self._engine = Engine(aliases)
        self._called = {
            plain(name): group.names
            for group in (
                packaged_aliases() if aliases is None else packaged_aliases().added(aliases)
            ).products
            for name in group.names
        }
        self._judged: OrderedDict[Profile, tuple[EndOfLife, ...]] = OrderedDict()
        for notice in notices:
            if notice.id not in self._notices:
                self._notices[notice.id] = notice
                self._engine.add_vulnerability(_claimed(notice))

    def __len__(self) -> int:
        """Return how many notices there are."""
        return len(self._notices)

    def of(self, profile: Profile) -> tuple[EndOfLife, ...]:
        """Return what ends of a device with this profile, the soonest first."""
        known = self._judged.get(profile)
        if known is None:
            known = self._judged[profile] = self._found(profile)
            if len(self._judged) > _MOST_KEPT:
                self._judged.popitem(last=False)
        return known

    def _found(self, profile: Profile) -> tuple[EndOfLife, ...]:
        matches = [match for match in self._engine.judge(profile) if match.state in _CONCERNING]
        held = [(self._notices[match.vulnerability], match) for match in matches]
        exact = [pair for pair in held if self._names(pair[0], profile)]
        said = [(notice, _end(notice, match, profile, sure=bool(exact))) for notice, match in exact or held]
        perhaps = {(n.vendor, n.model, n.version) for n, end in said if not end.sure}
        ends = [end for _, end in said if end.sure or len(perhaps) <= _MOST_MODELS]
        unique = {(end.subject, end.ending, end.day, end.state): end for end in ends}
        return tuple(sorted(unique.values(), key=lambda end: (end.day, end.ending, end.notice)))

    def _names(self, notice: EndOfSupport, profile: Profile) -> bool:
        """Tell whether a notice names a model itself, or all of its series in so many words."""
        maker = tuple(_WORD.findall(plain(f"{notice.vendor} {profile.vendor}")))
        claimed = product_name(notice.model, maker)
        if any(name.whole or name.ranges for name in claimed.names):
            return True
        names = (profile.model, *self._called.get(plain(profile.model), ()))
        return any(
            _same(one, other)
            for name in names
            for one in product_name(name, maker).names
            for other in claimed.names
        )


def _claimed(notice: EndOfSupport) -> Vulnerability:
    claim = ProductClaim(
        status=ProductStatus.AFFECTED,
        vendor=notice.vendor,
        product=notice.model,
        version=notice.version,
        spans=() if notice.version else (VersionSpan(),),
        part="h",
    )
    return Vulnerability(
        id=notice.id, title="", description="", provenance=Provenance("support", notice.url), claims=(claim,)
    )


def _end(notice: EndOfSupport, match: Match, profile: Profile, *, sure: bool) -> EndOfLife:
    sides = all(aspect.agrees for aspect in match.aspects if aspect.name != "product")
    certain = sure and sides and profile.vendor_sure and profile.model_sure
    state = MatchState.CONFIRMED if certain else MatchState.POTENTIAL
    return EndOfLife(
        notice=notice.id,
        subject=notice.subject,
        ending=notice.ending,
        day=notice.day,
        state=state,
        reason=_reason(notice, match, profile, state),
        source=notice.source,
        url=notice.url,
        seen=notice.seen,
        aspects=match.aspects,
    )


def _same(one: Name, other: Name) -> bool:
    """Tell whether two names have the same numbers and letters, and the same words but for misprints."""
    if one.joined and one.joined == other.joined:
        return True
    if (one.numbers, one.letters, bool(one.words)) != (other.numbers, other.letters, bool(other.words)):
        return False
    return all(
        any(alike(word, near) for near in right)
        for left, right in ((one.words, other.words), (other.words, one.words))
        for word in left
    )


def _reason(notice: EndOfSupport, match: Match, profile: Profile, state: MatchState) -> str:
    """Return why a notice concerns a device, or why that cannot be told."""
    maker, model = shown(notice.vendor), shown(notice.model)
    named = model if plain(model).startswith(plain(maker)) else f"{maker} {model}".strip()
    version = f", version {notice.version}" if notice.version else ""
    ending = f"the end of {ENDING_WORDS[notice.ending]} of {named}{version}"
    told = (
        f"{notice.source} gives {notice.day.isoformat()} as {ending}; the device is held for {profile.label}"
    )
    if state is MatchState.CONFIRMED:
        return f"{told}: it is meant."
    doubts = [aspect.why for aspect in match.aspects if aspect.agrees is None]
    doubts += [
        f"the inventory is not sure of its {name}"
        for name, sure in (("maker", profile.vendor_sure), ("model", profile.model_sure))
        if not sure
    ]
    why = "; ".join(doubts) or "the name does not say that it is this very model"
    return f"{told}: it may be meant, because {why}."
