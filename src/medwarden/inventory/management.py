"""Whether the IT department manages a device: yes, no or not known, each with what says so.

Votes for yes come from fingerprints (directory, update servers, agents, device management). Votes for no
come from here: kinds of devices that no directory or agent takes in, and signs of a computer by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from medwarden.inventory.ballots import decide
from medwarden.knowledge.fingerprints.rules import TRUST
from medwarden.model.device import Ballot, Device, DeviceClass, Verdict

LEVEL = "managed"
_EMBEDDED = frozenset({"Embedded Linux", "RTOS", "VxWorks", "QNX", "eCos", "webOS", "tvOS", "IGEL OS"})
_WORKGROUPS = frozenset({"workgroup", "mshome", "arbeitsgruppe"})
_DIRECT_UPDATES = ("windowsupdate.com", "update.microsoft.com", "delivery.mp.microsoft.com")


def managed_verdict(
    said: Iterable[Ballot], device: Device, device_class: DeviceClass, system: str | None
) -> Verdict:
    """Return the verdict: ``said`` are the votes heard, ``device`` holds its own words only.

    ``device_class`` and ``system`` are what was concluded before (None: open).
    """
    heard = list(said)
    return decide(LEVEL, [*heard, *_against(device, device_class, system)])


def _against(device: Device, device_class: DeviceClass, system: str | None) -> Iterator[Ballot]:
    if device_class is DeviceClass.IOT and (system is None or system in _EMBEDDED):
        yield _no(
            "kind-not-managed", "likely", "class", f"{device_class.value}, {system or 'no known system'}"
        )
    if device_class in (DeviceClass.IOMT, DeviceClass.OT) and system in _EMBEDDED:
        yield _no("kind-not-managed", "likely", "os", system or "")
    names = {e.value.lower() for e in device.ledger if e.field in ("ntlmssp.workstation", "ntlmssp.computer")}
    for entry in device.ledger:
        value = entry.value.lower()
        if entry.field in ("browser.domain", "nbns.domain") and value in _WORKGROUPS:
            yield _no("in-a-workgroup", "likely", entry.field, entry.value)
        elif entry.field == "ntlmssp.domain" and (value in _WORKGROUPS or value in names):
            yield _no("local-accounts", "hint", entry.field, entry.value)
        elif entry.field in ("dns.query", "http.host") and value.endswith(_DIRECT_UPDATES):
            yield _no("updates-from-the-maker", "faint", entry.field, entry.value)


def _no(rule: str, trust: str, field: str, value: str) -> Ballot:
    return Ballot(LEVEL, "no", TRUST[trust], rule, field, value)
