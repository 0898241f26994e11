"""SNMP version 1 and 2c (RFC 1157, RFC 3416): questions, answers and traps."""

from __future__ import annotations

from collections.abc import Sequence

from medwarden.simulation.voices.der import der, integer, oid, sequence

SYS_DESCR, SYS_OBJECT_ID, SYS_UPTIME, SYS_NAME, SYS_LOCATION = (
    f"1.3.6.1.2.1.1.{number}.0" for number in (1, 2, 3, 5, 6)
)
GET, GET_NEXT, RESPONSE, TRAP2 = 0xA0, 0xA1, 0xA2, 0xA7

Value = str | int | None


def _value(key: str, value: Value) -> bytes:
    if value is None:
        return b"\x05\0"
    if isinstance(value, int):
        return der(0x43, value.to_bytes(4, "big")) if key == SYS_UPTIME else integer(value)
    if key in (SYS_OBJECT_ID, "1.3.6.1.6.3.1.1.4.1.0"):
        return oid(value)
    return der(4, value.encode())


def message(
    kind: int,
    request: int,
    bindings: Sequence[tuple[str, Value]],
    community: str = "public",
    version: int = 1,
) -> bytes:
    """Return a message; ``version`` is 0 for SNMPv1 and 1 for SNMPv2c."""
    listed = sequence(*(sequence(oid(key), _value(key, value)) for key, value in bindings))
    body = der(kind, integer(request), integer(0), integer(0), listed)
    return sequence(integer(version), der(4, community.encode()), body)
