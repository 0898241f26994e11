"""How one claim of a source fits one device: each aspect by itself, and what follows from them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import msgspec

from medwarden.model.vulnerability import Aspect, MatchState, ProductClaim, ProductStatus, VersionSpan
from medwarden.risk.matching.likeness import Closeness, Likeness, closeness
from medwarden.risk.matching.names import plain, shown
from medwarden.risk.matching.products import Name, ProductName, product_name
from medwarden.risk.matching.profile import Profile
from medwarden.risk.matching.verdict_words import sentence, vendor_words
from medwarden.risk.matching.version_places import Place, numbered_otherwise, place
from medwarden.risk.matching.versions import (
    Certainty,
    Reading,
    bounded,
    by_date,
    read_versions,
    span_words,
)


class Outcome(msgspec.Struct, frozen=True):
    """The verdict of one claim on one profile. ``closeness`` ranks claims of one source.

    ``numbered_otherwise`` tells that the claim's versions and the device's mean nothing beside each other.
    """

    state: MatchState
    closeness: Closeness
    reason: str
    aspects: tuple[Aspect, ...]
    explicit: bool = False  # the source itself says fixed or not affected, of this version
    numbered_otherwise: bool = False


class Statement(msgspec.Struct, frozen=True):
    """A claim prepared for comparison; claims alike in words share one."""

    product: ProductName
    models: tuple[tuple[str, ProductName], ...]
    reading: Reading
    context: frozenset[str]
    maker_words: tuple[str, ...]


_TITLE_NOISE = re.compile(
    r"\bicsm?a-\d\d-\d{3}-\d\d\w?\b|\(update \w\)|\b(?:multiple\s+)?vulnerabilit(?:y|ies)\b|[’']s?\b",
    re.IGNORECASE,
)
_EMPTY_PRODUCTS = frozenset({"version", "versions", "product", "n/a", "software", "firmware", ""})
_NUMBER = re.compile(r"\d{3,}[a-z]?")
_GOES_WITHOUT = re.compile(
    r"incl|all\b|[\w.]{1,8}$|integrated as|part (?:number|#)|non-medical|also known as|formerly"
)
_SAYS_NOTHING = re.compile(r"[\s(]*(?:(?:used|running|installed|with|on|in|under|systems?|for)[\s)]*)+")
_WINDOWS = re.compile(r"windows\s+(xp|vista|nt|2000|7|8(?:\.1)?|10|11|server\s+\d{4}|ce|embedded)")


@lru_cache(maxsize=65536)
def statement(
    product: str, version: str, spans: tuple[VersionSpan, ...], vendor: str, title: str
) -> Statement:
    """Prepare a claim. A product that says nothing (``Version``) is taken from the title."""
    maker = tuple(
        sorted(
            set(re.findall(r"[a-z]+", plain(vendor))) | {"philips", "siemens"} & set(plain(product).split())
        )
    )
    maker = tuple(word for word in maker if len(word) > 1)
    about = re.findall(r"[a-z]+|\d+", plain(_TITLE_NOISE.sub(" ", title).replace("_", " ")))
    text = product
    if plain(product) in _EMPTY_PRODUCTS:
        text = " ".join(word for word in about if word not in maker)
    name = product_name(text, maker)
    reading = read_versions(_without_product(version, product)) if version else Reading((), Certainty.EXACT)
    if spans and (not title or not version or reading.certainty is Certainty.UNREADABLE):
        reading = Reading(bounded(spans), Certainty.EXACT)
    abbreviations = {word for each in name.conditions if re.fullmatch(r"[\w.]{2,8}", each) for word in [each]}
    numbers = {span.exact for span in reading.spans if span.exact and _NUMBER.fullmatch(span.exact.lower())}
    return Statement(
        name,
        tuple(_models(text, reading.models, maker)),
        reading,
        (frozenset(about) | abbreviations | numbers) - {"pc"},
        maker,
    )


def _models(text: str, models: tuple[str, ...], maker: tuple[str, ...]) -> Iterator[tuple[str, ProductName]]:
    """Yield each model of a version text behind its product, and by itself where its words tell enough."""
    for each in models:
        both, alone = product_name(f"{text} {each}", maker), product_name(each, maker)
        if not any(plain(each) in condition for condition in both.conditions):
            yield each, both
        if any(name.words for name in alone.names):
            yield each, alone


def _without_product(version: str, product: str) -> str:
    """Leave words of the product out of its version text: ``< ROS V5.0.1``, ``3002 S3``."""
    words = {
        word
        for word in plain(product).split()
        if re.search(r"[a-z]", word) and word not in {"v", "r", "version"}
    }
    kept = [word for word in version.split() if word.lower() not in words or not re.search(r"\w", word)]
    return " ".join(kept) if any(re.search(r"[\d*x]", word.lower()) for word in kept) else version


def judge(
    claim: ProductClaim,
    said: Statement,
    profile: Profile,
    device: ProductName,
    source: str,
    vendor: bool | None,
) -> Outcome | None:
    """Return how a claim on devices fits a profile, or None where it speaks of another product.

    ``device`` is the profile's model taken apart, ``vendor`` how the makers compared (None: the device's
    is not known), ``source`` how the source is called in the sentence.
    """
    like, model = _product(said, device)
    if like.closeness is Closeness.OTHER or (vendor is None and like.closeness is not Closeness.SAME):
        return None
    version = _version(claim, said, profile, device, model)
    platform = _platform(claim, said, profile)
    serial = _serial(claim, profile)
    aspects = (
        Aspect(
            "vendor",
            vendor,
            profile.vendor,
            "model" if profile.vendor_in_model else "vendor",
            claim.vendor,
            vendor_words(profile, claim, vendor),
        ),
        Aspect(
            "product",
            True if like.closeness is Closeness.SAME else None,
            profile.model,
            "model",
            claim.product if not model else f"{claim.product} {model}",
            like.why,
        ),
        version.aspect,
        *(each for each in (platform, serial) if each is not None),
    )
    unsure = _unsure(profile)
    state = _state(claim, like, version, aspects, unsure)
    if state is None:
        return None
    return Outcome(
        state,
        like.closeness,
        sentence(claim, profile, source, state, aspects, version.aspect, unsure),
        aspects,
        claim.status in (ProductStatus.FIXED, ProductStatus.NOT_AFFECTED),
        bool(version.aspect.device_value)
        and numbered_otherwise(version.aspect.device_value, said.reading.spans),
    )


def _product(said: Statement, device: ProductName) -> tuple[Likeness, str]:
    """Return the best likeness, and the model in the version text that it rests on."""
    if said.product.without and _best(said.product.without, device, said.context).closeness is Closeness.SAME:
        return Likeness(Closeness.OTHER, "a product that is left out by name"), ""
    if _other_number_in_brackets(said.product, device):
        return Likeness(Closeness.OTHER, "another number in brackets"), ""
    called = (*said.product.names, *(name for names in said.product.others for name in names))
    best, by = _best(called, device, said.context), ""
    for model, name in said.models:
        like = _best(name.names, device, said.context)
        if like.closeness is Closeness.SAME:
            return like, model
        if like.closeness > best.closeness:
            best, by = like, model
    if said.models and said.reading.certainty is Certainty.READ and _models_elsewhere(said, device):
        return Likeness(Closeness.OTHER, "another model"), ""
    if said.models and said.reading.certainty is Certainty.READ and best.closeness is Closeness.SAME:
        listed = ", ".join(said.reading.models[:6])
        return Likeness(Closeness.MAYBE, f"the device's name does not say which of {listed} it is"), ""
    if best.closeness is Closeness.SAME and device.without and device.without != said.product.without:
        return Likeness(Closeness.MAYBE, "the device's name leaves other products out"), ""
    return best, by if best.closeness is Closeness.SAME else ""


def _other_number_in_brackets(product: ProductName, device: ProductName) -> bool:
    """Tell whether both names have numbers of their own in brackets, and none in common."""
    theirs, own = (
        {found for each in name.conditions for found in re.findall(r"\d{3,}", each)}
        for name in (product, device)
    )
    return bool(theirs and own) and not theirs & own


def _models_elsewhere(said: Statement, device: ProductName) -> bool:
    """Tell whether the device has a model number and none of those that the source lists."""
    listed = {number for _, name in said.models for each in name.names for number in each.numbers}
    own = {number for each in device.names for number in each.numbers}
    own -= {number for each in said.product.names for number in each.numbers}
    return bool(own) and bool(listed) and not own & listed


def _best(claimed: tuple[Name, ...], device: ProductName, context: frozenset[str]) -> Likeness:
    """Return the best likeness of a claim's names to a device's; all models in one name must be meant."""
    return max(
        (_of_all(claimed, names, context) for names in (device.names, *device.others)),
        key=lambda like: like.closeness,
    )


def _of_all(claimed: tuple[Name, ...], owned: tuple[Name, ...], context: frozenset[str]) -> Likeness:
    likes = [
        max((closeness(one, other, context) for one in claimed), key=lambda like: like.closeness)
        for other in owned
    ]
    best = max(likes, key=lambda like: like.closeness)
    if best.closeness is Closeness.SAME and any(like.closeness is Closeness.OTHER for like in likes):
        return Likeness(
            Closeness.MAYBE, "the device's name lists several models, and not all of them are named"
        )
    return best


class _Version(msgspec.Struct, frozen=True):
    place: Place
    aspect: Aspect


def _version(
    claim: ProductClaim, said: Statement, profile: Profile, device: ProductName, model: str
) -> _Version:
    """Compare the version, first with what stands in the product's name, then with the version text."""
    own, field = _own_version(profile, device)
    wanted = _wanted(claim, said)
    if model:
        return _Version(
            Place.IN,
            Aspect(
                "version",
                True,
                model,
                "model",
                wanted,
                "the device is the model that stands where versions belong",
            ),
        )
    named = tuple(VersionSpan(exact=each) for each in said.product.versions)
    spans = said.reading.spans
    if named:
        mine = device.versions[0] if device.versions else own
        where = place(mine, named) if mine else Place.UNKNOWN
        if where is Place.UNKNOWN and mine and any(mine.startswith(each) for each in said.product.versions):
            where = Place.IN
        if where is not Place.IN or said.reading.everything:
            return _Version(where, _version_aspect(where, mine, field, wanted))
    if said.reading.certainty is Certainty.UNREADABLE:
        why = f"the source limits it to '{shown(claim.version)}', which no version can be compared with"
        if said.reading.models:
            why = f"the device's name does not say that it is '{shown(claim.version)}'"
        if by_date(claim.version):
            why = f"it is limited by a date ({shown(claim.version)}), and the device's is not known"
        return _Version(Place.UNKNOWN, Aspect("version", None, own, field, wanted, why))
    if not spans:
        return _Version(Place.IN, Aspect("version", True, own, field, wanted, "every version is named"))
    numbered = _by_number(said, profile, device, own, field, wanted)
    if numbered is not None:
        return numbered
    if not own:
        return _Version(
            Place.UNKNOWN, Aspect("version", None, "", field, wanted, "the device's version is not known")
        )
    where = place(own, spans)
    return _Version(where, _version_aspect(where, own, field, wanted))


