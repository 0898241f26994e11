"""What an answer about a device rests on: from anything a page shows to facts that were heard or said.

Pages and findings name evidence in several ways: facts of the ledger, answers at other levels, conversations
in words, parts of a place, names. :func:`grounds_of` follows one step; whoever repeats it comes to facts that
were heard (in the ledger, or concluded from traffic and addresses) or to what somebody said.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator

import msgspec

from medwarden.inventory.declared import is_called
from medwarden.inventory.places import SWITCH
from medwarden.inventory.shared_evidence import PREFIX, told_by
from medwarden.knowledge.fingerprints.rules import LEVELS
from medwarden.knowledge.makers import short_name
from medwarden.model.device import Device
from medwarden.model.evidence import LedgerEntry
from medwarden.model.place import PARTS, PlaceBasis, PlanKey

PLAN = "plan."
"""Begins a field that names a row of the hospital's plan: ``plan.switch_port``."""

ADDRESSES = ("mac", "ip", "vlan")
"""Fields that name an address of the device itself."""

_SERVICE = re.compile(r"\b((?:tcp|udp)/\d{1,5})\b")
_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}", re.IGNORECASE)
_PATIENT_DATA = ".patient_data"
_SAME = {"version": ("firmware", "os_version"), "product": ("model",), "platform": ("os",), "phi": ()}
"""What comparisons with the world's knowledge call a level."""


class Ground(msgspec.Struct, frozen=True):
    """One thing an answer rests on: evidence field and value, and in words how (empty: as it was heard)."""

    field: str
    value: str
    words: str = ""


def heard(device: Device, field: str, value: str) -> bool:
    """Tell whether the ledger of ``device`` has this very fact."""
    return any(e.field == field and e.value == value for e in device.ledger)


def grounds_of(device: Device, field: str, value: str) -> tuple[Ground, ...]:
    """Return what ``field`` = ``value`` rests on; empty where it is a fact itself, or nothing is known.

    ``device`` is complete. A value may be cut short or in words of a finding's own.
    """
    if heard(device, field, value):
        return ()
    found = dict.fromkeys(_grounds(device, field, value))
    found.pop(Ground(field, value), None)
    return tuple(found)


def levels_meant(field: str) -> tuple[str, ...]:
    """Return the levels that a field of an answer or a comparison stands for; none where it is no level."""
    return (field,) if field in LEVELS else _SAME.get(field, ())


def part_of_place(field: str) -> str | None:
    """Return the part of a place that a field stands for, empty for the whole, None where it is no place."""
    if field in ("place", "location"):
        return ""
    part = field.removeprefix("place.")
    return part if part in PARTS else None


def _grounds(device: Device, field: str, value: str) -> Iterator[Ground]:
    part = part_of_place(field)
    if field in LEVELS:
        yield from _of_level(device, field)
    elif field in _SAME:
        yield from _of_comparison(device, field, value)
    elif field == "name":
        yield from (Ground(e.field, e.value) for e in device.ledger if is_called(e, value))
    elif part is not None:
        yield from _of_place(device, part)
    elif field in ("conversation", "service"):
        if service := _SERVICE.search(value):
            asks = field == "conversation" and value.startswith("to ")
            yield Ground("flow.client_of" if asks else "flow.serves", service[1])
    elif field in ("subnet", "segment"):
        yield from _of_subnet(device, value.partition(": ")[0])
    elif field == PREFIX:
        yield from (Ground("mac", mac) for mac in device.macs if mac.startswith(value))
    elif field == "peer":
        if service := _SERVICE.search(value):
            yield Ground("flow.client_of", service[1])
    elif field in ("mac", "ip") and " " in value:
        yield from (Ground(field, address) for address in value.split() if _is_whole(field, address))
    elif "." not in field:
        same = value.casefold()
        yield from (Ground(e.field, e.value) for e in device.ledger if e.value.casefold() == same != "")
    else:
        yield from (Ground(e.field, e.value) for e in _meant(device, field, value))


def _is_whole(field: str, address: str) -> bool:
    """Tell whether an address is one: the last of a list that was cut is not."""
    if field == "mac":
        return bool(_MAC.fullmatch(address))
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True


def _of_level(device: Device, level: str) -> Iterator[Ground]:
    verdict = device.verdict(level)
    for ballot in () if verdict is None else verdict.ballots:
        if verdict is not None and (verdict.label is None or ballot.label == verdict.label):
            yield Ground(ballot.evidence_field, ballot.evidence_value, f"{ballot.rule} says {ballot.label}")


def _of_comparison(device: Device, field: str, value: str) -> Iterator[Ground]:
    if field == "phi":
        yield from (
            Ground(e.field, e.value)
            for e in device.ledger
            if e.field.endswith(_PATIENT_DATA) and e.value == "yes"
        )
        return
    levels = _SAME[field]
    said = [level for level in levels if value and getattr(device, level) == value]
    for level in said or levels:
        if getattr(device, level) is not None:
            yield Ground(level, str(getattr(device, level)))


def _of_place(device: Device, part: str) -> Iterator[Ground]:
    for basis in () if device.place is None else device.place.basis:
        if part in ("", basis.part):
            yield from grounds_of_basis(device, basis)


def grounds_of_basis(device: Device, basis: PlaceBasis) -> Iterator[Ground]:
    """Yield what a part of a place rests on: facts that were heard, then the plan's row where one decided."""
    if basis.plan is PlanKey.SWITCH_PORT:
        for entry in device.ledger:  # one row is found by two facts: a port counts only with its switch
            port = entry.field == basis.field and basis.evidence.endswith(f" {entry.value}")
            if port or (entry.field in SWITCH and basis.evidence.startswith(f"{entry.value} ")):
                yield Ground(entry.field, entry.value, f"the {basis.part} follows from it")
    else:
        yield Ground(basis.field, basis.evidence, f"the {basis.part} follows from it")
    if basis.plan is not None:
        yield Ground(f"{PLAN}{basis.plan.value}", basis.evidence, f"the plan names the {basis.part}")


def _of_subnet(device: Device, text: str) -> Iterator[Ground]:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return
    for ip in device.ips:
        if ipaddress.ip_address(ip) in network:
            yield Ground("ip", ip, "an address in it")
    for entry in device.ledger:
        if entry.field == "dhcp.subnet_mask":
            yield Ground(entry.field, entry.value, "its size")


def _meant(device: Device, field: str, value: str) -> Iterable[LedgerEntry]:
    """Return the facts of a field that a value which none of them has word for word must mean.

    It may be cut, in other letter case, a maker's short name, have words around it, or be without what
    is of one device alone.
    """
    told = [e for e in device.ledger if e.field == field]
    low = value.strip().casefold()
    if not low:
        return told
    for fits in (
        lambda e: e.value.strip().casefold() == low,
        lambda e: e.value.casefold().startswith(low),
        lambda e: bool(e.value.strip()) and low.startswith(e.value.casefold()),
        lambda e: bool(e.value.strip()) and e.value.casefold() in low,
        lambda e: short_name(e.value).casefold() == low,
    ):
        if found := [e for e in told if fits(e)]:
            return found
    return told_by(device, (field, value))
