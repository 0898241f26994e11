"""Knowledge base articles of Microsoft: which build an update makes, and which updates mend a claim.

Learnt from what is published: CSAF documents of Microsoft name the build and the article of each remedy
(``10.0.17763.7558:Security Update:https://support.microsoft.com/help/5062557``), claims the build below which
a system is affected. Updates of Windows 10 and later are cumulative: a later build holds all before it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

import msgspec

from medwarden.model.vulnerability import ProductClaim, Remedy
from medwarden.risk.matching.profile import Profile

_ARTICLE = re.compile(
    r"\bKB\s?(\d{6,7})\b|support\.microsoft\.com/(?:[a-z-]+/)?(?:help|kb|topic)/(\d{6,7})\b", re.IGNORECASE
)
_BUILD = re.compile(r"(?<![\d.])(\d{1,2}\.\d\.\d{4,5}\.\d{1,5})(?![\d.])")

Learnt = Callable[[], Iterable[tuple[str, str]]]
"""Returns pairs of an article and a build that it makes."""


def articles(text: str) -> tuple[str, ...]:
    """Return the knowledge base articles that a text names, as ``KB5062557``."""
    return tuple(dict.fromkeys(f"KB{one or other}" for one, other in _ARTICLE.findall(text)))


def numbers(build: str) -> tuple[int, ...]:
    """Return the parts of a build as numbers; nothing for a text that is none."""
    found = re.fullmatch(r"\d{1,3}(?:\.\d{1,6}){1,3}", build)
    return tuple(int(part) for part in build.split(".")) if found else ()


class Updates:
    """What is known of updates; filled while claims are filed.

    ``known`` returns pairs of an article and a build that were learnt before; it is asked until it
    could tell, from the first device on whose updates are known.
    """

    def __init__(self, known: Learnt | None = None) -> None:
        self._builds: dict[str, set[str]] = {}
        self._known = known

    def learnt(self) -> list[tuple[str, str]]:
        """Return the pairs of an article and a build that it makes, in order."""
        return sorted((article, build) for article, builds in self._builds.items() for build in builds)

    def completed(self, claims: Sequence[ProductClaim], remedies: Sequence[Remedy]) -> Sequence[ProductClaim]:
        """Return claims with the articles that mend them, and learn which builds those make."""
        mending: dict[str, list[str]] = {}
        for remedy in remedies:
            named = articles(f"{remedy.text[:2000]} {remedy.url}")
            if not named:
                continue
            for build in _BUILD.findall(remedy.text[:2000]):
                self._learn(named, build)
            for product in remedy.products:
                mending.setdefault(product, []).extend(named)
        if not mending and not any(claim.fixed_by for claim in claims):
            return claims
        return [self._completed(claim, mending.get(claim.product_id, ())) for claim in claims]

    def _completed(self, claim: ProductClaim, named: Sequence[str]) -> ProductClaim:
        fixed_by = tuple(dict.fromkeys((*claim.fixed_by, *named)))
        for span in claim.spans:
            if span.high and not span.high_included and len(numbers(span.high)) == 4 and len(fixed_by) == 1:
                self._learn(fixed_by, span.high)
        return claim if fixed_by == claim.fixed_by else msgspec.structs.replace(claim, fixed_by=fixed_by)

    def _learn(self, named: Sequence[str], build: str) -> None:
        for article in named:
            self._builds.setdefault(article.upper(), set()).add(build)

    def applied(self, profile: Profile) -> Profile:
        """Return a profile whose build is at least what its installed updates make of it."""
        if self._known is not None:
            for article, build in list(self._known()):
                self._learn((article,), build)
            self._known = None  # not before: where it could not be told, it is asked again
        own = numbers(profile.build)
        best = own
        for article in profile.updates:
            for build in self._builds.get(article.upper(), ()):
                made = numbers(build)
                same = not own or made[:3] == own[:3]
                if same and made > best and (own or not best or made[:3] == best[:3]):
                    best = made
        if best == own:
            return profile
        return msgspec.structs.replace(profile, build=".".join(str(part) for part in best))