def _own_version(profile: Profile, device: ProductName) -> tuple[str, str]:
    """Return the version of a device and its field: the firmware, what its name says, an unnamed system's."""
    if profile.firmware:
        return _without_product(profile.firmware, f"{profile.vendor} {profile.model}"), "firmware"
    if device.versions:
        return device.versions[0], "model"
    return ("" if profile.os else profile.os_version), "os_version"


def _by_number(
    said: Statement, profile: Profile, device: ProductName, own: str, field: str, wanted: str
) -> _Version | None:
    """Compare where model numbers may stand in place of versions; None where no such numbers do."""
    spans = said.reading.spans
    numbers = [
        span.exact for span in spans if span.exact and _NUMBER.fullmatch(span.exact.lower().split()[0])
    ]
    if numbers and len(numbers) == len(spans):
        owned = {number for name in device.names for number in (*name.numbers, *name.codes)}
        hit = next((n for n in numbers if n.lower().split()[0] in owned), "")
        if hit:
            return _Version(
                Place.IN,
                Aspect(
                    "version", True, hit, "model", wanted, "the model number stands where versions belong"
                ),
            )
        where = place(own, spans) if own else Place.UNKNOWN
        if {n for n in owned if len(n) >= len(numbers[0])} - _numbers_of(said):
            return _Version(
                Place.OUT,
                Aspect(
                    "version", False, profile.model, "model", wanted, "the device has another model number"
                ),
            )
        where = where if where is Place.IN else Place.UNKNOWN
        return _Version(where, _version_aspect(where, own, field, wanted))
    return None


