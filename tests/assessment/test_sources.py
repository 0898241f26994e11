"""With one log alone, the report says what that log cannot tell."""

from __future__ import annotations

from medwarden.assessment.coverage import gaps_of
from medwarden.assessment.sources import SourceTells, source_gaps
from medwarden.model.accounting import InputReport, PacketCount
from medwarden.model.log_source import Tells

FLOWS = SourceTells("NetFlow", frozenset({Tells.PEERS, Tells.VOLUME, Tells.SERVICES}))
LEASES = SourceTells("DHCP server log", frozenset({Tells.HARDWARE_ADDRESS, Tells.NAME}))
SOURCES = {"netflow9": FLOWS, "kea_dhcp": LEASES}


def report(form: str) -> InputReport:
    return InputReport("x", form, records=PacketCount(5, 5))


def test_flow_records_alone_name_no_device() -> None:
    (gap,) = source_gaps([report("netflow9")], SOURCES)
    assert gap.topic == "What NetFlow cannot tell"
    assert gap.state == "partly"
    assert "It tells peers, volume, services." in gap.detail
    assert "make and model" in gap.detail
    assert "Nothing else was read that could." in gap.detail
    assert "DHCP server logs" in gap.remedy


def test_another_log_makes_up_for_some_of_it() -> None:
    gap = source_gaps([report("netflow9"), report("kea_dhcp")], SOURCES)[1]
    assert gap.topic == "What NetFlow cannot tell"
    assert "Of this, make and model" in gap.detail
    assert "hardware address" not in gap.detail.partition("Of this")[2]


def test_packets_make_up_for_all_of_it() -> None:
    packets = InputReport("y", "pcap", packets=PacketCount(5, 5))
    (gap,) = source_gaps([report("netflow9"), packets], SOURCES)
    assert gap.state == "seen"
    assert gap.detail.endswith("The other inputs can.")


def test_an_input_that_held_nothing_says_nothing() -> None:
    assert source_gaps([InputReport("x", "netflow9")], SOURCES) == []


def test_the_report_has_it() -> None:
    topics = [gap.topic for gap in gaps_of([], [report("netflow9")], 0, SOURCES)]
    assert "What NetFlow cannot tell" in topics
