"""The index of claims, and the verdicts of a device on every vulnerability that speaks of it.

Claims are filed by the maker as written, products of a maker by their tokens, operating systems by family,
programs by name and purl. Only what an inventory's makers touch is ever taken apart, and devices of one
profile are judged once, so that a hospital's devices meet all published records in under a minute.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain

import msgspec
from rapidfuzz import process
from rapidfuzz.distance import OSA

from medwarden.model.vulnerability import Advisory, Match, MatchState, Vulnerability
from medwarden.risk.matching.filing import Entry, Route, RouteKind, Shelf, entries_of, routes_of
from medwarden.risk.matching.likeness import Closeness
from medwarden.risk.matching.names import Aliases, Makers, packaged_aliases, plain, same_maker
from medwarden.risk.matching.platforms import System, judge_system, own_system, system
from medwarden.risk.matching.products import ProductName, product_name
from medwarden.risk.matching.profile import Profile
from medwarden.risk.matching.software import judge_software, keys_of
from medwarden.risk.matching.updates import Learnt, Updates
from medwarden.risk.matching.verdict import Outcome, judge, statement

RULES = "matching 5"
"""Raised whenever the same device and record may come to another verdict than before."""

_RANK = {
    MatchState.CONFIRMED: 4,
    MatchState.POTENTIAL: 3,
    MatchState.FIXED: 2,
    MatchState.NOT_AFFECTED: 1,
    MatchState.IRRELEVANT: 0,
}


SYSTEM_MAKERS = frozenset(
    {
        "microsoft", "linux", "google", "apple", "canonical", "debian", "redhat", "centos", "freebsd",
        "windriver", "blackberry", "qnx", "fedoraproject", "suse", "opensuse", "oracle", "red hat",
        "wind river", "green hills", "linux kernel organization inc", "kernel",
    }
)  # fmt: skip
"""Makers of operating systems, by key: what they say counts for every device that runs the system."""

ANSWER = "answer:"
"""How the id of a maker's answer on one model and version begins: it stands before other sources."""

_PROGRAMS = (RouteKind.PACKAGE, RouteKind.PROGRAM)

_NEGATIVE = frozenset({MatchState.FIXED, MatchState.NOT_AFFECTED})


class _Product:
    """The claims on one product text of a maker."""

    __slots__ = ("entries", "text", "title")

    def __init__(self, text: str, title: str) -> None:
        self.text, self.title = text, title
        self.entries: list[Entry] = []


