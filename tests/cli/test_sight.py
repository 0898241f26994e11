"""``names`` and ``coverage``: what pages show stands in the command line as well."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Say


def test_names_are_shown_with_who_answers_to_them(say: Say, home: Path) -> None:
    said = say("names", "--json", home=home)
    assert said.status == 0
    found = json.loads(said.out)
    devices = {json.loads(line)["id"] for line in say("devices", "--json").out.splitlines()}
    uses = [use for name in found["titles"] for use in name["uses"]]
    assert uses and {use["device"] for use in uses} <= devices
    words = say("names").out
    assert all(name["name"][:10] in words for name in found["titles"])


def test_coverage_counts_every_device_of_a_subnet_once(say: Say, home: Path) -> None:
    found = json.loads(say("coverage", "--json", home=home).out)
    known = [json.loads(line) for line in say("devices", "--json").out.splitlines()]
    assert sum(s["devices"] for s in found["subnets"]) == sum(d["subnet"] is not None for d in known)
    assert {h["protocol"] for h in found["heard"]} >= {"dicom", "hl7", "dhcp"}
    words = say("coverage").out
    assert all(s["subnet"] in words for s in found["subnets"])


def test_batteries_are_listed_the_emptiest_first(say: Say, home: Path, tmp_path: Path) -> None:
    from tests.flowcore import packets as made

    def report(port: int, pump: str, percent: int) -> list[bytes]:
        lines = [
            "MSH|^~\\&|GATEWAY|WARD|EHR|H|20260101120000||ORU^R01^ORU_R01|1|P|2.6",
            "OBR|1|||69837^MDC_DEV_PUMP_INFUS_MDS^MDC",
            f"OBX|1|NM|67996^MDC_ATTR_VAL_BATT_CHARGE^MDC|1.0.0.1|{percent}|%|||||R|||20260101||||{pump}^^^EUI-64",
        ]
        message = b"\x0b" + "\r".join(lines).encode() + b"\r\x1c\r"
        return [
            made.tcp_frame(flags=made.SYN, src=port, dst=2575, seq=1),
            made.tcp_frame(flags=made.SYN | made.ACK, src=port, dst=2575, back=True, seq=9, ack=2),
            made.tcp_frame(message, src=port, dst=2575, seq=2, ack=10),
        ]

    frames = [*report(50_001, "PUMP-A", 80), *report(50_002, "PUMP-B", 10)]
    moments = [((1_767_268_800 + n) * 10**9, frame) for n, frame in enumerate(frames)]
    capture = tmp_path / "ward.pcap"
    capture.write_bytes(made.pcap(moments))
    assert say("replay", str(capture), home=home).status == 0
    rows = [json.loads(line) for line in say("batteries", "--json").out.splitlines()]
    assert [(row["equipment"], row["percent"]) for row in rows] == [("PUMP-B", 10), ("PUMP-A", 80)]
    assert "PUMP-B" in say("batteries").out
