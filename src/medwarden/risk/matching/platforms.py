"""Operating systems: those of devices against those that records name, Windows by release and build.

Builds of Windows 10, 11 and Server follow Microsoft's release information pages: the third number is the
release, the fourth the monthly update.
"""

from __future__ import annotations

import re
from functools import lru_cache
from types import MappingProxyType

import msgspec

from medwarden.model.vulnerability import Aspect, MatchState, ProductClaim, ProductStatus
from medwarden.risk.matching.likeness import Closeness
from medwarden.risk.matching.names import plain, shown
from medwarden.risk.matching.profile import Profile
from medwarden.risk.matching.verdict import Outcome
from medwarden.risk.matching.version_order import begins, device_version
from medwarden.risk.matching.version_places import Place, place
from medwarden.risk.matching.versions import Certainty, bounded, read_versions, span_words

_BUILDS = MappingProxyType(
    {
        10240: "1507", 10586: "1511", 14393: "1607", 15063: "1703", 16299: "1709", 17134: "1803",
        17763: "1809", 18362: "1903", 18363: "1909", 19041: "2004", 19042: "20h2", 19043: "21h1",
        19044: "21h2", 19045: "22h2",
        22000: "21h2", 22621: "22h2", 22631: "23h2", 26100: "24h2", 26200: "25h2", 20348: "21h2",
    }
)  # fmt: skip
_SERVERS = MappingProxyType(
    {14393: "server 2016", 17763: "server 2019", 20348: "server 2022", 26100: "server 2025"}
)
_KERNELS = MappingProxyType(
    {"5.0": "2000", "5.1": "xp", "5.2": "server 2003", "6.0": "vista", "6.1": "7", "6.2": "8", "6.3": "8.1"}
)
_STATED = MappingProxyType(
    {
        "5.1": ("xp",), "5.2": ("server 2003", "xp"), "6.0": ("vista", "server 2008"),
        "6.1": ("7", "server 2008 r2"), "6.2": ("8", "server 2012"), "6.3": ("8.1", "server 2012 r2"),
        "10.0": ("10", "11", "server 2016", "server 2019", "server 2022", "server 2025"),
    }
)  # fmt: skip
"""Releases of Windows by the version that the system states of itself (MS-BRWS, Windows documentation)."""
_WINDOWS = re.compile(
    r"\bwindows\b(?:\s+(?P<release>server\s*\d{4}(?:\s*r2)?|xp|vista|nt|2000|2003|ce|embedded\s+\w+|rt(?:\s8\.1)?|7|8\.1|8|10|11))?"
    r"(?:\s+(?:version\s+)?(?P<edition>\d{2}h\d|\d{4})\b)?"
)
_RELEASE = re.compile(r"(server \d{4}(?: r2)?|xp|vista|7|8\.1|8|10|11)\b")
_SERVER_YEAR = re.compile(r"\b20(?:0[38]|12|16|19|22|25)\b(?: r2)?")
_FAMILIES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"\blinux kernel\b|^linux$", "linux kernel"),
        (r"\bvxworks\b", "vxworks"),
        (r"\bqnx\b", "qnx"),
        (r"\bandroid\b", "android"),
        (r"\bmac ?os(?: x)?\b|\bos x\b", "macos"),
        (r"\bipados\b", "ipados"),
        (r"\biphone os\b", "iphone os"),
        (r"\bubuntu\b", "ubuntu"),
        (r"\bdebian\b", "debian"),
        (r"\benterprise linux\b|\brhel\b|\bred hat\b", "enterprise linux"),
        (r"\bcentos\b", "centos"),
        (r"\bfreebsd\b", "freebsd"),
        (r"\bnucleus rtos\b|\bnucleus net\b", "nucleus"),
        (r"\bintegrity rtos\b", "integrity"),
        (r"\bthreadx\b", "threadx"),
    )
)


class System(msgspec.Struct, frozen=True):
    """An operating system: its family, the release (``10``, ``server 2016``) and edition (``1809``).

    ``others`` are releases that it may be just as well: what is told of it does not tell them apart.
    """

    family: str
    release: str = ""
    edition: str = ""
    others: tuple[str, ...] = ()


