"""Votes that are weakened because the device is likely not what it sounds like.

Three ways to sound like something else: a scanner or monitoring system speaks to everything as a client of
it; a PC runs a program that emulates a bedside device; and two systems of different families behind one
address (a docking station, a shared connection, two systems on one disk) each say what they are. None of
these votes is wrong in itself, so they are not dropped but weigh less: the answer climbs or stays open.
"""

from __future__ import annotations

import re
from collections import defaultdict

import msgspec

from medwarden.inventory.ballots import lineage
from medwarden.knowledge.fingerprints.rules import TRUST
from medwarden.model.device import Ballot, Device

_FAMILIES = (
    frozenset({104, 2575, 2761, 2762, 11112, 24105, 8042}),  # imaging and clinical messages
    frozenset({102, 502, 4840, 20000, 44818, 47808, 1911}),  # plant
    frozenset({515, 631, 9100}),  # printing
    frozenset({554, 8554, 37777, 8000}),  # cameras
    frozenset({21, 22, 23, 3389, 5900}),  # log-in
    frozenset({5060, 5061, 1720, 2000}),  # telephony
)
_MANY_FAMILIES = 4
_SCANNERS = ("nmap scripting engine", "nessus", "openvas", "qualys", "nikto", "masscan", "zgrab", "censys")
_CLIENT_WORDS = ("_scu", "client", "manager", "master", "host")
_AGENTS = frozenset({"http.user_agent", "rtsp.user_agent", "sip.user_agent"})
_PC = frozenset({"kerberos.host", "ntlmssp.workstation"})
_PC_AGENTS = ("microsoft ncsi", "windows nt")
_BEDSIDE = frozenset(
    {
        *("patient_monitor", "infusion_pump", "syringe_pump", "pca_pump", "enteral_pump", "ventilator"),
        *("anesthesia_machine", "dialysis", "incubator", "infant_warmer", "defibrillator", "pulse_oximeter"),
        *("vitals_monitor", "fetal_monitor", "poc_device", "cgm_poc_glucose", "blood_gas"),
    }
)
_IMPLEMENTATION = frozenset({"dicom.implementation_class_uid", "dicom.implementation_version_name"})
_TOOLKIT = re.compile(
    r"^(?:1\.2\.40\.0\.13\.1|1\.2\.276\.0\.7230010\.3|1\.2\.826\.0\.1\.3680043\.(?:9\.3811|8\.1057|2\.1143))\."
    r"|^(?:dcm4che|OFFIS_DCMTK|PYNETDICOM|FO-DICOM|GDCM)",
    re.IGNORECASE,
)
"""dcm4che, DCMTK, pynetdicom, fo-dicom and GDCM, which are built into devices of any maker and kind."""
_MODEST = TRUST["likely"]
_WEAK = 0.1
"""Hardly more than a coin: several such votes together do not answer anything."""


def looks_around(device: Device) -> bool:
    """Tell whether a device, as a client, speaks to four kinds of equipment that have no user in common."""
    ports = {talk.port for talk in device.conversations if talk.role == "client" and talk.port}
    if sum(bool(ports & family) for family in _FAMILIES) >= _MANY_FAMILIES:
        return True
    return any(
        entry.field in _AGENTS and any(name in entry.value.lower() for name in _SCANNERS)
        for entry in device.ledger
    )


def runs_a_desktop(device: Device) -> bool:
    """Tell whether somebody's Windows desktop of a domain runs there: no pump or monitor joins one."""
    fields = {entry.field for entry in device.ledger}
    return fields >= _PC and any(
        entry.field == "http.user_agent" and entry.value.lower().startswith(("mozilla", "microsoft ncsi"))
        and any(word in entry.value.lower() for word in _PC_AGENTS)
        for entry in device.ledger
    )  # fmt: skip


def doubted(device: Device, ballots: list[Ballot]) -> list[Ballot]:
    """Return the votes, those weakened that rest on what the device may only be imitating.

    ``device`` holds its own words only.
    """
    scanner = desktop = None
    shared = _families_by_class(ballots)
    found = []
    for ballot in ballots:
        limit = ballot.weight
        if ballot.evidence_field in _IMPLEMENTATION and _TOOLKIT.match(ballot.evidence_value):
            limit = _WEAK
        if _as_client(ballot):
            scanner = looks_around(device) if scanner is None else scanner
            limit = min(limit, _WEAK) if scanner else limit
        if ballot.level == "category" and ballot.label in _BEDSIDE and ballot.weight > _MODEST:
            desktop = runs_a_desktop(device) if desktop is None else desktop
            limit = min(limit, _MODEST) if desktop else limit
        if shared and ballot.level == "os" and ballot.evidence_field == "dhcp.vendor_class":
            limit = min(limit, _MODEST)
        found.append(ballot if limit >= ballot.weight else msgspec.structs.replace(ballot, weight=limit))
    return found


def _as_client(ballot: Ballot) -> bool:
    """Tell whether a vote rests on whom the device speaks to or what program it names while doing so."""
    field = ballot.evidence_field
    if field.endswith(".role"):
        return ballot.evidence_value.endswith(_CLIENT_WORDS)
    return field in ("flow.client_of", "flow.talks_to") or field in _AGENTS


def _families_by_class(ballots: list[Ballot]) -> bool:
    """Tell whether DHCP vendor classes name systems of different families."""
    systems = {b.label for b in ballots if b.level == "os" and b.evidence_field == "dhcp.vendor_class"}
    roots: defaultdict[str, set[str]] = defaultdict(set)
    for system in systems:
        roots[(lineage(system) or [system])[-1]].add(system)
    return len(roots) > 1