class _Maker:
    """The products of one maker as it is written, and which of them have which token.

    Models may stand where versions belong, so a claim is found by the words of its version too: by those of
    its own, lest other claims that are held decide which verdicts it leads to.
    """

    __slots__ = ("_near", "_postings", "_shelf", "_versions", "keys", "products", "written")

    def __init__(self, written: str, keys: frozenset[str], shelf: Shelf | None = None) -> None:
        self.written, self.keys = written, keys
        self.products: dict[tuple[str, str], _Product] = {}
        self._postings: dict[str, list[_Product]] | None = None
        self._versions: dict[str, list[_Product]] = {}
        self._near: dict[str, tuple[str, ...]] = {}
        self._shelf = shelf

    def add(self, entry: Entry) -> None:
        """Take a claim, behind those on the shelf."""
        self._fill()
        self._add(entry)

    def _fill(self) -> None:
        """Take the claims that are on the shelf, once."""
        if self._shelf is not None:
            for entry in self._shelf.take(Route(RouteKind.MAKER, self.written)):
                self._add(entry)
            self._shelf = None

    def _add(self, entry: Entry) -> None:
        # A title only matters where it belongs to an advisory: records of one product share one place.
        key = (entry.claim.product, entry.title if entry.advisory else "")
        product = self.products.get(key)
        if product is None:
            product = self.products[key] = _Product(*key)
        product.entries.append(entry)
        self._postings = None

    def candidates(
        self, tokens: frozenset[str], *, misprints: bool = True
    ) -> Iterator[tuple[_Product, list[Entry]]]:
        """Yield products with the claims on them that share a token with ``tokens``, or its misprint."""
        self._fill()
        postings = self._indexed() if self._postings is None else self._postings
        found: dict[_Product, set[str]] = {}
        whole: set[_Product] = set()
        for token in sorted(tokens):
            for known in self._known(token, postings) if misprints else (token,):
                for product in postings.get(known, ()):
                    found.setdefault(product, set())
                    whole.add(product)
                for product in self._versions.get(known, ()):
                    found.setdefault(product, set()).add(known)
        for product, words in found.items():
            if product in whole:
                yield product, product.entries
            else:
                yield (
                    product,
                    [e for e in product.entries if not words.isdisjoint(tokens_of(e.claim.version))],
                )

    def _indexed(self) -> dict[str, list[_Product]]:
        """Note which tokens products have by their names, and which only by versions of claims on them."""
        postings: dict[str, list[_Product]] = {}
        versions: dict[str, list[_Product]] = {}
        for product in self.products.values():
            own = tokens_of(f"{product.text} {product.title}")
            for token in own:
                postings.setdefault(token, []).append(product)
            texts = {entry.claim.version for entry in product.entries}
            for token in frozenset().union(*map(tokens_of, texts)) - own:
                versions.setdefault(token, []).append(product)
        self._near.clear()
        self._postings, self._versions = postings, versions
        return postings

    def _known(self, token: str, postings: dict[str, list[_Product]]) -> tuple[str, ...]:
        """Return the tokens of products that a token is, may be misprinted from, or is put together of."""
        near = self._near.get(token)
        if near is None:
            found = {token}
            if token.isalpha() and len(token) >= _SHORTEST_MISPRINT:
                most = 1 if len(token) < _LONG else 2
                words = list(postings.keys() | self._versions.keys())
                close = process.extract(token, words, scorer=OSA.distance, score_cutoff=most, limit=None)
                found.update(each for each, _, _ in close if each[:1] == token[:1] or len(token) >= _LONG)
                found.update(each for each in words if len(each) >= _SHORTEST_PART and each in token)
            near = self._near[token] = tuple(sorted(found))
        return near


_SHORTEST_MISPRINT = 3
"""Letters from which a word is looked up by its misprints too."""
_SHORTEST_PART = 4
"""Letters from which a word may be a part of one that was written without blanks."""
_LONG = 9
"""Letters from which a word may be misprinted twice."""


@lru_cache(maxsize=65536)
def tokens_of(text: str) -> frozenset[str]:
    """Return what a product is looked up by: its words without the s of many, and its numbers."""
    found = re.findall(r"[a-z]+|\d+", plain(text.replace("_", " ")))
    return frozenset(token.rstrip("s") or token for token in found)