@lru_cache(maxsize=65536)
def system(text: str, version: str = "") -> System | None:
    """Return which operating system a name means; None where it is none that records name."""
    name = plain(text.replace("_", " "))
    found = _WINDOWS.search(name)
    if found is not None:
        return _windows(found, version)
    for pattern, family in _FAMILIES:
        if pattern.search(name):
            return System(family)
    return None


def _windows(found: re.Match[str], version: str) -> System:
    release = " ".join((found.group("release") or "").split())
    edition = found.group("edition") or ""
    numbers = re.search(r"\b(\d+)\.(\d+)(?:\.(\d{4,5}))?", version)
    build = int(numbers.group(3)) if numbers is not None and numbers.group(3) else 0
    if not build:
        alone = re.search(r"\b(1\d{4}|2\d{4})\b", version)
        build = int(alone.group(1)) if alone is not None else 0
    if build in _BUILDS:
        edition = edition or _BUILDS[build]
        release = release or ("11" if build >= 22000 and build != 20348 else "10")
        if release == "server" or (found.group("release") or "").startswith("server"):
            release = _SERVERS.get(build, release)
    elif numbers is not None and not release:
        release = _KERNELS.get(f"{numbers.group(1)}.{numbers.group(2)}", "")
    if not edition:
        half = re.search(r"\b(\d{2}h\d|1[5-9]\d{2}|2004)\b", version.lower())
        edition = half.group(1) if half is not None else ""
    others: tuple[str, ...] = ()
    if not release and version:
        said = [named.group(1) for part in version.lower().split(" or ") if (named := _RELEASE.match(part))]
        if "server" in found.string and not any(each.startswith("server") for each in said):
            said = [f"server {year.group(0)}" for year in _SERVER_YEAR.finditer(version.lower())]
        release, others = (said[0], tuple(said[1:])) if said else ("", ())
    if edition and release.startswith("server"):
        edition = ""
    return System("windows", release, edition, others)


RELEASE_UNKNOWN = "the release of the system is not known"
"""Why a claim on one release concerns a device of which only the family of its system is known."""


def judge_system(claim: ProductClaim, named: System, profile: Profile, source: str) -> Outcome | None:
    """Return how a claim on an operating system fits a profile, or None where the device runs another."""
    own = own_system(profile)
    if own is None or own.family != named.family or claim.status is ProductStatus.RECOMMENDED:
        return None
    if named.release and own.release and named.release not in (own.release, *own.others):
        return None
    if named.release and not named.release.startswith("server") and _is_server(profile, own):
        return None
    if named.edition and own.edition and named.edition != own.edition:
        return None
    vague = bool((named.release and (own.others or not own.release)) or (named.edition and not own.edition))
    build = _build(profile, named)
    text = " ".join(part for part in (profile.os, profile.os_version, build) if part)
    product = Aspect(
        "product", None if vague else True, text, "os", claim.product,
        RELEASE_UNKNOWN if vague else "the same system",
    )  # fmt: skip
    version = _version(claim, named, profile)
    installed = sorted(set(claim.fixed_by) & profile.updates)
    if installed:
        why = f"the update {installed[0]} is installed"
        version = Aspect("version", False, installed[0], "updates", ", ".join(claim.fixed_by[:6]), why)
    aspects = (product, version)
    conditions = _conditions(claim)
    state = _state(claim, version, vague, bool(installed), named)
    if conditions and state is MatchState.CONFIRMED:
        state = MatchState.POTENTIAL
    if state is None:
        return None
    return Outcome(
        state,
        Closeness.MAYBE if vague else Closeness.SAME,
        _sentence(claim, source, text, state, aspects, conditions),
        aspects,
    )


def own_system(profile: Profile) -> System | None:
    """Return the system of a device: by its name and version, and the build that was seen of a Windows."""
    if profile.build in _STATED and "windows" in profile.os.lower():
        found = system(profile.os, profile.os_version)
        if found is None or found.release or found.family != "windows":
            return found
        releases = _STATED[profile.build]
        if "server" in profile.os.lower():
            releases = tuple(each for each in releases if each.startswith("server")) or releases
        return msgspec.structs.replace(found, release=releases[0], others=releases[1:])
    if profile.build and "windows" in profile.os.lower():
        return system(profile.os, f"{profile.os_version} {profile.build}".strip())
    return system(profile.os, profile.os_version)


def _build(profile: Profile, named: System) -> str:
    """Return the build that was seen where it is one of the claimed system and not said already."""
    if named.family != "windows" or profile.build in profile.os_version or profile.build in _STATED:
        return ""
    return profile.build


