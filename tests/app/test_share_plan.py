"""Services are dealt out to processes by what a look into the capture says of them."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from tests.flowcore import packets as made

from medwarden.app import share_plan
from medwarden.app.share_plan import Plan, plan_shares
from medwarden.flowcore import FlowCore, FlowCoreConfig

KEY = b"k" * 16
PORTS = (53, 137, 161, 514, 1900, 5353, 47808, 123, 67)


def config(which: int = 0, processes: int = 2) -> FlowCoreConfig:
    return FlowCoreConfig(share=(which, processes), seed=KEY, datagram_ports=frozenset(PORTS))


def capture(path: Path, rounds: int, ports: tuple[int, ...] = PORTS, alike: bool = False) -> Path:
    packets: list[tuple[int, bytes]] = []
    for number in range(rounds):
        for port in ports:
            said = b"%d of %d" % (0 if alike else number, port)
            host = f"10.{number >> 8 & 255}.{number & 255}.{port % 250 + 1}"
            packets.append(
                (made.START + len(packets) * 1000, made.udp_frame(said, client=host, src=port, dst=port))
            )
    path.write_bytes(made.pcap(packets))
    return path


def test_all_shares_plan_alike_and_have_as_much_to_do(tmp_path: Path) -> None:
    path = capture(tmp_path / "x.pcap", 50)
    plans = [plan_shares(path, KEY, 2) for _ in range(2)]
    assert plans[0] == plans[1] and plans[0].services == {(17, port): None for port in PORTS}
    assert plans[0].parts == (500, 500)


@pytest.mark.parametrize(("alike", "whose"), [(False, {None}), (True, {0, 1})])
def test_what_is_much_of_all_is_divided_unless_it_repeats(
    tmp_path: Path, alike: bool, whose: set[int | None]
) -> None:
    path = capture(tmp_path / "x.pcap", 100, (9001, 9002, 9003, 9004), alike)
    shares = set(plan_shares(path, KEY, 2).services.values())
    assert shares == whose
    alone = capture(tmp_path / "y.pcap", 10, (514,), alike)
    assert plan_shares(alone, KEY, 2).services == {(17, 514): None}


def test_what_is_read_each_time_is_divided_though_it_repeats(tmp_path: Path) -> None:
    path = capture(tmp_path / "x.pcap", 100, (67, 9001), alike=True)
    assert plan_shares(path, KEY, 2).services[17, 67] is None


def test_who_takes_a_service_whole_has_less_of_what_is_divided(tmp_path: Path) -> None:
    packets: list[tuple[int, bytes]] = []
    for number in range(400):
        host = f"10.0.{number >> 8}.{number & 255}"
        said = b"same" if number % 3 == 0 else b"%d" % number
        port = 9001 if number % 3 == 0 else 9002
        packets.append((made.START + number, made.udp_frame(said, client=host, src=port, dst=port)))
    path = tmp_path / "x.pcap"
    path.write_bytes(made.pcap(packets))
    plan = plan_shares(path, KEY, 2)
    assert plan.services == {(17, 9001): 0, (17, 9002): None}
    assert 0 < plan.parts[0] < plan.parts[1] and abs(sum(plan.parts) - 1000) <= 1


def stream(number: int, opened: bool) -> list[bytes]:
    """Return one long stream that says nothing anybody reads."""
    host = f"10.0.0.{number + 1}"
    begun = [made.tcp_frame(b"", client=host, dst=9100, flags=2)] if opened else []
    said = [made.tcp_frame(b"%d" % (10**9 + at), client=host, dst=9100, seq=1 + at * 10) for at in range(3)]
    return begun + said


def test_a_stream_that_was_not_seen_to_begin_and_tells_nothing_is_no_work_but_its_packets() -> None:
    spent = []
    for opened in (True, False):
        work = share_plan._Work(KEY)
        for number in range(20):
            for at, frame in enumerate(stream(number, opened)):
                work.core.packet(made.START + at * 1000, 1, frame)
        work.count()
        spent.append(work.finish()[6, 9100])
    assert spent[1] == pytest.approx(20 * (share_plan._FLOW + 3 * share_plan._PACKET))
    assert spent[0] > spent[1] + 20 * (share_plan._CALL + share_plan._PACKET)


def test_pairs_of_addresses_are_divided_by_the_parts_of_the_shares() -> None:
    taken = []
    for parts in ((), (500, 500), (1, 3), (0, 7), (7, 0)):
        cores = [FlowCore(config(which)) for which in range(2)]
        for core in cores:
            core.deal({}, parts)
            for number in range(2000):
                host = f"10.0.{number >> 8}.{number & 255}"
                core.packet(made.START + number, 1, made.udp_frame(b"x", client=host, src=40_000, dst=7777))
        parsed = [core.parsed for core in cores]
        assert sum(parsed) == 2000 and [core.parsed + core.foreign for core in cores] == [2000] * 2
        taken.append(parsed[0])
    assert taken[0] == taken[1] and 880 < taken[0] < 1120
    assert 400 < taken[2] < 600 and taken[3:] == [0, 2000]


def test_services_that_no_piece_showed_are_divided_by_pairs_of_addresses() -> None:
    cores = [FlowCore(config(which)) for which in range(2)]
    for core in cores:
        core.deal({(17, 53): 0})
        for number in range(400):
            host = f"10.0.{number >> 8}.{number & 255}"
            core.packet(made.START + number, 1, made.udp_frame(b"x", client=host, src=40_000, dst=7777))
    parsed = [core.parsed for core in cores]
    assert sum(parsed) == 400 and min(parsed) > 150


def test_pieces_of_a_large_file_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = capture(tmp_path / "x.pcap", 400, (53,))
    late = capture(tmp_path / "late.pcap", 1000, (5353,))
    path.write_bytes(path.read_bytes() + late.read_bytes()[24:])
    monkeypatch.setattr(share_plan, "_LEAST", 2000)
    monkeypatch.setattr(share_plan, "_PART", 2)
    assert plan_shares(path, KEY, 2).services.keys() == {(17, 53), (17, 5353)}
    packed = tmp_path / "x.pcap.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    monkeypatch.setattr(share_plan, "_first_record", None)  # of what is compressed there are no pieces
    assert (17, 53) in plan_shares(packed, KEY, 2).services


@pytest.mark.parametrize(
    "data", [b"", b"nothing of the kind, and quite long", b"\xd4\xc3\xb2\xa1" + b"\xff" * 4000]
)
def test_a_file_that_cannot_be_read_is_planned_without(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(data)
    assert plan_shares(path, KEY, 2) == Plan({})
    assert plan_shares(tmp_path / "none.pcap", KEY, 2) == Plan({})


def test_a_place_without_records_is_passed_over() -> None:
    assert share_plan._first_record(bytes(70_000), "<") is None
    assert share_plan._first_record(b"", ">") is None