class Engine:
    """Holds claims and judges profiles. ``aliases`` are a hospital's own names beside the packaged ones.

    With a ``shelf`` of claims that were filed before, only those are taken that a profile may meet; the
    verdicts are those of an engine that all of them were put into. ``builds`` tells what was learnt of
    updates before, from claims that are not held here.
    """

    def __init__(
        self, aliases: Aliases | None = None, shelf: Shelf | None = None, builds: Learnt | None = None
    ) -> None:
        table = packaged_aliases() if aliases is None else packaged_aliases().added(aliases)
        self._makers = Makers(table)
        self._aliases: dict[tuple[str, str], tuple[str, ...]] = {}
        for group in table.products:
            for key in self._makers.keys(group.vendor):
                self._aliases |= {(key, plain(name)): group.names for name in group.names}
        self._by_maker: dict[str, _Maker] = {}
        self._by_key: dict[str, list[_Maker]] = {}
        self._reached: dict[str, tuple[_Maker, ...]] = {}
        self._shelf = shelf
        self._systems: dict[str, list[tuple[Entry, System]]] = {}
        self._programs: dict[Route, list[Entry]] = {}
        self._updates = Updates(builds if shelf is None else shelf.builds)
        self.claims = 0
        for written in () if shelf is None else shelf.makers():
            self._open(written, shelf)

    # ------------------------------------------------------------ filling

    def add_vulnerability(self, record: Vulnerability) -> None:
        """File the claims of a record of a vulnerability (NVD, CVE 5)."""
        self._file(record)

    def add_advisory(self, advisory: Advisory) -> None:
        """File the claims of an advisory; the same product may be named for each of its vulnerabilities."""
        self._file(advisory)

    def _file(self, record: Vulnerability | Advisory) -> None:
        for entry in entries_of(record, self._updates):
            self.claims += 1
            for route in routes_of(entry.claim):
                self._put(route, entry)

    def _put(self, route: Route, entry: Entry) -> None:
        if route.kind is RouteKind.MAKER:
            maker = self._by_maker.get(route.key)
            (self._open(route.key) if maker is None else maker).add(entry)
        elif route.kind is RouteKind.SYSTEM:
            self._of_family(route.key).append(_with_system(entry))
        else:
            self._programs_at(route).append(entry)

    def _open(self, written: str, shelf: Shelf | None = None) -> _Maker:
        """Begin the claims of a maker that was not named before."""
        maker = _Maker(written, self._makers.keys(written.replace("_", " ")), shelf)
        self._by_maker[written] = maker
        self._reached.clear()
        for key in maker.keys:
            self._by_key.setdefault(key, []).append(maker)
        return maker

    def _of_family(self, family: str) -> list[tuple[Entry, System]]:
        held = self._systems.get(family)
        if held is None:
            taken = self._shelf.take(Route(RouteKind.SYSTEM, family)) if self._shelf else []
            held = self._systems[family] = [_with_system(entry) for entry in taken]
        return held

    def _programs_at(self, route: Route) -> list[Entry]:
        held = self._programs.get(route)
        if held is None:
            held = self._programs[route] = self._shelf.take(route) if self._shelf else []
        return held

    def named(self) -> dict[str, list[str]]:
        """Return the products that sources name, by maker as it is written."""
        if self._shelf is not None:
            return {maker: sorted(set(each)) for maker, each in self._shelf.products().items() if maker}
        return {
            written: sorted({product.text for product in maker.products.values()})
            for written, maker in self._by_maker.items()
            if written
        }

    # ------------------------------------------------------------ judging

    def judge(self, profile: Profile) -> tuple[Match, ...]:
        """Return the verdicts on a profile, one for each vulnerability, without a device id."""
        found: dict[str, list[tuple[Entry, Outcome]]] = {}
        for entry, outcome in self._outcomes(profile):
            found.setdefault(entry.vulnerability, []).append((entry, outcome))
        return tuple(_merged(vulnerability, found[vulnerability]) for vulnerability in sorted(found))

    def _outcomes(self, profile: Profile) -> Iterator[tuple[Entry, Outcome]]:
        if profile.updates:
            profile = self._updates.applied(profile)
        if profile.model:
            yield from self._closest(list(self._of_device(profile)))
        if profile.os:
            own = own_system(profile)
            if own is not None:
                for entry, named in self._of_family(own.family):
                    if not self._makes_it(entry.claim.vendor, profile.vendor):
                        continue
                    outcome = judge_system(entry.claim, named, profile, _source(entry))
                    if outcome is not None:
                        yield entry, outcome
        yield from self._of_software(profile)

    def _makes_it(self, claimed: str, vendor: str) -> bool:
        """Tell whether a claim on a system counts for a device: its maker's own, or of the device's maker."""
        keys = self._makers.keys(claimed.replace("_", " "))
        return bool(keys & SYSTEM_MAKERS) or not keys or self._makers.agree(keys, self._makers.keys(vendor))

    def _of_device(self, profile: Profile) -> Iterator[tuple[Entry, Outcome]]:
        keys = self._makers.meant(profile.vendor)
        head, behind = self._makers.in_front(profile.model)
        if not head and keys:  # the rest of the maker's registered name may stand before the product
            head, behind = self._makers.in_front(f"{profile.vendor} {profile.model}")
        told = self._makers.meant(head) if head else frozenset()
        if told and not keys:
            profile = msgspec.structs.replace(profile, vendor=head, vendor_in_model=True)
            keys = told
        elif told and not self._makers.agree(keys, told):
            behind = ""
        model = plain(profile.model)
        others = tuple(n for key in sorted(keys) for n in self._aliases.get((key, model), ()))
        if behind:
            others += (behind, *(n for k in sorted(keys) for n in self._aliases.get((k, plain(behind)), ())))
        told_by = (
            (profile.model, *others) if re.search("[a-z]{2}", model) else (profile.vendor, profile.model)
        )
        tokens = tokens_of(" ".join(told_by))
        if keys:
            device = _device_name(profile.model, others, _telling_words(profile.vendor), profile.vendor)
            for maker in self._makers_of(profile.vendor, keys):
                for product, entries in maker.candidates(tokens):
                    yield from self._of_product(product, entries, maker, profile, device, True)
            return
        words = frozenset(re.findall(r"[a-z]+", model))
        for maker in self._by_maker.values():
            said = [
                key.split() for key in sorted(maker.keys) if len(key) >= 4 and words.issuperset(key.split())
            ]
            named, without = bool(said), tuple(sorted({word for each in said for word in each}))
            device = _device_name(profile.model, (), without, "")
            own = (
                msgspec.structs.replace(profile, vendor=maker.written, vendor_in_model=True)
                if named
                else profile
            )
            agrees = True if named else None
            for product, entries in maker.candidates(tokens, misprints=named):
                yield from self._of_product(product, entries, maker, own, device, agrees)

    def _of_product(
        self,
        product: _Product,
        entries: list[Entry],
        maker: _Maker,
        profile: Profile,
        device: ProductName,
        agrees: bool | None,
    ) -> Iterator[tuple[Entry, Outcome]]:
        known: dict[tuple[object, ...], Outcome | None] = {}
        for entry in entries:
            claim = entry.claim
            key = (
                claim.version,
                claim.spans,
                claim.status,
                claim.platforms,
                claim.serial_numbers,
                entry.advisory,
            )
            if key not in known:
                said = statement(claim.product, claim.version, claim.spans, maker.written, product.title)
                known[key] = judge(claim, said, profile, device, "{source}", agrees)
            outcome = known[key]
            if outcome is not None:
                yield entry, outcome

    def _makers_of(self, written: str, keys: frozenset[str]) -> tuple[_Maker, ...]:
        """Return the makers that a device's maker may be: by key, by house, by misprint."""
        reached = self._reached.get(written)
        if reached is None:
            house = self._makers.house(keys)
            near = {own for key in keys for own in self._by_key if own in house or same_maker(key, own)}
            makers = {id(maker): maker for key in near | set(house) for maker in self._by_key.get(key, ())}
            reached = self._reached[written] = tuple(makers.values())
        return reached

    def _of_software(self, profile: Profile) -> Iterator[tuple[Entry, Outcome]]:
        for each in profile.software:
            keys = self._makers.keys(each.vendor) if each.vendor else frozenset()
            seen: set[Entry] = set()
            for key in sorted(keys_of(each)):
                for entry in chain.from_iterable(self._programs_at(Route(kind, key)) for kind in _PROGRAMS):
                    if entry in seen:
                        continue
                    seen.add(entry)
                    theirs = self._makers.keys(entry.claim.vendor.replace("_", " "))
                    agrees = self._makers.agree(keys, theirs) if keys and theirs else None
                    if agrees is False:
                        continue
                    outcome = judge_software(entry.claim, each, "{source}", agrees)
                    if outcome is not None:
                        yield entry, outcome

    @staticmethod
    def _closest(found: list[tuple[Entry, Outcome]]) -> Iterator[tuple[Entry, Outcome]]:
        """Keep of each source the claims that are closest, and number versions as the device does."""
        best: dict[str, Closeness] = {}
        for entry, outcome in found:
            source = entry.advisory or entry.vulnerability
            best[source] = max(best.get(source, Closeness.OTHER), outcome.closeness)
        close = [(e, o) for e, o in found if o.closeness is best[e.advisory or e.vulnerability]]
        told = {(e.vulnerability, e.advisory, e.claim.product) for e, o in close if not o.numbered_otherwise}
        for entry, outcome in close:
            said = (entry.vulnerability, entry.advisory, entry.claim.product)
            if not outcome.numbered_otherwise or said not in told:
                yield entry, outcome


