"""What a firewall's log may say of numbers."""

from __future__ import annotations

from medwarden.model.log_source import LogSetting
from medwarden.sensors.logs.cisco_asa import CiscoAsa

LINE = (
    "<166>Nov 14 2023 22:00:10 asa1 : %ASA-6-302014: Teardown TCP connection 1001 "
    "for outside:198.51.100.7/443 to inside:10.20.0.40/50000 duration {}:00:10 bytes 10500 TCP FINs\n"
)


def test_a_duration_beyond_all_measure_is_none_and_ends_nothing() -> None:
    parser = CiscoAsa("asa.log", LogSetting(b"k" * 32))
    lines = [LINE.format(hours).encode() for hours in ("0", "9" * 9, "9" * 5000)]
    parser.feed(b"".join(lines), 0)
    flows = parser.take(final=True).flows.to_pylist()
    assert parser.tally.count.balanced()
    assert parser.tally.count.read == 3
    assert [flow["client_ip"] for flow in flows] == ["10.20.0.40"] * 2
    assert flows[0]["end_ns"] - flows[0]["start_ns"] == 10_000_000_000