def _numbers_of(said: Statement) -> set[str]:
    return {number for name in said.product.names for number in (*name.numbers, *name.codes)}


def _version_aspect(where: Place, own: str, field: str, wanted: str) -> Aspect:
    if not own:
        return Aspect("version", None, "", field, wanted, "the device's version is not known")
    agrees, why = {
        Place.IN: (True, f"{own} is among those named ({wanted})"),
        Place.ABOVE: (False, f"{own} is later than the named versions ({wanted})"),
        Place.BELOW: (False, f"{own} is earlier than the named versions ({wanted})"),
        Place.OUT: (False, f"{own} is not among those named ({wanted})"),
        Place.UNKNOWN: (None, f"it cannot be told whether {own} is among those named ({wanted})"),
    }[where]
    return Aspect("version", agrees, own, field, wanted, why)


def _wanted(claim: ProductClaim, said: Statement) -> str:
    if said.reading.spans:
        words = " or ".join(span_words(span) for span in said.reading.spans[:6])
        return words if len(said.reading.spans) <= 6 else f"{words} or others"
    if said.reading.everything:
        named = " or ".join(said.product.versions)
        return named or "every version"
    return claim.version or "no version"


def _platform(claim: ProductClaim, said: Statement, profile: Profile) -> Aspect | None:
    """Compare what the source says the product must run on, and other conditions it makes."""
    unreadable = said.reading.certainty is Certainty.UNREADABLE
    said_beside = () if unreadable else said.reading.conditions
    conditions = [
        each
        for each in (*said.product.conditions, *said_beside, *claim.platforms)
        if not _GOES_WITHOUT.match(each)
        and not _SAYS_NOTHING.fullmatch(each)
        and each != claim.version
        and not _of_others(each, profile)
    ]
    if said.product.platform:
        conditions.append(said.product.platform)
    if not conditions:
        return None
    text = "; ".join(dict.fromkeys(conditions))
    wanted = set(_WINDOWS.findall(plain(text)))
    owned = set(_WINDOWS.findall(plain(f"{profile.os} {profile.os_version}")))
    own = " ".join(part for part in (profile.os, profile.os_version) if part)
    if wanted and owned:
        agrees = bool(wanted & owned)
        words = "the device runs it" if agrees else f"the device runs {own}"
        return Aspect("platform", agrees, own, "os", text, words)
    model = set(re.findall(r"[a-z]+|\d+", plain(profile.model))) | {"model", "models", "only"}
    if set(re.findall(r"[a-z]+|\d+", plain(text))) <= model:
        return Aspect("platform", True, profile.model, "model", text, "the device's name says so")
    return Aspect("platform", None, own, "os", text, "whether that is so on the device is not known")


