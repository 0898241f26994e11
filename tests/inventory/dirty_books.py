"""A simulated hospital's equipment as its books would have it: incomplete, mistyped, out of date.

What the network knows of a device is thinned out as sensors thin it; what the books say of it is damaged as
people damage it. Who is who is known from the simulation. The same seed gives the same hospital and dirt.
"""

from __future__ import annotations

import random
from typing import NamedTuple

from medwarden.knowledge.taxonomy import category as category_of
from medwarden.model.book import BookRecord
from medwarden.model.device import Device as Heard
from medwarden.model.device import Verdict
from medwarden.model.evidence import LedgerEntry
from medwarden.model.place import Place
from medwarden.simulation import wire
from medwarden.simulation.device import Device
from medwarden.simulation.hospital import Hospital

START = 1_772_433_600_000_000_000
WORDS = {
    "infusion_pump": ("PUMP, INFUSION", "Infusion pump", "Infusionspumpe", "IV Pump"),
    "syringe_pump": ("PUMP, SYRINGE", "Syringe pump", "Spritzenpumpe"),
    "patient_monitor": ("MONITOR, PHYSIOLOGIC", "Patient monitor", "Patientenmonitor"),
    "ultrasound": ("ULTRASOUND SYSTEM", "Ultraschallgerät", "Ultrasound scanner"),
    "workstation": ("PC", "Workstation", "Desktop computer"),
    "printer": ("Printer", "Drucker"),
}
LEGAL = ("", "", " Inc.", " GmbH", " Medical Systems", " Corporation")
MISREAD = {"O": "0", "0": "O", "1": "I", "I": "1", "8": "B", "B": "8", "5": "S", "S": "5", "2": "Z"}


class Dirty(NamedTuple):
    """A book, what the network knows, and the truth: device id by row key (rows of one device: the first)."""

    rows: list[BookRecord]
    devices: list[Heard]
    truth: dict[str, str]
    clones: dict[str, str]


def dirty_hospital(seed: int, devices: int) -> Dirty:
    """Return the books and the network of a simulated hospital."""
    rng = random.Random(f"dirty {seed}")
    hospital = Hospital(seed, devices, 1.0, START)
    owned = [device for _, device in hospital.devices() if not device.macs[0][0] & 2]
    heard: list[Heard] = []
    rows: list[BookRecord] = []
    truth: dict[str, str] = {}
    clones: dict[str, str] = {}
    departments = [
        f"{name} {n}" for name in ("ICU", "OR", "ED", "Ward", "Lab", "Radiology") for n in (1, 2, 3)
    ]
    for number, device in enumerate(owned):
        department = departments[hash_of(device, len(departments))]
        chance = rng.random()
        if chance < 0.88:
            heard.append(_heard(device, f"d-{number:05d}", department, rng))
            if rng.random() < 0.08:
                continue  # on the network, in no book
        key = f"asset_tag:HM{100000 + number * 7}"
        said = _said(device, f"HM{100000 + number * 7}", department, departments, rng)
        rows.append(BookRecord(key, len(rows) + 2, said))
        if chance < 0.88:
            truth[key] = f"d-{number:05d}"
            if rng.random() < 0.006:  # copied, the tag counted up
                clone = f"asset_tag:HM{900000 + number}"
                rows.append(BookRecord(clone, len(rows) + 2, said | {"asset_tag": f"HM{900000 + number}"}))
                clones[clone] = clones[key] = key
    _slips_between_rows(rows, rng)
    rng.shuffle(rows)
    return Dirty(rows, heard, truth, clones)


def hash_of(device: Device, several: int) -> int:
    return random.Random(device.stays[0].place.room + device.stays[0].place.building).randrange(several)


