"""Lists of ends of support: what is held to when they are read, and seeds of them."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from fuzz.engine import Finding
from fuzz.equipment_seeds import workbook

from medwarden.knowledge.support_dates import shipped_dates
from medwarden.model.life_cycle import EndOfSupport
from medwarden.risk.lifecycle.engine import Notices
from medwarden.risk.matching.profile import Profile
from medwarden.sensors.support_list import read_support_list

_MOST_CELL = 4_000


def _read(data: bytes) -> Hashable:
    """Read a list and compare its first rows with a device of each: whatever it says, an answer comes."""
    read = read_support_list(data, "fuzz")
    for end in read.ends:
        texts = (end.vendor, end.model, end.version, end.url)
        if not end.model or any(len(text) > _MOST_CELL or not text.isprintable() for text in texts if text):
            raise Finding(f"line {end.line} says {texts!r}")
    for problem in read.problems:
        if problem.line < 1 or not problem.reason or not problem.reason.isprintable():
            raise Finding(f"line {problem.line} has the reason {problem.reason!r}")
    notices = [
        EndOfSupport(f"n{n}", end.vendor, end.model, end.ending, end.day, "fuzz", end.version)
        for n, end in enumerate(read.ends[:8])
    ]
    said = Notices([*notices, *shipped_dates()[:20]])
    states = []
    for notice in notices:
        for found in said.of(Profile(vendor=notice.vendor, model=notice.model, firmware="1.2")):
            if not found.reason:
                raise Finding(f"{found.notice} says no reason")
            states.append(found.state.value)
    fields = tuple(field for _, field in read.columns)
    return min(len(read.ends), 5), fields, frozenset(p.reason[:14] for p in read.problems), tuple(states[:4])


SUPPORT_TARGETS: dict[str, Callable[[bytes], Hashable]] = {
    "support_list": _read,
    "support_sheet": lambda data: _read(workbook(data)),
}
SUPPORT_MODULES = ("medwarden.sensors.support_list", "medwarden.risk.lifecycle.engine")

_ROWS = b"Maker,Model,Version,End of sale,End of support,Link\n"
SUPPORT_SEEDS: dict[str, dict[str, bytes]] = {
    "support_list": {
        "columns": _ROWS + b"Philips,IntelliVue MP50,,2018-12-31,31.12.2024,https://example.org/a\n"
        b"Hospira,Plum A+,< 13.4,,2023-06-30,\nAcme,,,,2024-01-01,\nAcme,Pump,,,soon,\n",
        "milestones": b"Vendor;Product;Milestone;Date\nCisco;ISR4331/K9;End of Sale (EoS);2023-11-07\n"
        b"Cisco;ISR4331;Last Date of Support;11/30/2028\nCisco;Catalyst 2960 Series;EOL;30 Nov 2027\n",
        "german": "Hersteller\tModell\tSupportende\nDräger\tInfinity Delta\t31.12.2022\n".encode("cp1252"),
        "utf16": "model,end of life\nPump 9,45000\n".encode("utf-16"),
        "quoted": _ROWS + b'"Acme\nInc","Pump ""9""",,,2024-02-30,\nAcme,Pump,1,2,3,4,5,6\n\x00,\x00\n',
    },
    "support_sheet": {
        "plain": b'<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        b'<sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>Model</t></is></c><c r="B1" t="inlineStr"><is>'
        b'<t>End of life</t></is></c></row><row r="2"><c r="A2" t="inlineStr"><is><t>Pump 9</t></is></c>'
        b'<c r="B2"><v>45657</v></c></row></sheetData></worksheet>'
    },
}
"""Seeds by the reader that they are for."""