def _of_others(condition: str, profile: Profile) -> bool:
    """Tell whether a remark is about other models than the device's: ``X3/MX100 for Rev M only``."""
    codes = set(re.findall(r"\b[a-z]{1,3}\d{1,4}\b", plain(condition)))
    return (
        bool(codes)
        and " only" in condition
        and not codes & set(re.findall(r"[a-z]+\d+", plain(profile.model)))
    )


def _serial(claim: ProductClaim, profile: Profile) -> Aspect | None:
    if not claim.serial_numbers:
        return None
    named = ", ".join(claim.serial_numbers[:4])
    if not profile.serial:
        return Aspect("serial", None, "", "serial", named, "the device's serial number is not known")
    mine = profile.serial.upper()
    for pattern in claim.serial_numbers:
        form = re.escape(pattern.upper()).replace(r"\*", ".*").replace(r"\?", ".")
        if re.fullmatch(form, mine):
            return Aspect(
                "serial", True, profile.serial, "serial", named, f"{profile.serial} is among those named"
            )
    return Aspect(
        "serial", False, profile.serial, "serial", named, f"{profile.serial} is not among those named"
    )


def _unsure(profile: Profile) -> str:
    doubts = [
        name for name, sure in (("maker", profile.vendor_sure), ("model", profile.model_sure)) if not sure
    ]
    return " and ".join(doubts)


def _state(
    claim: ProductClaim, like: Likeness, version: _Version, aspects: tuple[Aspect, ...], unsure: str
) -> MatchState | None:
    against = any(a.agrees is False and a.name != "version" for a in aspects)
    certain = like.closeness is Closeness.SAME and not unsure
    if claim.status in (ProductStatus.FIXED, ProductStatus.NOT_AFFECTED):
        if version.aspect.agrees is not True or against or not certain or aspects[0].agrees is None:
            return None
        return MatchState.FIXED if claim.status is ProductStatus.FIXED else MatchState.NOT_AFFECTED
    if claim.status is ProductStatus.RECOMMENDED:
        return None
    if version.aspect.agrees is False or against:
        if not certain:
            return None if like.closeness is not Closeness.SAME or against else MatchState.NOT_AFFECTED
        return MatchState.FIXED if version.place is Place.ABOVE and not against else MatchState.NOT_AFFECTED
    if certain and all(a.agrees for a in aspects) and claim.status is ProductStatus.AFFECTED:
        return MatchState.CONFIRMED
    return MatchState.POTENTIAL
