"""Attributes that a hospital defines itself, and rules that fill them."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class AttributeKind(StrEnum):
    """What values an attribute has."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    CHOICE = "choice"
    YES_NO = "yes_no"


class AttributeSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One attribute: its name in filters and exports, title, kind, choices, and roles that may edit values.

    No ``editors`` means every role that may correct identities.
    """

    name: str
    title: str = ""
    kind: AttributeKind = AttributeKind.TEXT
    choices: tuple[str, ...] = ()
    editors: tuple[str, ...] = ()


class Conditions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What must hold of a device; all of it. Several values of one condition are alternatives.

    ``subnet`` are prefixes, ``name`` patterns with * and ? over host names, ``place`` words that the place
    begins with or contains (building, room, department), ``book`` fields of its books and ``evidence``
    evidence fields, both with patterns of their values. Letter case never matters; no condition holds always.
    """

    device_class: tuple[str, ...] = msgspec.field(default=(), name="class")
    category: tuple[str, ...] = ()
    vendor: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    subnet: tuple[str, ...] = ()
    place: tuple[str, ...] = ()
    name: tuple[str, ...] = ()
    book: dict[str, tuple[str, ...]] = {}
    evidence: dict[str, tuple[str, ...]] = {}


class AttributeRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule: which attribute gets which value where the conditions hold. Rules are tried in their order."""

    name: str
    attribute: str
    value: str
    when: Conditions = Conditions()


class Filled(msgspec.Struct, frozen=True):
    """What a rule gave a device: the value, which rule, and why in words."""

    attribute: str
    value: str
    rule: str
    why: str
