"""What each kind of source cannot tell, by what it declares: with one log alone a report must say so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from medwarden.assessment.result import Gap
from medwarden.model.accounting import InputReport
from medwarden.model.log_source import Tells


class SourceTells(msgspec.Struct, frozen=True):
    """A kind of log by its title and what it can say at all."""

    title: str
    tells: frozenset[Tells]


EVERYTHING = frozenset(Tells)
"""What packets can say."""

_REMEDIES = {
    Tells.HARDWARE_ADDRESS: "DHCP server logs or switch tables (SNMP)",
    Tells.NAME: "DHCP or DNS logs",
    Tells.MAKE_AND_MODEL: "a packet sensor at the devices, or the inventory as a table",
    Tells.OPERATING_SYSTEM: "a packet sensor, or a scanner's report",
    Tells.FIRMWARE: "a packet sensor, or the inventory as a table",
    Tells.SERIAL: "a packet sensor, or the inventory as a table",
    Tells.LOCATION: "switch tables (SNMP), or the inventory as a table",
    Tells.PEERS: "flow records (NetFlow, IPFIX, Zeek)",
    Tells.VOLUME: "flow records (NetFlow, IPFIX, Zeek)",
    Tells.SERVICES: "flow records, or a scanner's report",
    Tells.APPLICATION: "a sensor that reads content (packets, Zeek, Suricata)",
    Tells.CLEAR_TEXT: "a packet sensor",
    Tells.USE: "a packet sensor at the clinical systems",
    Tells.MANAGEMENT: "a packet sensor at the domain controllers",
}


def source_gaps(inputs: Sequence[InputReport], sources: Mapping[str, SourceTells]) -> list[Gap]:
    """Return a statement for every kind of log among ``inputs``; ``seen`` where other inputs make up for it.

    ``sources`` says what each format of an input can tell; formats that are not in it are packets.
    """
    read = [report for report in inputs if report.packets.read or report.records.read]
    kinds = {report.format for report in read}
    found: list[Gap] = []
    for kind in sorted(kinds & sources.keys(), key=lambda kind: sources[kind].title):
        source = sources[kind]
        missing = [told for told in Tells if told not in source.tells]
        others = [sources[k].tells if k in sources else EVERYTHING for k in kinds if k != kind]
        left = [told for told in missing if not any(told in tells for tells in others)]
        found.append(_gap(source, missing, left))
    return found


def _gap(source: SourceTells, missing: Sequence[Tells], left: Sequence[Tells]) -> Gap:
    told = [told for told in Tells if told in source.tells]
    detail = f"It tells {_words(told)}. "
    if missing:
        detail += f"It cannot tell {_words(missing)}. "
    if not left:
        detail += "The other inputs can."
        remedy = "Nothing to do."
    elif len(left) == len(missing):
        detail += "Nothing else was read that could."
        remedy = f"Bring in {_words(dict.fromkeys(_REMEDIES[told] for told in left), '; ')}."
    else:
        detail += f"Of this, {_words(left)} nothing else that was read could tell either."
        remedy = f"Bring in {_words(dict.fromkeys(_REMEDIES[told] for told in left), '; ')}."
    return Gap(f"What {source.title} cannot tell", "seen" if not left else "partly", detail, remedy)


def _words(words: Iterable[str], between: str = ", ") -> str:
    return between.join(words) or "nothing"
