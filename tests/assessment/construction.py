"""Building a hospital of model facts: add devices, then let them talk."""

from __future__ import annotations

import random
from collections.abc import Iterable

import msgspec

from medwarden.kernel.clock import NANOSECONDS
from medwarden.model.device import Conversation, Device, DeviceClass, Service, Verdict
from medwarden.model.evidence import LedgerEntry

START = 1_748_736_000 * NANOSECONDS  # 2025-06-01
DAY = 86_400 * NANOSECONDS
SPAN = 14 * DAY
END = START + SPAN


class Hospital:
    """Devices under construction: add devices, then let them talk."""

    def __init__(self) -> None:
        self.random = random.Random(11)
        self.devices: dict[str, Device] = {}
        self.named: dict[str, str] = {}
        self.number = 0

    def add(
        self,
        name: str,
        kind: DeviceClass,
        category: str | None,
        subnet: str,
        vendor: str | None = None,
        model: str | None = None,
        os: str | None = None,
        os_version: str | None = None,
        facts: Iterable[tuple[str, str]] = (),
        offers: Iterable[tuple[str | None, int]] = (),
        managed: bool | None = None,
        phi: bool | None = None,
        confidence: float = 0.94,
    ) -> str:
        """Add a device; ``facts`` are (field, value), ``offers`` (application, port). Return its id."""
        self.number += 1
        first = START + int(SPAN * self.random.random() ** 4)
        identity = f"d-{self.number:013}"
        verdicts = tuple(
            Verdict(level, label, round(min(0.99, confidence + self.random.uniform(-0.06, 0.05)), 2))
            for level, label in (
                ("class", kind.value),
                ("category", category),
                ("vendor", vendor),
                ("model", model),
            )
            if label
        )
        self.named[name] = identity
        self.devices[identity] = Device(
            id=identity,
            site="main",
            macs=(f"00:1b:{self.number:02x}:4c:5d:{self.number:02x}",),
            ips=(f"{subnet.rsplit('.', 1)[0]}.{10 + self.number}",),
            vlans=(int(subnet.split(".")[2]),),
            names=(name,) if name else (),
            device_class=kind,
            category=category,
            vendor=vendor,
            model=model,
            os=os,
            os_version=os_version,
            managed=managed,
            subnet=subnet,
            phi=phi,
            first_seen=first,
            last_seen=END - int(DAY * self.random.random()),
            verdicts=verdicts,
            ledger=tuple(LedgerEntry(f.partition(".")[0], f, v, "tap-1", first, END, 40) for f, v in facts),
            services=tuple(Service("tcp", port, app, first, END, 3, 420, 90_000) for app, port in offers),
        )
        return identity

    def talk(
        self,
        client: str,
        server: str | None,
        port: int,
        application: str | None,
        flows: int = 200,
        size: int = 90_000,
        ip: str | None = None,
        name: str | None = None,
        scope: str = "internal",
        transport: str = "tcp",
        established: bool = True,
    ) -> None:
        """Let ``client`` open connections to ``server`` (or to an address)."""
        flows = max(1, int(flows * self.random.uniform(0.6, 1.4)))
        for own, other, role in ((client, server, "client"), (server, client, "server")):
            if own is None:
                continue
            device = self.devices[own]
            peer = self.devices.get(other or "")
            call = Conversation(
                own,
                role,
                other,
                peer.ips[0] if peer else ip,
                name,
                scope,
                transport,
                port,
                application,
                device.first_seen,
                device.last_seen,
                flows,
                flows * 12,
                flows * size,
                flows * size // 9 if established else 0,
                established,
            )
            self.devices[own] = msgspec.structs.replace(device, conversations=(*device.conversations, call))
