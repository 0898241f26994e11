"""Builders of evidence, flows and devices for the tests of the inventory."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pytest

from medwarden.model.device import Device
from medwarden.model.evidence import Evidence, LedgerEntry
from medwarden.model.tables import FLOW_SCHEMA

T0 = 1_700_000_000_000_000_000
SECOND = 1_000_000_000

Heard = Callable[..., Device]
Flows = Callable[..., pa.Table]
Fact = Callable[..., Evidence]


@pytest.fixture
def fact() -> Fact:
    """Return a maker of evidence: field, value, and where it was said."""

    def make(
        field: str, value: str, mac: str | None = None, ip: str | None = None, at: float = 0.0
    ) -> Evidence:
        return Evidence(T0 + int(at * SECOND), mac, ip, None, field, value, field.partition(".")[0])

    return make


@pytest.fixture
def flows() -> Flows:
    """Return a maker of flow tables: each row a dictionary of what differs from a plain answered TCP flow."""

    def make(*rows: dict[str, object]) -> pa.Table:
        plain: dict[str, object] = {
            "flow_id": 1,
            "start_ns": T0,
            "end_ns": T0 + SECOND,
            "client_mac": None,
            "server_mac": None,
            "client_ip": None,
            "server_ip": None,
            "client_port": 50000,
            "server_port": 80,
            "ip_protocol": 6,
            "vlan": None,
            "tunnel": None,
            "packets_out": 5,
            "packets_in": 4,
            "bytes_out": 500,
            "bytes_in": 900,
            "payload_out": 200,
            "payload_in": 600,
            "tcp_flags_out": 0x1B,
            "tcp_flags_in": 0x1B,
            "ttl_out": 64,
            "ttl_in": 64,
            "syn_out": None,
            "syn_in": None,
            "end_reason": "fin",
        }
        return pa.Table.from_pylist([{**plain, **row} for row in rows], schema=FLOW_SCHEMA)

    return make


@pytest.fixture
def heard() -> Heard:
    """Return a maker of devices with a ledger of these (field, value) pairs, not yet identified."""

    def make(*pairs: tuple[str, str], **changes: object) -> Device:
        ledger = tuple(
            LedgerEntry(field.partition(".")[0], field, value, "s1", T0 + i * SECOND, T0 + i * SECOND, 1)
            for i, (field, value) in enumerate(pairs)
        )
        whole: dict[str, object] = {
            "first_seen": T0,
            "last_seen": T0 + 60 * SECOND,
            "ledger": ledger,
            **changes,
        }
        return Device(id="d-1", site="default", **whole)  # type: ignore[arg-type] # fields checked by use

    return make
