"""The equipment that one HL7 message speaks of: what OBX-18 and PRT say of it, until the message ends.

HL7 v2.8.2 chapter 7.3.4 (PRT-9, 10, 16, 20, 22), chapter 7.4.2 (OBX-3, 5, 18); ISO/IEEE 11073-10101 terms as
IHE PCD (DEC, ACM, PIV, IPEC) sends them.
"""

from __future__ import annotations

import re

import msgspec

from medwarden.dissect.hl7_message import EntityIdentifier, Message, at, entity

MAX_EQUIPMENT = 64
"""Pieces of equipment of one message; a gateway reports one bed, sometimes one ward, at a time."""
MAX_KINDS = 8

_TERM = re.compile(r"MDC_[A-Z0-9_]{2,60}\Z")
_BATTERY = re.compile(r"MDC_(?=\w{4,64}\Z)\w*BATT|BATTERY[_ ]?(?:LEVEL|CHARGE|PERCENT)?\Z")
_NUMBER = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,4})?\Z")
_PERCENT = frozenset({"%", "MDC_DIM_PERCENT", "262688"})
# Terms of the power status attribute (ISO/IEEE 11073-10201 PowerStatus).
_POWER = {
    "onmains": "mains",
    "onbattery": "battery",
    "chargingfull": "charging",
    "chargingtrickle": "charging",
    "chargingoff": "charged",
}


class Equipment(msgspec.Struct):
    """One piece of equipment: identifier, namespace (its model, as IHE PCD assigns it), EUI-64 and state."""

    identifier: str = ""
    namespace: str = ""
    uid: str = ""
    kinds: list[str] = msgspec.field(default_factory=list)
    serial: str = ""
    udi: str = ""
    type: str = ""
    place: list[str] = msgspec.field(default_factory=list)
    battery: str = ""
    power: str = ""

    @property
    def named(self) -> bool:
        """Tell whether the message says which one it is."""
        return bool(self.identifier or self.uid)

    def take_name(self, named: EntityIdentifier) -> None:
        """Give a piece of equipment spoken of before the name it turns out to have."""
        self.identifier, self.namespace, self.uid = named.identifier, named.namespace, named.uid


class EquipmentOfMessage:
    """Collects what the segments of one message say of equipment.

    ``implant``: the message is about a patient's implant (IHE IDCO), whose number is as good as a name.
    """

    __slots__ = ("_current", "all", "events", "implant", "terms")

    def __init__(self) -> None:
        self.all: list[Equipment] = []
        self.events: dict[str, None] = {}
        self.terms = False
        self.implant = False
        self._current: Equipment | None = None

    def observation(self, fields: list[bytes], message: Message) -> None:
        """Read OBX: the kind of equipment in OBX-3, the equipment itself in OBX-18."""
        subject = message.components(at(fields, 3))
        named = self._named(at(fields, 18), message)
        kinds = [term for term in subject if term.startswith("MDC_DEV_") and _TERM.match(term)]
        self.terms = self.terms or any(_TERM.match(term) for term in subject)
        self.implant = self.implant or any(term.startswith("MDC_IDC_") for term in subject)
        if named:
            self._current = named[0]
        elif kinds and (self._current is None or (self._current.kinds and kinds[0].endswith("_MDS"))):
            self._current = self._add(Equipment())
        current = self._current
        if current is not None and len(current.kinds) < MAX_KINDS:
            current.kinds += [kind for kind in kinds if kind not in current.kinds]
        self._state(subject, fields, message)

    def _state(self, subject: list[str], fields: list[bytes], message: Message) -> None:
        """Read battery, power and events of OBX-3 and OBX-5."""
        value = message.components(at(fields, 5))
        for term in (*subject, *value):
            if term.startswith("MDC_EVT_") and _TERM.match(term) and len(self.events) < 16:
                self.events[term] = None
        about = next((term for term in subject if _TERM.match(term) or _BATTERY.match(term)), "")
        if _BATTERY.match(about) and _NUMBER.match(value[0]) and float(value[0]) <= 100:
            units = message.components(at(fields, 6))
            if not units[0] or not _PERCENT.isdisjoint(units):
                current = self._current or self._add(Equipment())
                self._current, current.battery = current, f"{int(float(value[0])) // 10 * 10}"
        elif about == "MDC_ATTR_POWER_STAT" or "POWER_STATUS" in about:
            for word in value:
                if (power := _POWER.get(word.lower())) and self._current is not None:
                    self._current.power = power

    def participation(self, fields: list[bytes], message: Message) -> None:
        """Read PRT of a device: PRT-10 names it, PRT-9 its place, PRT-16, 20 and 22 say which one it is."""
        if not at(fields, 10):
            return
        current = self._current
        if current is not None and not current.named:
            current.take_name(entity(message.repetitions(at(fields, 10))[0], message))
        named = self._named(at(fields, 10), message)
        self._current = current = named[0] if named else current
        if current is None:
            return
        current.place = message.place(at(fields, 9)) or current.place
        current.udi = message.first(at(fields, 16)) or current.udi
        current.serial = message.first(at(fields, 20)) or current.serial
        kind = message.components(at(fields, 22))
        current.type = next((part for part in (*kind[1:2], kind[0]) if part), current.type)

    def _named(self, value: bytes, message: Message) -> list[Equipment]:
        found: list[Equipment] = []
        for repetition in message.repetitions(value):
            name = entity(repetition, message)
            if not name.identifier and not name.uid:
                continue
            known = next(
                (e for e in self.all if (e.identifier, e.uid) == (name.identifier, name.uid)),
                None,
            )
            if known is None:
                known = self._add(Equipment())
                known.take_name(name)
            found.append(known)
        return found

    def _add(self, equipment: Equipment) -> Equipment:
        if len(self.all) < MAX_EQUIPMENT:
            self.all.append(equipment)
        return equipment
