"""Templates of NetFlow 9 and IPFIX: what an exporter says its records look like.

RFC 3954 sections 5 and 9; RFC 7011 sections 3.4, 8 and 7 (variable length). Templates belong to an
exporter and its source id or observation domain. They are bounded in number and size: a hostile exporter
cannot make the memory grow.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from struct import Struct

import msgspec

from medwarden.kernel.errors import MalformedInput

VARIABLE = 0xFFFF
MOST_TEMPLATES = 1024
"""Templates kept for one exporter; with more, the one not used for the longest time is forgotten."""
MOST_FIELDS = 256
MOST_FIELDS_KEPT = 8192
"""Fields of all templates of one exporter together."""
_MOST_RECORD = 65535
_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}

Element = int | tuple[int, int]
"""An information element: its number, or (enterprise, number)."""


class FieldSpecifier(msgspec.Struct, frozen=True):
    """One field of a template; ``length`` may be :data:`VARIABLE`."""

    element: Element
    length: int


class Template(msgspec.Struct, frozen=True):
    """A template made ready for reading records.

    ``fixed`` reads a record whole where no field varies in length; ``least`` is the shortest record.
    ``scopes`` counts the scope fields that an options template begins with, else 0.
    """

    fields: tuple[FieldSpecifier, ...]
    scopes: int
    fixed: Struct | None
    least: int
    since_ns: int

    @property
    def elements(self) -> tuple[Element, ...]:
        """Return the elements in the order of the fields."""
        return tuple(field.element for field in self.fields)


def make_template(fields: Sequence[FieldSpecifier], scopes: int, since_ns: int, source: str) -> Template:
    """Return a template of ``fields``. Raises MalformedInput for one whose records would have no octets."""
    if not fields:
        raise MalformedInput(source, "template has no fields")
    if len(fields) > MOST_FIELDS:
        raise MalformedInput(source, f"template has {len(fields)} fields, more than {MOST_FIELDS}")
    least = sum(1 if field.length == VARIABLE else field.length for field in fields)
    if least == 0:
        raise MalformedInput(source, "template whose fields all have length zero")
    if least > _MOST_RECORD:
        raise MalformedInput(source, "template longer than any message")
    fixed = None
    if all(field.length != VARIABLE for field in fields):
        fixed = Struct("!" + "".join(_CODES.get(field.length, f"{field.length}s") for field in fields))
    return Template(tuple(fields), scopes, fixed, least, since_ns)


def records(
    template: Template, octets: bytes, start: int, end: int, source: str
) -> Iterator[tuple[object, ...]]:
    """Yield the records of a data set between ``start`` and ``end``; what is left over is padding.

    Values are numbers for fields of 1, 2, 4 and 8 octets and bytes for others. Raises MalformedInput for a
    variable-length field that overruns the set (RFC 7011 section 7).
    """
    fixed = template.fixed
    if fixed is not None:
        size = fixed.size
        for at in range(start, end - size + 1, size):
            yield fixed.unpack_from(octets, at)
        return
    while end - start >= template.least:
        if end - start < 4 and not any(octets[start:end]):
            return  # RFC 7011 3.3.1: padding is shorter than any record, but variable ones may be tiny
        values, start = _variable_record(template, octets, start, end, source)
        yield values


def _variable_record(
    template: Template, octets: bytes, at: int, end: int, source: str
) -> tuple[tuple[object, ...], int]:
    values: list[object] = []
    for field in template.fields:
        length = field.length
        if length == VARIABLE:
            if at >= end:
                raise MalformedInput(source, "record is cut short", at)
            length = octets[at]
            at += 1
            if length == 255:
                if at + 2 > end:
                    raise MalformedInput(source, "length of a field is cut short", at)
                length = int.from_bytes(octets[at : at + 2], "big")
                at += 2
        if at + length > end:
            raise MalformedInput(source, "field overruns its set", at)
        body = octets[at : at + length]
        fixed_number = field.length in _CODES
        values.append(int.from_bytes(body, "big") if fixed_number else body)
        at += length
    return tuple(values), at


class Held(msgspec.Struct, frozen=True):
    """A data set that waits: its octets, and what its message said of the exporter's clock."""

    octets: bytes
    base_ns: int
    uptime: int | None
    skew_ns: int


class TemplateCache:
    """Templates of one exporter by (domain, template id), and data sets that came before theirs.

    Data that came first is held for the template, at most ``MOST_HELD`` sets and ``MOST_HELD_OCTETS``.
    """

    MOST_HELD = 256
    MOST_HELD_OCTETS = 1 << 18

    def __init__(self) -> None:
        self._templates: OrderedDict[tuple[int, int], Template] = OrderedDict()
        self._held: OrderedDict[tuple[int, int], list[Held]] = OrderedDict()
        self._fields = 0
        self._held_sets = 0
        self._held_octets = 0
        self.forgotten = 0

    def __len__(self) -> int:
        return len(self._templates)

    def put(self, domain: int, number: int, template: Template) -> None:
        """Keep a template; a former one of the same number is replaced."""
        key = (domain, number)
        self._forget(key)
        self._templates[key] = template
        self._fields += len(template.fields)
        while len(self._templates) > MOST_TEMPLATES or self._fields > MOST_FIELDS_KEPT:
            self._forget(next(iter(self._templates)))
            self.forgotten += 1

    def _forget(self, key: tuple[int, int]) -> None:
        template = self._templates.pop(key, None)
        if template is not None:
            self._fields -= len(template.fields)

    def get(self, domain: int, number: int, oldest_ns: int | None = None) -> Template | None:
        """Return a template that was stated since ``oldest_ns``, or None."""
        key = (domain, number)
        template = self._templates.get(key)
        if template is None:
            return None
        if oldest_ns is not None and template.since_ns < oldest_ns:
            self._forget(key)
            return None
        self._templates.move_to_end(key)
        return template

    def withdraw(self, domain: int, number: int | None = None, *, options: bool = False) -> None:
        """Forget one template, or all (options) templates of a domain (RFC 7011 8.1)."""
        if number is not None:
            self._forget((domain, number))
            return
        for key in [k for k, t in self._templates.items() if k[0] == domain and bool(t.scopes) is options]:
            self._forget(key)

    def hold(self, domain: int, number: int, held: Held) -> int:
        """Hold a data set for its template; return how many sets had to be let go for that."""
        self._held.setdefault((domain, number), []).append(held)
        self._held_sets += 1
        self._held_octets += len(held.octets)
        gone = 0
        while self._held and (self._held_sets > self.MOST_HELD or self._held_octets > self.MOST_HELD_OCTETS):
            key = next(iter(self._held))
            sets = self._held[key]
            oldest = sets.pop(0)
            self._held_sets -= 1
            self._held_octets -= len(oldest.octets)
            gone += 1
            if not sets:
                del self._held[key]
        return gone

    def release(self, domain: int, number: int) -> list[Held]:
        """Return the sets that waited for a template."""
        sets = self._held.pop((domain, number), [])
        self._held_sets -= len(sets)
        self._held_octets -= sum(len(held.octets) for held in sets)
        return sets

    def abandon(self) -> int:
        """Let all held sets go and return how many they were."""
        gone = self._held_sets
        self._held.clear()
        self._held_sets = self._held_octets = 0
        return gone
