"""A site with something to do after every commit; run as a program, be killed before one of the steps.

``python -m tests.app.killed HOME STEP``
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from pathlib import Path

from medwarden.model.inventory_delta import (
    AddressChange,
    BindingSource,
    DeviceChange,
    InterfaceChange,
    InventoryDelta,
    KeyKind,
    LedgerIncrement,
)
from medwarden.store.open import open_store

MINUTE = 60 * 1_000_000_000
START = 1_790_000_000 * 1_000_000_000
PUMP, UNKNOWN = "d-pump", ("d-u1", "d-u2", "d-u3")
SAID: tuple[tuple[str, str, str, int, int], ...] = (
    (PUMP, "dhcp.parameter_request_list", "1,3,6", 0, 100),
    (PUMP, "tcp.stack", "64:5840:1460:M", 0, 118),
    (PUMP, "hl7.equipment_serial", "4711-0815", 0, 118),
    (PUMP, "dhcp.parameter_request_list", "1,3,6,15,31,33,43,44,46,47,119,121,249,252", 120, 300),
    (PUMP, "dhcp.vendor_class", "MSFT 5.0", 120, 300),
    (PUMP, "dhcp.host_name", "DESKTOP-7K2QF0A", 120, 300),
    (PUMP, "tcp.stack", "128:64240:1460:M,N,W8,N,N,S", 121, 300),
    (PUMP, "ntlmssp.os_version", "10.0.19045", 125, 300),
    *((u, "dhcp.vendor_class", "ACME-IV", 0, 300) for u in UNKNOWN),
    *((u, "http.server", "acmed/2", 0, 300) for u in UNKNOWN),
)
"""A pump under whose address a computer speaks later on, and devices that nobody can name."""

BOOK = b"Asset Tag,MAC,Department\nA-1,00:13:38:30:38:59,ICU 3\nA-2,70:b3:d5:00:00:01,OR\nA-9,,Stock\n"
ATTRIBUTES = """
attributes: [{name: owner_team, kind: text}]
rules:
  - {name: by book, attribute: owner_team, value: ICU, when: {book: {department: "icu*"}}}
  - {name: rest, attribute: owner_team, value: IT}
"""
PUMPS = {"category": "infusion_pump", "vendor": "Acme Medical"}

STEPS = {
    "find_contradictions": ("medwarden.app.judge", "hear"),
    "fill_devices": ("medwarden.app.judge", "hear"),
    "take_up": ("medwarden.app.judge", "hear"),
    "reconcile_book": ("medwarden.app.reconcile", "bring_book"),
    "tell": ("medwarden.app.reconcile", "bring_book"),
    "fill_all": ("medwarden.app.attributes", "define"),
    "keep_in_line": ("medwarden.app.answers", "answer"),
    "write_rules": ("medwarden.app.learning", "answer"),
}
"""By the step that a process does not come to any more: where it is looked up, and what leads to it."""


def prepare() -> None:
    """Store a site with a book and rules for attributes, of which everything is done."""
    from medwarden.app.attributes import apply_file
    from medwarden.inventory.custom_attributes import read_attributes
    from medwarden.store.models import DEFAULT_TENANT

    bring_book(b"Asset Tag,MAC,Department\nA-0,,Stock\n")
    apply_file(DEFAULT_TENANT, read_attributes(ATTRIBUTES, "a.yaml"), actor="user:anna", reason="set up")


def hear() -> None:
    """Store what was heard, and judge it."""
    from medwarden.app.judge import judge_stale
    from medwarden.store.changes import Change
    from medwarden.store.delta import apply_delta

    macs = {PUMP: "00:13:38:30:38:59"} | {u: f"70:b3:d5:00:00:0{n}" for n, u in enumerate(UNKNOWN, 1)}
    last = START + 300 * MINUTE
    delta = InventoryDelta(
        site="main",
        devices=tuple(DeviceChange(i, "main", KeyKind.MAC, True, False, START, last, ()) for i in macs),
        interfaces=tuple(InterfaceChange(i, mac, False, False, START, last) for i, mac in macs.items()),
        addresses=tuple(
            AddressChange(i, mac, f"10.0.0.{n}", BindingSource.DHCP, True, START, last)
            for n, (i, mac) in enumerate(macs.items(), 1)
        ),
        ledger=tuple(
            LedgerIncrement(i, "s", f.partition(".")[0], f, v, START + a * MINUTE, START + b * MINUTE, 3)
            for i, f, v, a, b in SAID
        ),
    )
    with Change("sensor:s", "heard", site="main") as change:
        apply_delta(change, delta)
    judge_stale("default", "main")


def bring_book(document: bytes = BOOK) -> None:
    """Take a list of equipment in."""
    from medwarden.app.books import import_document

    import_document(document, "cmms.csv", actor="user:anna", name="CMMS")


def define() -> None:
    """Put a rule for an attribute in the place of those there are."""
    from medwarden.app.attributes import apply_file
    from medwarden.inventory.custom_attributes import read_attributes

    text = ATTRIBUTES.replace("value: IT", "value: Clinic")
    apply_file("default", read_attributes(text, "a.yaml"), actor="user:anna", reason="another team")


def answer() -> None:
    """Say what the devices are that nobody can name."""
    from medwarden.app.answers import give_answer
    from medwarden.store.chain import folder_of_database
    from medwarden.store.queries import Scope

    home = folder_of_database()
    assert home is not None
    give_answer(Scope(), list(UNKNOWN[:2]), PUMPS, home=home, actor="user:anna", reason="looked at one")


def main() -> None:
    """Come as far as the step of the arguments, and be killed there."""
    home, step = sys.argv[1:]
    owner, deed = STEPS[step]
    with open_store(Path(home), writer=True):
        setattr(importlib.import_module(owner), step, _die)
        globals()[deed]()


def _die(*_arguments: object, **_named: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
