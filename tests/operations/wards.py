"""Devices, subnets and requests of a small ward, for tests of the interlock."""

from __future__ import annotations

import msgspec

from medwarden.model.device import Conversation, Device, DeviceClass, Verdict
from medwarden.model.evidence import LedgerEntry
from medwarden.operations.in_use import InUse, Use
from medwarden.operations.interlock import Grant, Registry, Request
from medwarden.operations.permit import Action, ActionKind, Target

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
NOW = 1_790_000_000 * SECOND
SNMP = Action(ActionKind.PROBE, "snmp_get")
GRANT = Grant(
    "g-1", "main", "10.0.0.0/24", frozenset({"snmp_get", "tls_hello"}), "nina", "printers", NOW - HOUR
)
ON = Registry(grants=(GRANT,))


def device(
    category: str | None = "printer",
    *,
    confidence: float = 0.95,
    identifier: str = "d-1",
    ip: str = "10.0.0.7",
    runner_up: str | None = None,
    runner_up_confidence: float = 0.0,
    **more: object,
) -> Device:
    verdict = Verdict("category", category, confidence, runner_up, runner_up_confidence)
    plain = Device(
        id=identifier,
        site="main",
        macs=("02:00:00:00:00:07",),
        ips=(ip,),
        device_class=DeviceClass.UNKNOWN,
        category=category,
        vendor="Acme",
        model="P-1",
        first_seen=NOW - 90 * HOUR,
        last_seen=NOW - 5 * SECOND,
        verdicts=(verdict,),
    )
    return msgspec.structs.replace(plain, **more)


def talk(application: str | None, ago_s: float, *, port: int = 104, transport: str = "tcp") -> Conversation:
    last = NOW - int(ago_s * SECOND)
    return Conversation(
        "d-1", "client", None, "10.0.0.9", "pacs", "internal", transport, port, application,
        last - HOUR, last, 3, 30, 900, 900, True,
    )  # fmt: skip


def fact(field: str, value: str, ago_s: float, source: str = "") -> LedgerEntry:
    last = NOW - int(ago_s * SECOND)
    return LedgerEntry(source or field.partition(".")[0], field, value, "live", last - SECOND, last, 1)


def request(
    *devices: Device, action: Action = SNMP, ip: str = "10.0.0.7", medical: bool | None = False
) -> Request:
    return Request(action, Target("main", ip, 161), devices, medical)


def idle(*devices: Device, state: Use = Use.NO) -> dict[str, InUse]:
    return {d.id: InUse(state, "for the test", None, NOW) for d in devices}