def _telling_words(vendor: str) -> tuple[str, ...]:
    return tuple(sorted(word for word in re.findall(r"[a-z]+", plain(vendor)) if len(word) > 1))


@lru_cache(maxsize=65536)
def _device_name(model: str, others: tuple[str, ...], without: tuple[str, ...], vendor: str) -> ProductName:
    """Take a device's model apart; further readings are its other names, and it with its maker's words.

    A product may be called by a maker's name that another maker has taken over: McKesson Cardiology.
    """
    name = product_name(model, without)
    whole = product_name(model if plain(model).startswith(plain(vendor)) else f"{vendor} {model}")
    further = [*name.others, *(product_name(other, without).names for other in others)]
    if without and len(whole.names) == len(name.names):  # a list of makers is no name
        further.append(whole.names)
    return msgspec.structs.replace(name, others=tuple(names for names in further if names != name.names))


def _with_system(entry: Entry) -> tuple[Entry, System]:
    """Return a claim that is filed under the family of a system with that system."""
    named = system(entry.claim.product)
    assert named is not None
    return entry, named


def _source(entry: Entry) -> str:
    return entry.advisory or entry.vulnerability


def _merged(vulnerability: str, found: list[tuple[Entry, Outcome]]) -> Match:
    """Make one verdict of those of several claims and sources.

    Of one source an explicit word on this very version stands first, then the worst. Among sources an
    advisory stands before the bare record, but a record that can tell stands before an advisory that cannot.
    """
    by_source: dict[str, tuple[Entry, Outcome]] = {}
    for entry, outcome in found:
        kept = by_source.get(entry.advisory)
        if kept is None or _weight(outcome) > _weight(kept[1]):
            by_source[entry.advisory] = (entry, outcome)
    entry, outcome = max(
        by_source.values(),
        key=lambda pair: (_weight(pair[1])[1], bool(pair[0].advisory)),
    )
    said = [pair for pair in by_source.values() if pair[0].advisory]
    if said and not entry.advisory:
        maker = max(said, key=lambda pair: _weight(pair[1]))
        if maker[1].state is not MatchState.POTENTIAL:
            entry, outcome = maker
    for source, answer in by_source.items():
        if source.startswith(ANSWER) and answer[1].state is not MatchState.POTENTIAL:
            entry, outcome = answer
    alike = [o for e, o in found if e.advisory == entry.advisory and o.state is outcome.state]
    more = len({o.reason for o in alike}) - 1 if outcome.state in _NEGATIVE and not outcome.explicit else 0
    further = ""
    if more > 0:
        entries = "entry" if more == 1 else f"{more} entries"
        further = f" Its other {entries} on the product {'does' if more == 1 else 'do'} not name it either."
    advisory = entry.advisory or next((pair[0].advisory for pair in said), "")
    return Match(
        device="",
        vulnerability=vulnerability,
        advisory=advisory,
        state=outcome.state,
        reason=outcome.reason.replace("{source}", _source(entry)) + further,
        aspects=outcome.aspects,
        claim=entry.claim,
        rules_version=RULES,
    )


def _weight(outcome: Outcome) -> tuple[bool, int]:
    return outcome.explicit, _RANK[outcome.state]
