"""Reading a VEX document of any of the three forms; what is wrong with it is named by its place.

A document that is none is refused as a whole; a statement that cannot be read is left out and named.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from medwarden.kernel.errors import MalformedInput
from medwarden.risk.work.vex.statement import Problem, Reading, Statement, VexProduct

LARGEST = 64 << 20
MOST_STATEMENTS = 200_000
MOST_PROBLEMS = 500
_LONGEST = 2000
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._:#/+-]{2,58}[A-Za-z0-9]$")

Json = Mapping[str, object]


class Wrong(Exception):
    """A part of a document is not as its form asks."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}")
        self.place, self.reason = place, reason


def read_vex(document: bytes, source: str) -> Reading:
    """Read a VEX document, telling its form by its content.

    Raises MalformedInput naming ``source`` where it is no JSON object of a known form, lacks its id or
    author, or holds not one statement that can be read.
    """
    from medwarden.risk.work.vex import read_csaf, read_cyclonedx, read_openvex

    if len(document) > LARGEST:
        raise MalformedInput(source, f"larger than {LARGEST >> 20} MiB, which no VEX document is")
    try:
        held = msgspec.json.decode(document.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedInput(source, f"no JSON that can be read ({error})") from error
    if not isinstance(held, dict):
        raise MalformedInput(source, "no VEX document: the file holds no object")
    forms: tuple[tuple[Callable[[Json], bool], Callable[[Json], Reading]], ...] = (
        (read_openvex.is_openvex, read_openvex.read),
        (read_csaf.is_csaf, read_csaf.read),
        (read_cyclonedx.is_cyclonedx, read_cyclonedx.read),
    )
    for recognised, read in forms:
        if recognised(held):
            try:
                reading = read(held)
            except Wrong as error:
                raise MalformedInput(source, str(error)) from error
            if not reading.statements:
                first = reading.problems[0] if reading.problems else None
                why = f"{first.place}: {first.reason}" if first else "it makes no statement"
                raise MalformedInput(source, f"nothing in it can be used ({why})")
            return reading
    raise MalformedInput(
        source,
        "neither OpenVEX nor a VEX document of CSAF or CycloneDX: @context, document or bomFormat is missing",
    )


class Collected:
    """Statements and problems while a document is read."""

    def __init__(self) -> None:
        self.statements: list[Statement] = []
        self.problems: list[Problem] = []

    def take(self, read: Callable[[], Iterator[Statement]]) -> None:
        """Keep what ``read`` yields; where it goes wrong, the place and the reason."""
        try:
            for statement in read():
                if len(self.statements) >= MOST_STATEMENTS:
                    raise Wrong(statement.place, f"more than {MOST_STATEMENTS:,} statements in one document")
                self.statements.append(statement)
        except Wrong as error:
            if len(self.problems) < MOST_PROBLEMS:
                self.problems.append(Problem(error.place[:200], error.reason[:300]))


def text(value: object, place: str, *, needed: bool = False, longest: int = _LONGEST) -> str:
    """Return a text without surrounding blanks; '' where it is absent. Raises Wrong for anything else."""
    if value is None and not needed:
        return ""
    if not isinstance(value, str):
        raise Wrong(place, "a text is missing" if value is None else "no text")
    plain = "".join(c if c.isprintable() else "\n" if c == "\n" else " " for c in value[: 4 * longest])
    found = " ".join(plain.split()) if longest <= 400 else plain.strip()
    if needed and not found:
        raise Wrong(place, "an empty text")
    return found[:longest]


def object_of(value: object, place: str) -> Json:
    """Return an object, an empty one where it is absent. Raises Wrong for anything else."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Wrong(place, "no object")
    return value


def list_of(value: object, place: str) -> Sequence[object]:
    """Return a list, an empty one where it is absent. Raises Wrong for anything else."""
    if value is None:
        return ()
    if not isinstance(value, list):
        raise Wrong(place, "no list")
    return value


def names_of(values: Sequence[str], place: str) -> tuple[str, ...]:
    """Return the ids of a vulnerability in capitals, each once. Raises Wrong where none is one."""
    found = [v.rpartition("/")[2].upper() if "://" in v else v.upper() for v in values if v]
    kept = tuple(dict.fromkeys(name[:60] for name in found if _NAME.match(name)))
    if not kept:
        raise Wrong(
            place, f"{values[0][:40]!r} is no id of a vulnerability" if values else "names no vulnerability"
        )
    return kept


def product_by_address(address: str, cpe: str = "", purl: str = "", name: str = "") -> VexProduct:
    """Return the product that a purl, a CPE or any other address names."""
    from packageurl import PackageURL

    if not purl and address.startswith("pkg:"):
        purl = address
    if not cpe and address.lower().startswith(("cpe:2.3:", "cpe:/")):
        cpe = address
    vendor = product = version = ""
    if cpe:
        vendor, product, version = _cpe(cpe)
    if purl:
        try:
            read = PackageURL.from_string(purl)
        except ValueError:
            purl = ""
        else:
            vendor = vendor or (read.namespace or "")
            product, version = product or read.name, version or (read.version or "")
    return VexProduct(name or address, vendor, product, version, cpe, purl)


def _cpe(cpe: str) -> tuple[str, str, str]:
    """Return vendor, product and version of a CPE 2.3 or 2.2 name; '' for any or none."""
    if cpe.lower().startswith("cpe:2.3:"):
        parts = re.split(r"(?<!\\):", cpe)[3:6]
    else:
        parts = cpe[5:].split(":")[1:4]
    found = [re.sub(r"\\(.)", r"\1", part).replace("_", " ") for part in parts]
    plain = ["" if part in ("*", "-") else part for part in found] + ["", "", ""]
    return plain[0], plain[1], plain[2]