def _heard(device: Device, identifier: str, department: str, rng: random.Random) -> Heard:
    """Return what sensors would know: not every device says its serial, name or model."""
    kind = category_of(device.category)
    stay = device.stays[-1]
    known = rng.random()
    declares = rng.random() < (0.5 if kind.medical else 0.2)
    category = device.category if known < 0.9 else None
    sure = 0.95 if known < 0.75 else 0.6
    if category is not None and rng.random() < 0.02:
        category, sure = rng.choice(("workstation", "patient_monitor", "server", "printer")), 0.7
    mac = wire.mac_text(stay.end.mac)
    placed = rng.random() < 0.5
    place = stay.place
    ledger: tuple[LedgerEntry, ...] = ()
    if declares:
        ledger = (LedgerEntry("dicom", "dicom.device_serial_number", device.serial, "s", START, START, 3),)
    return Heard(
        id=identifier,
        site="site-1",
        macs=(mac,),
        ips=(wire.dotted(stay.end.ip),),
        names=(device.name,) if device.name and rng.random() < 0.8 else (),
        device_class=kind.device_class,
        category=category,
        vendor=device.model.vendor if known < 0.85 else None,
        model=device.model.name if known < 0.6 else None,
        serial=device.serial if declares else None,
        place=Place(place.building, str(place.floor), place.room, department if rng.random() < 0.6 else None)
        if placed
        else None,
        location=place.text() if placed else None,
        verdicts=(Verdict("category", category, sure),),
        ledger=ledger,
        first_seen=START,
        last_seen=START + 10**12,
    )


def _said(device: Device, tag: str, department: str, others: list[str], rng: random.Random) -> dict[str, str]:
    place = device.stays[-1].place
    moved = rng.random() < 0.12
    said = {
        "asset_tag": tag,
        "vendor": device.model.vendor + rng.choice(LEGAL) if rng.random() < 0.95 else "",
        "model": _model(device.model.name, device.model.vendor, rng) if rng.random() < 0.93 else "",
        "category": rng.choice(WORDS.get(device.category, (device.category.replace("_", " "),))),
        "department": rng.choice(others) if moved else department,
        "building": place.building,
        "room": f"{rng.randrange(1, 5)}.{rng.randrange(10, 60)}" if moved else place.room,
        "serial": _serial(device.serial, rng) if rng.random() < 0.93 else "",
        "status": "retired" if rng.random() < 0.02 else "active",
    }
    if rng.random() < 0.72:
        said["mac"] = _mac(wire.mac_text(device.stays[0].end.mac), rng)
    if rng.random() < 0.35:
        ip = device.stays[-1].end.ip
        said["ip"] = wire.dotted(ip if rng.random() < 0.75 else ip + rng.randrange(-20, 20))
    if device.name and rng.random() < 0.5:
        said["name"] = device.name.lower() if rng.random() < 0.5 else f"{device.name}.clinic.example.org"
    return {field: value for field, value in said.items() if value}


def _serial(serial: str, rng: random.Random) -> str:
    chance = rng.random()
    if chance < 0.07:
        at = [n for n, c in enumerate(serial) if c in MISREAD]
        if at:
            place = rng.choice(at)
            return serial[:place] + MISREAD[serial[place]] + serial[place + 1 :]
    if chance < 0.10:
        return "00" + serial
    if chance < 0.16:
        return rng.choice(("S/N ", "SN: ", "Serial No. ")) + serial
    if chance < 0.20:
        return f"{serial[:4]} {serial[4:]}" if chance < 0.18 else f"{serial[:3]}-{serial[3:]}"
    if chance < 0.225:
        place = rng.randrange(2, len(serial))
        return serial[:place] + rng.choice("0123456789") + serial[place + 1 :]
    return serial


def _mac(mac: str, rng: random.Random) -> str:
    if rng.random() < 0.03:
        digits = mac.replace(":", "")
        at = rng.randrange(6, 11)
        digits = digits[:at] + digits[at + 1] + digits[at] + digits[at + 2 :]
        return ":".join(digits[i : i + 2] for i in range(0, 12, 2))
    return mac


def _model(name: str, vendor: str, rng: random.Random) -> str:
    chance = rng.random()
    if chance < 0.15:
        return name.upper()
    if chance < 0.3:
        return f"{vendor} {name}"
    if chance < 0.4 and " " in name and any(c.isdigit() for c in name.split()[-1]):
        return name.split()[-1]
    if chance < 0.5:
        return "".join(
            f"-{c}" if n and c.isdigit() and name[n - 1].isalpha() else c for n, c in enumerate(name)
        )
    return name


def _slips_between_rows(rows: list[BookRecord], rng: random.Random) -> None:
    """Put one row's serial or MAC into another's, as copying cells and recording docks does."""
    for field, share in (("serial", 0.004), ("mac", 0.007)):
        having = [n for n, row in enumerate(rows) if field in row.said]
        for _ in range(int(len(rows) * share)):
            one, other = rng.sample(having, 2)
            row = rows[other]
            rows[other] = BookRecord(row.key, row.line, row.said | {field: rows[one].said[field]})
