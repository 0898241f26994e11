"""Flow exports: both directions fold, losses and repetitions are known, hostile templates are bounded."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sensors.logs.exports import (
    FIELDS,
    SECONDS,
    SETTING_KEY,
    ethernet,
    ip4,
    ipfix,
    netflow5,
    netflow9,
    record5,
    row,
    set_of,
    sflow,
    template9,
    template10,
)

from medwarden.model.log_source import LogSetting
from medwarden.sensors.logs.flow_export import FlowExport, uptime_ns
from medwarden.sensors.logs.ipfix import Ipfix
from medwarden.sensors.logs.netflow5 import Netflow5
from medwarden.sensors.logs.netflow9 import Netflow9
from medwarden.sensors.logs.sflow import Sflow
from medwarden.sensors.logs.templates import MOST_FIELDS_KEPT, MOST_TEMPLATES, TemplateCache

SETTING = LogSetting(SETTING_KEY)
CLIENT, SERVER = "10.1.1.5", "10.1.2.9"
NOW = SECONDS * 1_000_000_000
PARSERS: tuple[type[FlowExport], ...] = (Netflow5, Netflow9, Ipfix, Sflow)


def made(kind: type[FlowExport]) -> FlowExport:
    parser = kind("10.0.0.1", SETTING)
    parser.exporter = "10.0.0.1"
    return parser


def rows(parser: FlowExport) -> list[dict[str, object]]:
    flows: list[dict[str, object]] = parser.take(final=True).flows.to_pylist()
    return flows


def said(parser: FlowExport) -> set[tuple[str | None, str, str]]:
    return {(f.evidence.ip, f.evidence.field, f.evidence.value) for f in parser.take(final=True).facts}


def test_netflow5_folds_both_directions() -> None:
    parser = made(Netflow5)
    parser.feed(
        netflow5(
            [
                record5(SERVER, CLIENT, (104, 50000), octets=700, packets=7),
                record5(CLIENT, SERVER, (50000, 104), octets=9000, packets=12),
            ]
        ),
        0,
    )
    (flow,) = rows(parser)
    assert (flow["client_ip"], flow["server_ip"], flow["server_port"]) == (CLIENT, SERVER, 104)
    assert (flow["bytes_out"], flow["packets_out"], flow["bytes_in"], flow["packets_in"]) == (
        9000,
        12,
        700,
        7,
    )
    assert flow["start_ns"] == NOW - 5_000_000_000
    assert flow["end_reason"] == "fin"
    assert parser.tally.count.parsed == parser.tally.count.read == 2


def test_a_direction_alone_is_attributed_by_its_ports() -> None:
    parser = made(Netflow5)
    parser.feed(netflow5([record5(SERVER, CLIENT, (443, 50000), octets=700, packets=7)]), 0)
    (flow,) = rows(parser)
    assert (flow["client_ip"], flow["bytes_out"], flow["bytes_in"]) == (CLIENT, 0, 700)


def test_sequence_numbers_tell_loss_repetition_and_what_came_late() -> None:
    parser = made(Netflow5)
    first = netflow5([record5(CLIENT, SERVER, (50000, 80))], sequence=100)
    parser.feed(first, 0)
    parser.feed(first, 0)
    parser.feed(netflow5([record5(CLIENT, SERVER, (50003, 80))], sequence=103), 0)
    assert (parser.tally.repeated, parser.tally.missing) == (1, 2)
    parser.feed(netflow5([record5(CLIENT, SERVER, (50001, 80))], sequence=101), 0)
    assert parser.tally.missing == 1
    assert parser.tally.count.read == 4
    assert len(rows(parser)) == 3


def test_sampled_counters_are_estimates_and_say_so() -> None:
    parser = made(Netflow5)
    parser.feed(
        netflow5([record5(CLIENT, SERVER, (50000, 80), octets=100, packets=1)], sampling=1 << 14 | 100), 0
    )
    batch = parser.take(final=True)
    (flow,) = batch.flows.to_pylist()
    assert (flow["packets_out"], flow["bytes_out"], flow["end_reason"]) == (100, 10_000, "sampled")
    assert ("flow.sampling", "1 in 100") in {(f.evidence.field, f.evidence.value) for f in batch.facts}


@given(st.integers(0, 0xFFFFFFFF), st.integers(0, 86_400_000))
def test_uptime_may_wrap_between_a_flow_and_its_export(uptime: int, age: int) -> None:
    assert uptime_ns(NOW, uptime, (uptime - age) & 0xFFFFFFFF) == NOW - age * 1_000_000


def test_a_wrong_clock_is_noticed_and_times_are_moved() -> None:
    parser = made(Netflow5)
    parser.heard_ns = NOW + 7_200_000_000_000
    parser.feed(netflow5([record5(CLIENT, SERVER, (50000, 80))]), 0)
    batch = parser.take(final=True)
    assert batch.flows["start_ns"].to_pylist() == [NOW + 7_195_000_000_000]
    assert ("10.0.0.1", "off by -2.0 h") in {
        (f.evidence.ip, f.evidence.value) for f in batch.facts if f.evidence.field == "flow.exporter_clock"
    }


def test_netflow9_data_before_its_template_is_held_and_then_read() -> None:
    parser = made(Netflow9)
    parser.feed(netflow9([set_of(300, row(CLIENT, SERVER, (50000, 104)))], 1), 0)
    assert parser.tally.count.read == 0
    parser.feed(netflow9([template9(300, FIELDS)], 2), 0)
    (flow,) = rows(parser)
    assert (flow["client_ip"], flow["server_port"], flow["bytes_out"]) == (CLIENT, 104, 1000)
    assert parser.tally.count.parsed == 1


def test_data_whose_template_never_comes_is_dropped_and_counted() -> None:
    parser = made(Netflow9)
    for number in range(TemplateCache.MOST_HELD + 5):
        parser.feed(netflow9([set_of(300, row(CLIENT, SERVER, (50000 + number, 104)))], number), 0)
    assert parser.tally.count.dropped == 5
    assert rows(parser) == []
    assert parser.tally.count.dropped == TemplateCache.MOST_HELD + 5
    assert parser.tally.count.balanced()
    assert set(parser.tally.reasons) == {"data before its template", "data without a template"}


def test_a_template_that_changes_is_followed() -> None:
    parser = made(Netflow9)
    parser.feed(netflow9([template9(300, FIELDS), set_of(300, row(CLIENT, SERVER, (50000, 104)))], 1), 0)
    swapped = (FIELDS[1], FIELDS[0], *FIELDS[2:])
    parser.feed(netflow9([template9(300, swapped), set_of(300, row(SERVER, CLIENT, (50001, 104)))], 2), 0)
    assert [flow["client_ip"] for flow in rows(parser)] == [CLIENT, CLIENT]


def test_templates_over_udp_grow_old() -> None:
    parser = made(Netflow9)
    parser.heard_ns = NOW
    parser.feed(netflow9([template9(300, FIELDS)], 1), 0)
    parser.heard_ns = NOW + 6 * 3600 * 1_000_000_000
    parser.feed(netflow9([set_of(300, row(CLIENT, SERVER, (50000, 104)))], 2), 0)
    parser.take(final=True)
    assert parser.tally.reasons == {"data without a template": 1}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ([(8, 0), (12, 0)], "length zero"),
        ([], "no fields"),
    ],
)
def test_templates_without_octets_are_refused(fields: list[tuple[int, int]], reason: str) -> None:
    parser = made(Netflow9)
    parser.feed(
        netflow9([template9(300, fields) if fields else set_of(0, struct.pack("!HH", 300, 0) * 2)]), 0
    )
    assert parser.tally.count.rejected == 1
    assert parser.tally.fault is not None
    assert reason in parser.tally.fault


def test_a_flood_of_templates_is_bounded() -> None:
    parser = Netflow9("x", SETTING)
    for number in range(4000):
        parser.feed(netflow9([template9(256 + number % 60000, FIELDS)], number, domain=number), 0)
    assert len(parser.templates) == min(MOST_TEMPLATES, MOST_FIELDS_KEPT // len(FIELDS))
    assert parser.templates.forgotten == 4000 - len(parser.templates)
    assert len(parser._contexts) <= 256
    assert len(parser._sequences) <= 256


def test_options_name_applications_and_sampling() -> None:
    parser = made(Netflow9)
    options = set_of(1, struct.pack("!HHH", 400, 4, 8) + struct.pack("!HHHHHH", 1, 4, 95, 4, 96, 16))
    name = set_of(400, ip4("10.0.0.1") + b"\x0d\0\0\x17" + b"dicom".ljust(16, b"\0"))
    fields = (*FIELDS, (95, 4))
    data = set_of(300, row(CLIENT, SERVER, (50000, 11112)) + b"\x0d\0\0\x17")
    parser.feed(netflow9([options, name, template9(300, fields), data]), 0)
    assert [flow["application"] for flow in rows(parser)] == ["dicom"]


def test_ipfix_reads_variable_lengths_enterprise_fields_and_biflows() -> None:
    parser = made(Ipfix)
    fields = (
        (8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (1, 8), (2, 8), (1, 8, 29305), (2, 8, 29305),
        (152, 8), (153, 8), (56, 6), (80, 6), (243, 2), (291, 65535), (460, 65535), (96, 65535), (136, 1),
    )  # fmt: skip
    start = SECONDS * 1000 - 3000
    data = (
        ip4(CLIENT) + ip4(SERVER)
        + struct.pack("!HHBQQQQQQ", 50000, 8080, 6, 5000, 11, 700, 8, start, start + 1500)
        + bytes.fromhex("00aabbccddee001122334455") + struct.pack("!H", 42)
        + b"\xff\x01\x2c" + b"\x03" * 300  # a basicList, skipped whole
        + b"\x09pacs.test" + b"\x04http" + b"\x02"
    )  # fmt: skip
    parser.feed(ipfix([template10(256, fields), set_of(256, data)]), 0)
    batch = parser.take(final=True)
    (flow,) = batch.flows.to_pylist()
    assert (flow["client_ip"], flow["server_port"]) == (CLIENT, 8080)
    assert (flow["bytes_out"], flow["bytes_in"], flow["packets_in"]) == (5000, 700, 8)
    assert (flow["client_mac"], flow["server_mac"], flow["vlan"]) == (
        "00:aa:bb:cc:dd:ee",
        "00:11:22:33:44:55",
        42,
    )
    assert (flow["application"], flow["end_reason"]) == ("http", "active")
    assert flow["start_ns"] == start * 1_000_000
    assert (CLIENT, "http.host", "pacs.test") in {
        (f.evidence.ip, f.evidence.field, f.evidence.value) for f in batch.facts
    }


def test_an_ipfix_file_is_messages_one_after_another_and_templates_may_be_withdrawn() -> None:
    parser = made(Ipfix)
    parser.lasting = True
    data = set_of(256, row(CLIENT, SERVER, (50000, 104)))
    withdrawal = set_of(2, struct.pack("!HH", 256, 0))
    parser.feed(
        ipfix([template10(256, FIELDS), data], 0) + ipfix([data + b""], 1) + ipfix([withdrawal, data], 2), 0
    )
    assert len(rows(parser)) == 2
    assert parser.tally.reasons == {"data without a template": 1}
    assert (parser.tally.missing, parser.tally.repeated) == (0, 0)


def test_ipfix_counts_lost_records() -> None:
    parser = made(Ipfix)
    data = [set_of(256, row(CLIENT, SERVER, (50000 + n, 104))) for n in range(3)]
    parser.feed(ipfix([template10(256, FIELDS), data[0]], 0), 0)
    parser.feed(ipfix([data[1]], 6), 0)
    assert parser.tally.missing == 5


def test_sflow_samples_become_estimates_with_addresses() -> None:
    parser = made(Sflow)
    parser.heard_ns = NOW
    parser.feed(sflow([ethernet(CLIENT, SERVER, (50000, 104), vlan=12)]), 0)
    parser.feed(sflow([ethernet(CLIENT, SERVER, (50001, 104))], sequence=5), 0)
    first, second = rows(parser)
    assert (first["client_mac"], first["server_mac"], first["vlan"]) == (
        "00:aa:bb:cc:dd:ee",
        "00:11:22:33:44:55",
        12,
    )
    assert (first["packets_out"], first["bytes_out"], first["end_reason"]) == (512, 512 * 1400, "sampled")
    assert second["vlan"] is None
    assert parser.tally.missing == 3


@pytest.mark.parametrize("kind", PARSERS, ids=lambda k: k.manifest.name)
@given(data=st.data())
def test_no_datagram_raises_and_all_are_counted(kind: type[FlowExport], data: st.DataObject) -> None:
    seeds = {
        "netflow5": netflow5([record5(CLIENT, SERVER, (1, 2))]),
        "netflow9": netflow9([template9(300, FIELDS), set_of(300, row(CLIENT, SERVER, (1, 2)))]),
        "ipfix": ipfix([template10(300, FIELDS), set_of(300, row(CLIENT, SERVER, (1, 2)))]),
        "sflow": sflow([ethernet(CLIENT, SERVER, (50000, 104), vlan=12)]),
    }
    parser = made(kind)
    for _ in range(3):
        octets = bytearray(seeds[kind.manifest.name])
        for _ in range(data.draw(st.integers(0, 4))):
            octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
        parser.feed(bytes(octets[: data.draw(st.integers(0, len(octets)))]), 0)
    batch = parser.take(final=True)
    assert parser.tally.count.balanced()
    assert batch.flows.num_rows <= parser.tally.count.parsed
    assert {f.evidence.field for f in batch.facts} <= set(kind.manifest.fields)


@pytest.mark.parametrize("kind", PARSERS, ids=lambda k: k.manifest.name)
@given(junk=st.binary(max_size=300))
def test_noise_is_rejected(kind: type[FlowExport], junk: bytes) -> None:
    parser = made(kind)
    parser.feed(junk, 0)
    parser.take(final=True)
    assert parser.tally.count.balanced()
