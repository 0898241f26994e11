"""What a lease file may say of times."""

from __future__ import annotations

import pytest

from medwarden.model.log_source import LogSetting
from medwarden.sensors.logs.isc_dhcp import IscDhcp

NOW = 1_700_000_000_000_000_000


@pytest.mark.parametrize(
    ("written", "meant"),
    [("1699956000", 1_699_956_000 * 10**9), ("9" * 12, NOW), ("9" * 13, NOW), ("9" * 5000, NOW)],
    ids=["a time", "far off", "further", "endless"],
)
def test_a_time_beyond_all_measure_is_none(written: str, meant: int) -> None:
    parser = IscDhcp("dhcpd.leases", LogSetting(b"k" * 32, now_ns=NOW))
    lease = f"lease 10.20.0.41 {{\n  starts epoch {written};\n  binding state active;\n"
    parser.feed(f"{lease}  hardware ethernet 00:1a:2b:3c:4d:5f;\n}}\n".encode(), 0)
    facts = parser.take(final=True).facts
    assert parser.tally.count.balanced()
    assert [fact.evidence.value for fact in facts if fact.evidence.field == "dhcp.address"] == ["10.20.0.41"]
    assert {fact.evidence.ts_ns for fact in facts} == {meant}
