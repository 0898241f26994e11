"""A hospital nobody trained on: other models of the same makers, other names, other addresses, drawn by seed.

What is held out of such a hospital, so that recognising it means something:

- every model has an invented name, in all that it says; its web page, product strings, implementation
  version, host name prefix and the end of its implementation UID and SNMP object id are invented with it;
- firmware versions are others;
- a third of the models declares no model or product wherever a standard leaves that to the maker (no DICOM
  model or implementation version, page title, banner, certificate, HL7 equipment or own host name), as
  lesser models of a maker do. What standards require is said, with the invented name: SNMP sysDescr (RFC
  3418), CDP platform, UPnP modelName and SERVER (UDA 1.1), ONVIF scopes, IPP printer-make-and-model (RFC
  8011), the SIP user agent that call servers tell phones by, DPWS ThisModel, POCT1-A and ASTM headers;
- host names follow schemes that no other hospital uses: inventory numbers, places, and codes of two letters
  drawn by seed for each kind, AE titles likewise;
- addresses come from 172.16/12.

Kept are the makers (their names where a product is called like its maker), the prefixes of their
interfaces, the enterprise part of SNMP object ids and UID roots, operating systems, protocols and ports, and
the letters of a maker's series of phones: they are facts of makers and of standards, not of a model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from random import Random
from typing import Any

import msgspec

from medwarden.simulation.catalogue import Model

SILENT = 1 / 3
"""Part of the models that declare nothing of themselves."""

_SYLLABLES = (
    *("ar", "bel", "cor", "dan", "el", "fir", "gan", "hel", "is", "jor", "kal", "lum", "mer", "nor"),
    *("or", "pel", "qua", "ras", "sel", "tor", "ul", "ven", "wex", "yor", "zan"),
)
_DECLARING = frozenset(
    {
        *("dn", "title", "name", "host", "iv", "hl7eq", "cert", "mqtt", "server"),
    }
)
_TOOLKITS = ("1.2.276.0.7230010.3", "1.2.40.0.13", "1.2.826.0.1.3680043.9.3811")
_ENTERPRISE_ARCS = 7
_UID_TAIL = 2
_BUILD = re.compile(r"; (SM-[A-Z])?[^;)]*? Build/[^)\s]+")
_COUNTED = re.compile(r"([A-Za-z]+)\d+,\d+")
_LONG_NUMBER = re.compile(r"\d{3,}")
_NUMBER = re.compile(r"\d+")
_WORD = re.compile(r"[0-9A-Za-z]+(?:[-/.][0-9A-Za-z]+)*")
_PART = re.compile(r"[A-Za-z]+|[0-9]+|[^A-Za-z0-9 _-]+")


def unfamiliar(known: Mapping[str, tuple[Model, ...]], seed: int) -> dict[str, tuple[Model, ...]]:
    """Return the catalogue with other models of the same makers; the same seed gives the same ones."""
    return {
        category: tuple(_other(model, _rng(seed, category, number)) for number, model in enumerate(rows))
        for category, rows in known.items()
    }


def _rng(seed: int, category: str, number: int) -> Random:
    return Random(f"{seed}/unfamiliar/{category}/{number}")  # noqa: S311 - a simulation must be repeatable


def invented(rng: Random) -> str:
    """Return a product name: two or three syllables and a number."""
    word = "".join(rng.choice(_SYLLABLES) for _ in range(rng.choice((2, 2, 3)))).capitalize()
    return f"{word} {rng.choice('ABCDEKMXZ')}{rng.randrange(10, 990)}"


def _other(model: Model, rng: Random) -> Model:
    name = _next_of_series(model, rng) or invented(rng)
    named_after_its_maker = model.name == model.vendor
    silent = rng.random() < SILENT
    facts: dict[str, Any] = {}
    for key, value in model.facts.items():
        if silent and key in _DECLARING:
            continue
        facts[key] = value if named_after_its_maker else _said(key, value, model, name, rng)
    firmware = tuple(_NUMBER.sub(lambda m: _digits(m.group(), rng), version) for version in model.firmware)
    if silent:
        facts.setdefault("title", "Login")
        facts.setdefault("dn", "")
        facts.setdefault("hl7eq", "DEVICE")
    systems = tuple(
        msgspec.structs.replace(system, dhcp_class=_renamed(system.dhcp_class, model, name))
        for system in model.systems
    )
    return msgspec.structs.replace(model, name=name, facts=facts, firmware=firmware, systems=systems)


def _next_of_series(model: Model, rng: Random) -> str:
    """Return another identifier of a series that a maker counts on (``MacBookPro19,2``); empty for others."""
    series = _COUNTED.fullmatch(model.name)
    return f"{series.group(1)}{rng.randrange(20, 40)},{rng.randrange(1, 9)}" if series else ""


def _digits(old: str, rng: Random) -> str:
    return "".join(rng.choice("0123456789" if place else "123456789") for place in range(len(old)))


def _said(key: str, value: object, model: Model, name: str, rng: Random) -> object:
    if isinstance(value, list):
        return [_said("", part, model, name, rng) for part in value]
    if not isinstance(value, str):
        return value
    if key in ("dn", "title", "iv_model", "cast", "print", "hl7eq", "sdc", "infinity"):
        return name
    if key == "iv":
        return f"{name.split()[0].upper()}_{rng.randrange(10, 99)}"
    if key in ("name", "host"):
        return name.split()[0][:5].upper()
    if key == "uid":
        return value if value.startswith(_TOOLKITS) else _renumbered(value, _UID_TAIL, rng)
    if key == "oid":
        arcs = value.split(".")
        own = [str(rng.randrange(1, 90)) for _ in arcs[_ENTERPRISE_ARCS:]]
        return ".".join([*arcs[:_ENTERPRISE_ARCS], *own])
    if key == "agent":
        series = _BUILD.search(value)
        code = f"{series.group(1)}{rng.randrange(100, 999)}" if series and series.group(1) else name
        built = f"; {code.replace(' ', '-')} Build/{rng.randrange(10**5, 10**6)}"
        return _renamed(_BUILD.sub(built, value), model, name)
    return _renamed(value, model, name)


def _renumbered(uid: str, arcs: int, rng: Random) -> str:
    parts = uid.split(".")
    kept = max(4, len(parts) - arcs)
    return ".".join([*parts[:kept], *(str(rng.randrange(1, 9000)) for _ in parts[kept:])])


def _in_any_spelling(name: str) -> str:
    """Return a pattern of a name however its words, letters and digits are joined: VVX410 is VVX_410, too."""
    parts: list[str] = _PART.findall(name)
    return "[ _-]?".join(map(re.escape, parts))


def _renamed(text: str, model: Model, name: str) -> str:
    """Return text with the model's name, and each of its words that is no plain word, put as the new name."""
    text = re.sub(_in_any_spelling(model.name), name, text, flags=re.IGNORECASE)
    for word in _WORD.findall(model.name):
        if any(c.isdigit() for c in word) and len(word) > 1:
            whole = rf"(?<![0-9A-Za-z]){re.escape(word)}(?![0-9A-Za-z])"
            text = re.sub(whole, name.split()[-1], text, flags=re.IGNORECASE)
            for number in _LONG_NUMBER.findall(word):
                text = re.sub(rf"(?<![0-9.]){number}(?![0-9.])", name.split()[-1], text)
    return text
