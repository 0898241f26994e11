"""A small trained model and the made-up devices it was trained on."""

from __future__ import annotations

import numpy as np
import pytest

from medwarden.inventory.labels.example import Example, example_of
from medwarden.inventory.labels.model import LabelModel
from medwarden.inventory.labels.training import Settings, train
from medwarden.model.device import Conversation, Device
from medwarden.model.evidence import LedgerEntry

T0 = 1_700_000_000_000_000_000

KINDS = {
    ("ip_camera", "Axis", "P3245"): ("axis-{n:04d}", "AXIS P3245 Network Camera", "udhcp 1.30", 554),
    ("ip_camera", "Bosch", "FLEXIDOME"): ("bosch-cam{n}", "FLEXIDOME IP panoramic", "udhcp 1.20", 554),
    ("infusion_pump", "B. Braun", "Space"): ("pump{n}", "SpaceStation with SpaceCom", "dhcpcd-5", 4001),
    ("infusion_pump", "BD", "Alaris"): ("alaris-{n}", "Alaris PC Unit gateway", "dhcpcd-6", 3613),
    ("printer", "HP", "LaserJet M604"): ("npi{n:06x}", "HP LaserJet M604 JetDirect", "hp-printer", 9100),
    ("voip_phone", "Cisco", "CP-8841"): ("sep{n:012x}", "Cisco IP Phone CP-8841", "cisco phone", 2000),
}


def made_up(kind: tuple[str, str, str], number: int) -> Device:
    """Return device ``number`` of a kind: a host name, a web title, a DHCP class and one service it uses."""
    name, title, vendor_class, port = KINDS[kind]
    pairs = (
        ("dhcp.host_name", name.format(n=number)),
        ("dhcp.vendor_class", vendor_class),
        ("http.title", title if number % 3 else f"{title} {number}"),
        (
            "snmp.sys_descr",
            f"{title} with operating software of {vendor_class}, management agent, boot loader",
        ),
        ("http.user_agent", "maintenance client with certificate enrolment and automatic update"),
        ("dhcp.parameter_request_list", "1,3,6,15" if number % 2 else "1,3,6,12,15"),
    )
    ledger = tuple(LedgerEntry("t", field, value, "s1", T0, T0, 1) for field, value in pairs)
    talk = Conversation(
        "d", "client", None, f"10.0.0.{number % 250}", None, "internal", "tcp", port, None, T0, T0, 4, 40,
        4000 + number, 2000, True,
    )  # fmt: skip
    mac = f"02:00:00:00:{number // 256:02x}:{number % 256:02x}"
    return Device(
        id=f"d-{kind[2]}-{number}", site="default", macs=(mac,), ledger=ledger, conversations=(talk,)
    )


def labels_of(kind: tuple[str, str, str]) -> dict[str, str | None]:
    """Return what a device of that kind is."""
    return {"category": kind[0], "vendor": kind[1], "model": kind[2]}


@pytest.fixture(scope="session")
def examples() -> list[Example]:
    """Return twelve examples of each kind."""
    return [
        example_of(made_up(kind, number), labels_of(kind), group=f"house {number % 4}")
        for kind in KINDS
        for number in np.random.default_rng(5).integers(1, 4000, 12).tolist()
    ]


@pytest.fixture(scope="session")
def model(examples: list[Example]) -> LabelModel:
    """Return a model trained on them."""
    return train(examples, seed=3, settings=Settings(tokens=2000, strangers=0.0))
