"""Plain lines, read as columns, come to what they come to one by one, whatever stands between them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.sensors.logs.line_outcomes import line_by_line, outcome

from medwarden.sensors.logs.zeek_logs import logs

CASES = Path(__file__).parent / "cases"
ADDRESSES = st.sampled_from(["10.0.0.1", "10.0.0.2", "fe80::1", "FE80:0::1", "10.0.0.1%eth0", "nowhere", ""])
PORTS = st.sampled_from([0, 53, 137, 443, 5353, 65535, 65536, -1, "53", 53.0])
COUNTS = st.sampled_from([0, 1, 1000, (1 << 62), (1 << 63), -1, None, 1e3, "7"])
TEXTS = st.sampled_from(
    ["", "-", "ssl", "dns", "gssapi,smb", "ShADadfFr", "SF", "REJ", "a\u00e9", "\\", None]
)
TIMES = st.sampled_from([1.7e9, 1700000000, 1.7e12, "2026-11-22T10:00:00.000001Z", "later", -1, 1e300, None])
STAMPS = st.sampled_from(["2026-11-22T10:00:00.251547+0000", "2026-11-22T10:00:00", "", "later"])
BROKEN = st.sampled_from(
    [
        b"",
        b"  ",
        b"{",
        b"}",
        b"{}",
        b"[]",
        b"null",
        b"{}{}",
        b'{"ts":1}\r',
        b"\xff",
        b'{"ts":"\xff"}',
        b'{"x":',
    ]
)

CONN = st.fixed_dictionaries(
    {"ts": TIMES, "id.orig_h": ADDRESSES, "id.orig_p": PORTS, "id.resp_h": ADDRESSES, "id.resp_p": PORTS,
     "proto": st.sampled_from(["tcp", "udp", "icmp", "unknown_transport", "TCP"])},
    optional={
        "service": TEXTS, "duration": st.sampled_from([0, 0.5, -1.0, 1e300, None]), "orig_bytes": COUNTS,
        "resp_bytes": COUNTS, "conn_state": TEXTS, "history": TEXTS, "orig_pkts": COUNTS,
        "orig_ip_bytes": COUNTS, "resp_ip_bytes": COUNTS, "vlan": st.sampled_from([0, 1, 4095, 4096, None]),
        "orig_l2_addr": st.sampled_from(["00:0c:29:00:00:01", "none", ""]), "ip_proto": COUNTS,
        "_path": st.sampled_from(["conn", "dns"]), "more": st.just({"_path": "dns", "list": [{"a": "}\n{"}]}),
    },
)  # fmt: skip
DNS = st.fixed_dictionaries(
    {"ts": TIMES, "id.orig_h": ADDRESSES, "id.resp_h": ADDRESSES},
    optional={
        "id.resp_p": PORTS, "query": st.sampled_from(["pacs.example.org", "1.0.0.10.in-addr.arpa", "", None]),
        "qtype_name": st.sampled_from(["A", "PTR"]), "rcode_name": st.sampled_from(["NOERROR", "NXDOMAIN"]),
        "answers": st.sampled_from([[], ["10.0.0.9"], ["ris.example.org", None], None, "10.0.0.9"]),
    },
)  # fmt: skip
SIDE = st.sampled_from(["1b", "", "zz", "4", "2"])
FLOW = st.fixed_dictionaries(
    {"timestamp": STAMPS, "event_type": st.sampled_from(["flow", "flow", "flow", "dns", "netflow"]),
     "src_ip": ADDRESSES, "dest_ip": ADDRESSES},
    optional={
        "src_port": PORTS, "dest_port": PORTS, "proto": st.sampled_from(["TCP", "udp", "ICMP", "1"]),
        "flow_id": st.sampled_from([1, 2]), "vlan": st.sampled_from([[], [0], [7, 8], 5000, 3, None]),
        "app_proto": st.sampled_from(["dns", "failed", "http2", "tls", ""]),
        "ether": st.sampled_from([{"src_mac": "00:0c:29:00:00:01"}, {"dest_macs": ["none"]}, {}]),
        "flow": st.fixed_dictionaries({}, optional={
            "pkts_toserver": COUNTS, "bytes_toserver": COUNTS, "bytes_toclient": COUNTS, "start": STAMPS,
            "end": STAMPS, "reason": st.sampled_from(["timeout", "forced"]),
        }),
        "tcp": st.fixed_dictionaries({}, optional={"tcp_flags_ts": SIDE, "tcp_flags_tc": SIDE}),
        "netflow": st.fixed_dictionaries({}, optional={"pkts": COUNTS, "bytes": COUNTS, "start": STAMPS}),
    },
)  # fmt: skip


def written(records: st.SearchStrategy[dict[str, object]]) -> st.SearchStrategy[bytes]:
    """Return logs of these records; in some, lines are broken, run into each other or are cut."""
    plain = records.map(lambda record: json.dumps(record, separators=(",", ":")).encode())
    torn = st.tuples(plain, st.integers(0, 400)).map(lambda cut: cut[0][: cut[1]] + b"\n" + cut[0][cut[1] :])
    double = st.tuples(plain, plain).map(b"".join)
    line = st.one_of(plain, plain, plain, plain, BROKEN, torn, double)
    ends = st.sampled_from([b"\n", b"\n", b"\r\n", b"\n\n"])
    several = st.one_of(st.lists(plain, min_size=1, max_size=6), st.lists(line, min_size=1, max_size=6))
    return st.tuples(several, ends, st.sampled_from([b"\n", b""])).map(
        lambda log: log[1].join(log[0]) + log[2]
    )


HEADER = (
    "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\t{}\n#fields\t{}\n"
)


def tabbed(path: str, records: st.SearchStrategy[dict[str, object]]) -> st.SearchStrategy[bytes]:
    """Return logs of these records as text with tabs; in some, lines are broken, cut or headers."""
    fields = sorted({*FIELDS[path], "uid"})
    cells = st.sampled_from(["-", "", "(empty)", "\\x41", "\u00e9", "1.5", "007"])

    def line(drawn: tuple[dict[str, object], dict[str, str]]) -> bytes:
        record, instead = drawn
        texts = {name: instead.get(name) or _cell(record.get(name, "-")) for name in fields}
        return "\t".join(texts[name] for name in fields).encode()

    plain = st.tuples(records, st.dictionaries(st.sampled_from(fields), cells, max_size=1)).map(line)
    other = st.sampled_from([
        b"", b"\r", b"\xff\t", b"#fields\tts\tid.orig_h", b"#close\t2026", b"ts,uid,id.orig_h,id.resp_h",
        b"\t" * (len(fields) - 1), HEADER.format(path, "\t".join(fields)).strip().encode(),
    ])  # fmt: skip
    cut = st.tuples(plain, st.integers(0, 80)).map(lambda drawn: drawn[0][: drawn[1]])
    several = st.lists(st.one_of(plain, plain, plain, plain, other, cut), min_size=1, max_size=8)
    head = HEADER.format(path, "\t".join(fields)).encode()
    return st.tuples(several, st.sampled_from([b"\n", b"\r\n"])).map(
        lambda drawn: head + drawn[1].join(drawn[0]) + drawn[1]
    )


def _cell(value: object) -> str:
    if isinstance(value, list):
        return ",".join("-" if item is None else str(item) for item in value) or "(empty)"
    return "-" if value is None or isinstance(value, dict) else str(value)


FIELDS = {"conn": tuple(logs()["conn"].columns), "dns": tuple(logs()["dns"].columns)}


@pytest.mark.parametrize(
    ("form", "name", "records"),
    [
        ("zeek", "conn.log", CONN),
        ("zeek", "dns.log", DNS),
        ("zeek", "x.log", CONN),
        ("suricata_eve", "eve", FLOW),
    ],
)
def test_blocks_come_to_what_their_lines_come_to(
    form: str, name: str, records: st.SearchStrategy[dict[str, object]]
) -> None:
    @settings(max_examples=150)
    @given(written(records))
    def holds(log: bytes) -> None:
        assert outcome(form, name, log) == line_by_line(lambda: outcome(form, name, log))

    holds()


@pytest.mark.parametrize(("path", "records"), [("conn", CONN), ("dns", DNS)])
def test_lines_with_tabs_come_to_what_they_come_to_one_by_one(
    path: str, records: st.SearchStrategy[dict[str, object]]
) -> None:
    @settings(max_examples=150)
    @example(
        HEADER.format("dns", "ts\tid.orig_h\tid.resp_h").encode()
        + b"1.5\t10.0.0.1\t10.0.0.2\nts,uid,id.orig_h,id.resp_h\n2.5,C1,10.0.0.1,10.0.0.2\n" * 2
    )
    @given(tabbed(path, records))
    def holds(log: bytes) -> None:
        assert outcome("zeek", "x.log", log) == line_by_line(lambda: outcome("zeek", "x.log", log))

    holds()


@pytest.mark.parametrize(
    "path", sorted(CASES.glob("zeek/*.json")) + sorted(CASES.glob("suricata_eve/*.json"))
)
def test_every_case_comes_to_what_its_lines_come_to(path: Path) -> None:
    case = json.loads(path.read_text())
    if "lines" not in case:
        pytest.skip("the case is no list of lines")
    log = "".join(f"{line}\n" for line in case["lines"]).encode()
    name = case.get("name", "case")
    found = outcome(path.parent.name, name, log)
    assert found == line_by_line(lambda: outcome(path.parent.name, name, log))
    assert found[2].count.read > 0


@pytest.mark.parametrize("told", ["conn", "dns"])
def test_a_block_is_of_the_log_that_its_lines_name_first(told: str) -> None:
    record = {"_path": told, "ts": 1.7e9, "id.orig_h": "10.0.0.1", "id.orig_p": 1, "id.resp_h": "10.0.0.2"}
    record |= {"id.resp_p": 2, "proto": "tcp", "more": {"_path": "conn"}}
    log = b"".join(json.dumps(record).encode() + b"\n" for _ in range(3))
    found = outcome("zeek", "conn.log", log)
    assert found == line_by_line(lambda: outcome("zeek", "conn.log", log))
    assert len(found[0]) == (3 if told == "conn" else 0)
