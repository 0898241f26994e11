"""Whether a device is one of the units that a notice limits itself to."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from medwarden.model.vulnerability import Aspect, VersionSpan
from medwarden.risk.matching.version_places import Place, place
from medwarden.risk.matching.versions import read_versions, span_words
from medwarden.risk.recalls.codes import Limits
from medwarden.risk.recalls.days import Days, widest
from medwarden.risk.recalls.facts import DeviceFacts, Said
from medwarden.risk.recalls.serials import CodeList, Placed, key
from medwarden.risk.recalls.serials import place as place_code

_SHOWN = 3


class Units(msgspec.Struct, frozen=True):
    """What came of comparing a device with the limits of a notice.

    ``agrees``: it is one of the units, it is none, or it cannot be told. ``named``: its own lot or serial
    number stands there. ``missing`` are facts of the device that would settle it, ``unread`` why the notice
    itself leaves it open.
    """

    agrees: bool | None
    named: bool = False
    missing: tuple[str, ...] = ()
    unread: str = ""
    aspects: tuple[Aspect, ...] = ()


class _Judged(msgspec.Struct, frozen=True):
    agrees: bool | None
    aspect: Aspect
    missing: str = ""
    named: bool = False


def judge_units(facts: DeviceFacts, limits: Limits) -> Units:
    """Compare a device with what a notice limits itself to: units, and firmware."""
    units = _of_units(facts, limits)
    firmware = _firmware(facts.firmware, limits)
    aspects = tuple(judged.aspect for judged in (*units, *((firmware,) if firmware else ())))
    missing = tuple(judged.missing for judged in units if judged.missing)
    named = any(judged.named for judged in units)
    agrees, told = _together(units, firmware)
    unread = "" if agrees is not None else _unread(limits, units)
    if agrees is None and firmware is not None and firmware.missing and not units:
        missing = (firmware.missing,)
    if not units and firmware is None:
        return _unlimited(limits)
    return Units(agrees, named, missing if agrees is None else (), told or unread, aspects)


def _together(units: Sequence[_Judged], firmware: _Judged | None) -> tuple[bool | None, str]:
    """Return what units and firmware say together, and a word where the two contradict each other."""
    if not units:
        return (firmware.agrees if firmware is not None else None), ""
    own = True if any(j.agrees for j in units) else None if any(j.agrees is None for j in units) else False
    if firmware is None or firmware.agrees is None or own is firmware.agrees:
        return own, ""
    if own is True:
        return (
            None,
            "the unit is named, but its firmware is none of those named: perhaps it was corrected already",
        )
    if own is False:
        return None, "its firmware is one of those named, but the unit is not"
    return None, ""


def _unlimited(limits: Limits) -> Units:
    if limits.every or limits.lots.every or limits.serials.every or (limits.said and limits.whole):
        what = "all units" if limits.every or limits.lots.every or limits.serials.every else "no single units"
        return Units(True, aspects=(Aspect("units", True, "", "", what, f"the notice names {what}"),))
    if not limits.said:
        why = "the notice does not say which units are meant"
    elif limits.cut:
        why = "the notice's list is longer than what is kept of it"
    else:
        why = f"the notice says which units in words that could not be read: {'; '.join(limits.unread[:2])}"
    return Units(None, unread=why, aspects=(Aspect("units", None, "", "", "", why),))


def _unread(limits: Limits, units: Sequence[_Judged]) -> str:
    if any(judged.missing for judged in units):
        return ""
    pieces = (*limits.serials.unread, *limits.lots.unread, *limits.bare.unread, *limits.unread)
    if limits.cut:
        return "the notice's list is longer than what is kept of it"
    return f"part of the notice's list could not be read: {'; '.join(pieces[:2])}" if pieces else ""


def _of_units(facts: DeviceFacts, limits: Limits) -> list[_Judged]:
    found = []
    if limits.serials.limits:
        found.append(_coded("serial", "serial number", facts.serials, limits.serials, limits))
    if limits.lots.limits:
        found.append(_coded("lot", "lot", facts.lots, limits.lots, limits))
    if limits.bare.limits and not found:
        found.append(
            _coded("serial", "serial number or lot", (*facts.serials, *facts.lots), limits.bare, limits)
        )
    if limits.made:
        found.append(_made(facts, limits.made))
    return found


def _coded(name: str, words: str, mine: Sequence[Said], listed: CodeList, limits: Limits) -> _Judged:
    shown = _list_words(listed)
    if not mine:
        why = f"the notice names single units, and the device's {words} is not known"
        return _Judged(None, Aspect(name, None, "", "", shown, why), missing=words)
    places: list[tuple[Said, Placed]] = [(said, place_code(said.value, listed)) for said in mine]
    said, found = next((pair for pair in places if pair[1].inside), places[0])
    if found.inside:
        how = "stands in the list" if found.single else f"is one of {found.named}"
        why = f"the {words} {said.value} {how}"
        return _Judged(True, Aspect(name, True, said.value, said.field, found.named, why), named=True)
    open_ends = [pair for pair in places if pair[1].inside is None]
    if open_ends:
        said, found = open_ends[0]
        near = (
            f"may be meant by {found.named}"
            if found.named
            else "may stand in the part that could not be read"
        )
        why = f"the {words} {said.value} {near}"
        return _Judged(None, Aspect(name, None, said.value, said.field, shown, why))
    if not limits.whole:
        why = f"the {words} {said.value} is not among those that could be read"
        return _Judged(None, Aspect(name, None, said.value, said.field, shown, why))
    why = f"the {words} {said.value} is none of those named"
    return _Judged(False, Aspect(name, False, said.value, said.field, shown, why))


def _list_words(listed: CodeList) -> str:
    shown = [run.words for run in listed.runs[:_SHOWN]] + sorted(listed.singles)[:_SHOWN]
    more = len(listed.runs) + len(listed.singles) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _made(facts: DeviceFacts, days: Sequence[Days]) -> _Judged:
    shown = ", ".join(each.words for each in days[:_SHOWN])
    if not facts.made:
        early = _bought_before(facts, days)
        if early is not None:
            why = f"it was bought on {early.value}, before the first of the days of manufacture named"
            return _Judged(False, Aspect("made", False, early.value, early.field, shown, why))
        why = "the notice names days of manufacture, and the device's is not known"
        return _Judged(None, Aspect("made", None, "", "", shown, why), missing="date of manufacture")
    said = facts.made[0]
    found = [each.has(said.value) for each in days]
    agrees = True if True in found else None if None in found else False
    how = {True: "is among", False: "is none of", None: "may be among"}[agrees]
    why = f"the day of manufacture {said.value} {how} those named ({shown})"
    return _Judged(agrees, Aspect("made", agrees, said.value, said.field, shown, why))


def _bought_before(facts: DeviceFacts, days: Sequence[Days]) -> Said | None:
    firsts = [each.first for each in days]
    if not facts.bought or None in firsts:
        return None
    bought = facts.bought[0]
    return bought if all(first and widest(bought.value)[1] < first for first in firsts) else None


def _firmware(mine: Sequence[Said], limits: Limits) -> _Judged | None:
    spans = tuple(span for reading in limits.firmware for span in reading.spans if span != VersionSpan())
    if not spans:
        return None
    shown = ", ".join(span_words(span) for span in spans[:_SHOWN]) + (
        f" and {len(spans) - _SHOWN} more" if len(spans) > _SHOWN else ""
    )
    if not mine:
        why = "the notice names firmware versions, and the device's is not known"
        return _Judged(None, Aspect("firmware", None, "", "", shown, why), missing="firmware version")
    said = mine[0]
    where = place(said.value, spans)
    agrees = True if where is Place.IN else None if where is Place.UNKNOWN or not limits.whole else False
    how = {True: "is one of", False: "is none of", None: "cannot be compared with"}[agrees]
    why = f"the firmware {said.value} {how} those named ({shown})"
    return _Judged(agrees, Aspect("firmware", agrees, said.value, said.field, shown, why))


def limits_of_fields(
    lots: Sequence[str],
    serials: Sequence[str],
    runs: CodeList,
    spans: Sequence[VersionSpan],
    version: str,
    made: Sequence[Days],
    text: Limits,
) -> Limits:
    """Return the limits of a text together with those that stand in fields of their own."""
    readings = list(text.firmware)
    if spans:
        readings.append(msgspec.structs.replace(read_versions("1"), spans=tuple(spans)))
    if version:
        readings.append(read_versions(version))
    return msgspec.structs.replace(
        text,
        lots=text.lots.joined(CodeList(singles=frozenset(key(lot) for lot in lots))),
        serials=text.serials.joined(CodeList(singles=frozenset(key(each) for each in serials))).joined(runs),
        firmware=tuple(readings),
        made=(*text.made, *made),
    )
