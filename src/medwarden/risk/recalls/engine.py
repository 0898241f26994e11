"""All notices against a device: by product first, once for devices alike, then by unit.

Makers are compared by their keys, products by the words of the model: an index of the words that each maker's
notices contain leaves few notices to look at. Texts on lots and serial numbers are read only for those.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec

from medwarden.model.vulnerability import Aspect
from medwarden.risk.matching.names import Aliases, Makers, packaged_aliases, plain, same_maker
from medwarden.risk.recalls.codes import Limits, read_limits
from medwarden.risk.recalls.days import days_of, widest
from medwarden.risk.recalls.facts import DeviceFacts
from medwarden.risk.recalls.naming import Described, Named, described, model_words, named
from medwarden.risk.recalls.notice import Notice, Scope
from medwarden.risk.recalls.serials import CodeList, Run, key
from medwarden.risk.recalls.units import Units, judge_units, limits_of_fields

RULES = "recalls-1"
"""Goes up whenever the same facts and notices may come to another verdict."""

_MOST_KEPT = 50_000
_MISPRINT = 2
"""Letters by which a misprint may be longer or shorter (see :func:`same_maker`)."""

_LONG_NUMBER = re.compile(r"(?<!\d)\d{12,14}(?!\d)")


def _long_numbers(text: str) -> set[str]:
    """Return what may be a UDI-DI in a text: it is only ever looked up by one that a device has."""
    return {number.zfill(14) for number in _LONG_NUMBER.findall(text)}


class RecallState(StrEnum):
    """What is said of a device and a notice."""

    AFFECTED = "affected"
    MAY_BE = "may_be_affected"
    UNKNOWN = "unknown"  # the product is meant; a fact of the device is missing to tell whether this unit is
    NOT_AFFECTED = "not_affected"


CONCERNING = (RecallState.AFFECTED, RecallState.UNKNOWN, RecallState.MAY_BE)
"""States that make work, the surest first."""


class RecallMatch(msgspec.Struct, frozen=True):
    """The verdict on one device and one notice, its sentence, and what each side of it rests on."""

    device: str
    notice: str
    state: RecallState
    reason: str
    aspects: tuple[Aspect, ...] = ()


class _Held(msgspec.Struct):
    """A scope of a notice, taken apart as far as it was asked for."""

    notice: Notice
    scope: Scope
    product: Described | None = None
    limits: Limits | None = None


class _Maker:
    """The scopes of one maker; their words are indexed when somebody first asks for the maker."""

    def __init__(self) -> None:
        self.waiting: list[int] = []
        self.words: defaultdict[str, list[int]] = defaultdict(list)


class _Product(msgspec.Struct, frozen=True):
    """Whether the product of a scope is that of some devices, with what it rests on."""

    held: int
    agrees: bool | None
    why: str
    aspects: tuple[Aspect, ...]


class Engine:
    """Notices, indexed; give it all of them, then ask."""

    def __init__(self, aliases: Aliases | None = None) -> None:
        self._makers = Makers(packaged_aliases().added(aliases or Aliases()))
        self._held: list[_Held] = []
        self._by_identifier: defaultdict[str, list[int]] = defaultdict(list)
        self._by_maker: defaultdict[frozenset[str], _Maker] = defaultdict(_Maker)
        self._by_key: defaultdict[str, list[_Maker]] = defaultdict(list)
        self._letters: defaultdict[str, list[str]] = defaultdict(list)
        self._of_vendor: dict[str, list[_Maker]] = {}
        self._products: dict[tuple[object, ...], tuple[_Product, ...]] = {}

    def __len__(self) -> int:
        """Return how many products notices speak of."""
        return len(self._held)

    def add(self, notice: Notice) -> None:
        """Take a notice in."""
        for scope in notice.scopes:
            at = len(self._held)
            self._held.append(_Held(notice, scope))
            for identifier in {*scope.identifiers, *_long_numbers(scope.codes)}:
                self._by_identifier[identifier].append(at)
            keys = self._makers.keys(scope.maker or notice.maker)
            if keys not in self._by_maker:
                for one in keys:
                    self._by_key[one].append(self._by_maker[keys])
            self._by_maker[keys].waiting.append(at)
        self._of_vendor.clear()
        self._letters.clear()
        self._products.clear()

    def _indexed(self, maker: _Maker) -> defaultdict[str, list[int]]:
        """Return the scopes of a maker by the words in them."""
        for at in maker.waiting:
            product = self._described(at)
            for word in (*product.words, *(f"#{number}" for number in product.numbers), *product.series):
                maker.words[word].append(at)
            for letters, _, _ in product.runs:
                maker.words[f"{letters}-"].append(at)
        maker.waiting.clear()
        return maker.words

    def _described(self, at: int) -> Described:
        held = self._held[at]
        if held.product is None:
            title, product = held.notice.title.removesuffix("…"), " ".join(held.scope.product.split())
            held.product = described(
                product if title in product else f"{product} . {title}", held.scope.models
            )
        return held.product

    def judge(self, facts: DeviceFacts) -> tuple[RecallMatch, ...]:
        """Return the verdicts on a device, one for each notice that means its product or may."""
        products = self._products.get(facts.product)
        if products is None:
            if len(self._products) > _MOST_KEPT:
                self._products.clear()
            products = self._products[facts.product] = tuple(self._of_product(facts))
        best: dict[str, RecallMatch] = {}
        for product in products:
            match = self._of_unit(facts, product)
            known = best.get(match.notice)
            if known is None or _ORDER[match.state] < _ORDER[known.state]:
                best[match.notice] = match
        return tuple(best.values())

    def _of_product(self, facts: DeviceFacts) -> Iterable[_Product]:
        found: dict[int, _Product] = {}
        for said in facts.identifiers:
            for at in self._by_identifier.get(said.value, ()):
                aspect = Aspect(
                    "udi", True, said.value, said.field, said.value, "the notice names its UDI-DI"
                )
                found[at] = _Product(at, True, "the notice names its UDI-DI", (aspect,))
        maker = tuple(plain(facts.vendor).split())
        for said in facts.models:
            if not facts.vendor:
                break
            for at in self._candidates(facts.vendor, said.value, maker):
                held = self._held[at]
                known = found.get(at)
                if known is not None and known.agrees:
                    continue
                result = named(said.value, maker, self._described(at))
                if result.agrees is False or (known is not None and result.agrees is None):
                    continue
                found[at] = self._product(at, held, facts, said.value, said.field, result)
        yield from found.values()

    def _product(
        self, at: int, held: _Held, facts: DeviceFacts, model: str, field: str, result: Named
    ) -> _Product:
        agrees, why = result.agrees, result.why
        if agrees and not (facts.model_sure or field.startswith(("book:", "udi"))):
            agrees, why = None, f"{why}, but the inventory is not sure that it is a {model}"
        elif agrees and not facts.vendor_sure:
            agrees, why = None, f"{why}, but the inventory is not sure of its maker"
        maker = held.scope.maker or held.notice.maker
        aspects = (
            Aspect("maker", True, facts.vendor, "vendor", maker, "the same maker or one of its house"),
            Aspect("model", agrees, model, field, held.scope.product[:200], why),
        )
        return _Product(at, agrees, why, aspects)

    def _indexes(self, vendor: str) -> list[_Maker]:
        """Return the makers that a vendor may be: by key, by house, by misprint."""
        known = self._of_vendor.get(vendor)
        if known is None:
            mine = self._makers.keys(vendor)
            near = set(self._makers.house(mine)) if mine else set()
            for one in mine:
                near.update(other for other in self._beside(one) if same_maker(one, other))
            found = {id(maker): maker for key in near for maker in self._by_key.get(key, ())}
            known = self._of_vendor[vendor] = list(found.values())
        return known

    def _beside(self, one: str) -> set[str]:
        """Return the keys that may be a misprint or a longer form of ``one``: they share a first letter."""
        if not self._letters:
            for name in self._by_key:
                self._letters[name[:1]].append(name)
                self._letters[f"-{name[1:2]}"].append(name)
        close = (*self._letters.get(one[:1], ()), *self._letters.get(f"-{one[1:2]}", ()))
        return {
            name
            for name in close
            if abs(len(name) - len(one)) <= _MISPRINT or name.startswith(one) or one.startswith(name)
        }

    def _candidates(self, vendor: str, model: str, maker: tuple[str, ...]) -> set[int]:
        words, codes = model_words(model, maker)
        found: set[int] = set()
        for each in self._indexes(vendor):
            index = self._indexed(each)
            found.update(index.get(f"#{key(model)}", ()))
            for code in codes:
                found.update(index.get(code, ()))
                found.update(index.get(f"#{key(code)}", ()))
                found.update(index.get(f"{code.rstrip('0123456789')}-", ()))
                found.update(
                    at for n in range(1, len(code)) for at in index.get(f"{code[:n]:0<{len(code)}}", ())
                )
            if words:
                found |= set.intersection(*(set(index.get(word, ())) for word in words))
        return found

    def _of_unit(self, facts: DeviceFacts, product: _Product) -> RecallMatch:
        held = self._held[product.held]
        if held.limits is None:
            held.limits = limits_of(held.scope)
        units = judge_units(facts, held.limits)
        later = None if units.named else _made_later(facts, held.notice)
        if later is not None:
            aspects = (*product.aspects, later)
            return RecallMatch(
                facts.device, held.notice.id, RecallState.NOT_AFFECTED, _sentence(later.why), aspects
            )
        state, reason = _verdict(product, units, held.notice)
        return RecallMatch(facts.device, held.notice.id, state, reason, (*product.aspects, *units.aspects))


_ORDER = {state: n for n, state in enumerate((*CONCERNING, RecallState.NOT_AFFECTED))}


def limits_of(scope: Scope) -> Limits:
    """Return what limits a scope: its text, and the fields beside it."""
    text = read_limits(scope.codes)
    runs = CodeList(
        runs=tuple(Run(span.low, span.high) for span in scope.serial_spans if span.low or span.high)
    )
    made = days_of(scope.made) if scope.made else ()
    limits = limits_of_fields(scope.lots, scope.serials, runs, scope.firmware, scope.version, made, text)
    given = bool(scope.lots or scope.serials or scope.serial_spans or scope.firmware or scope.version or made)
    if scope.made and not made:
        limits = msgspec.structs.replace(limits, unread=(*limits.unread, scope.made[:60]))
    return msgspec.structs.replace(limits, said=limits.said or given)


def _made_later(facts: DeviceFacts, notice: Notice) -> Aspect | None:
    """Return that a device was made after a notice began, which therefore cannot mean it."""
    if not notice.begun or not facts.made:
        return None
    said = facts.made[0]
    if widest(said.value)[0] <= notice.begun:
        return None
    why = f"it was made on {said.value}, after the notice of {notice.begun}"
    return Aspect("made", False, said.value, said.field, notice.begun, why)


def _verdict(product: _Product, units: Units, notice: Notice) -> tuple[RecallState, str]:
    told = [aspect.why for aspect in units.aspects if aspect.name != "units"]
    if units.agrees is False:
        return RecallState.NOT_AFFECTED, _sentence(product.why, *told)
    if units.agrees and (product.agrees or units.named):
        if notice.ongoing or units.named:
            return RecallState.AFFECTED, _sentence(product.why, *(a.why for a in units.aspects))
        over = (
            f"the notice ended{f' on {notice.ended}' if notice.ended else ''}: was this unit corrected then?"
        )
        return RecallState.MAY_BE, _sentence(product.why, *(a.why for a in units.aspects), over)
    if product.agrees and units.missing:
        missing = " and ".join(units.missing)
        return RecallState.UNKNOWN, _sentence(product.why, *told, f"missing: its {missing}")
    return RecallState.MAY_BE, _sentence(product.why, *told, units.unread)


def _sentence(*parts: str) -> str:
    said = list(dict.fromkeys(part for part in parts if part))
    text = "; ".join(said)
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('?') else '.'}"


def engine_of(notices: Iterable[Notice], aliases: Aliases | None = None) -> Engine:
    """Return an engine that holds these notices."""
    engine = Engine(aliases)
    for notice in notices:
        engine.add(notice)
    return engine


def judged(engine: Engine, devices: Sequence[DeviceFacts]) -> dict[str, tuple[RecallMatch, ...]]:
    """Return the verdicts on devices, by their ids."""
    return {facts.device: engine.judge(facts) for facts in devices}