def _is_server(profile: Profile, own: System) -> bool:
    return own.family == "windows" and not own.release and "server" in profile.os.lower()


def _conditions(claim: ProductClaim) -> tuple[str, ...]:
    """Return what a claim names beside versions, as "without the update of March"; nobody can judge it."""
    return read_versions(claim.version).conditions if claim.version and not claim.spans else ()


def _version(claim: ProductClaim, named: System, profile: Profile) -> Aspect:
    reading = read_versions(claim.version) if claim.version and not claim.spans else None
    spans = bounded(claim.spans or (reading.spans if reading is not None else ()))
    wanted = " or ".join(span_words(span) for span in spans[:4]) or "every version"
    if reading is not None and reading.certainty is Certainty.UNREADABLE:
        return Aspect(
            "version",
            None,
            profile.os_version,
            "os_version",
            claim.version,
            "the version text cannot be read",
        )
    if not spans:
        return Aspect("version", True, profile.os_version, "os_version", wanted, "every version is named")
    numbers = r"\d+(?:\.\d+)+" if named.family == "windows" else r"\d+(?:\.\d+)*"
    mine = re.search(numbers, _build(profile, named) or profile.os_version)
    if mine is None:
        return Aspect(
            "version", None, profile.os_version, "os_version", wanted, "the build of the system is not known"
        )
    number = mine.group(0)
    where = place(number, spans)
    built = device_version(number)
    if named.family == "windows" and built is not None:
        bounds = [device_version(b) for span in spans for b in (span.high, span.low, span.exact) if b]
        if any(bound is not None and begins(bound, built) for bound in bounds):
            where = Place.UNKNOWN
    why = {
        Place.IN: f"{number} is among those named ({wanted})",
        Place.ABOVE: f"{number} is later than the named versions ({wanted})",
        Place.BELOW: f"{number} is earlier than the named versions ({wanted})",
        Place.OUT: f"{number} is not among those named ({wanted})",
        Place.UNKNOWN: f"it cannot be told whether {number} is among those named ({wanted})",
    }[where]
    agrees = None if where is Place.UNKNOWN else where is Place.IN
    return Aspect("version", agrees, number, "os_version", wanted, why)


def _state(
    claim: ProductClaim, version: Aspect, vague: bool, installed: bool, named: System
) -> MatchState | None:
    if claim.status in (ProductStatus.FIXED, ProductStatus.NOT_AFFECTED):
        if vague or version.agrees is not True:
            return None
        return MatchState.FIXED if claim.status is ProductStatus.FIXED else MatchState.NOT_AFFECTED
    if installed:
        return MatchState.FIXED
    if version.agrees is False:
        if vague:
            return None
        return MatchState.FIXED if "later" in version.why else MatchState.NOT_AFFECTED
    sure = version.agrees and not vague and claim.status is ProductStatus.AFFECTED and not claim.platforms
    if named.family == "linux kernel":
        return MatchState.POTENTIAL  # distributors mend a kernel without raising its number
    return MatchState.CONFIRMED if sure else MatchState.POTENTIAL


def _sentence(
    claim: ProductClaim,
    source: str,
    own: str,
    state: MatchState,
    aspects: tuple[Aspect, ...],
    conditions: tuple[str, ...],
) -> str:
    version = aspects[1]
    named, maker = shown(claim.product), shown(claim.vendor)
    if not plain(named).startswith(plain(maker)):
        named = f"{maker} {named}".strip()
    start = f"{source} names {named}, {version.claim_value}; the device runs {own}"
    if state is MatchState.CONFIRMED:
        return f"{start}: it is affected."
    if state is MatchState.POTENTIAL:
        doubts = [aspect.why for aspect in aspects if aspect.agrees is None]
        if claim.platforms:
            doubts.append(f"it only counts on {', '.join(claim.platforms[:3])}")
        if conditions:
            doubts.append(f"it only counts for '{', '.join(conditions[:3])}'")
        doubts = doubts or ["fixes are often brought in without a new version number"]
        return f"{start}: it may be affected, because {'; '.join(doubts)}."
    if state is MatchState.FIXED:
        return f"{start}: {version.why}, so it is fixed."
    return f"{start}: {version.why}, so it is not affected."
