"""What a hostile network or log says: facts or one named error, the next device heard, memory flat.

Each input is read by a process of its own, whose largest size the system measured, and holds a sound message
behind the hostile one: that nothing else is lost is part of every test.
"""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.flowcore import packets as made
from tests.product.patients import Talk, datagram
from tests.sensors.logs.exports import ip4, netflow9, row, set_of, template9, template10
from tests.sensors.logs.exports import ipfix as ipfix_message

from medwarden.model.log_source import LogSetting
from medwarden.sensors.logs.netflow9 import Netflow9

MIB = 1 << 20
ROOMY = 400 * MIB
"""Resident bytes a process may come to; with nothing to read it has 150 MiB, most of it libraries."""

READ = """
import json, sys
from pathlib import Path
from medwarden.app.intake import take_in
from medwarden.app.log_intake import setting_of, take_in_log
from medwarden.sensors.logs.registry import parser_named

form, key = sys.argv[1], b"k" * 32
for path in map(Path, sys.argv[2:]):
    facts, flows = set(), 0

    def sink(batch, report=None):
        global flows
        flows += batch.flows.num_rows
        facts.update((fact.evidence.field, fact.evidence.value) for fact in batch.facts)

    if form == "capture":
        report = take_in(path, key, sink)
        count = report.packets
    else:
        report = take_in_log(path, parser_named(form), setting_of(key), sink)
        count = report.records
    status = Path("/proc/self/status").read_text()
    print(json.dumps({
        "read": count.read, "kept": count.parsed, "rejected": count.rejected, "dropped": count.dropped,
        "reasons": dict(report.rejected_reasons), "malformed": report.malformed, "error": report.error,
        "flows": flows, "facts": sorted(facts), "size": int(status.partition("VmHWM:")[2].split()[0]) * 1024,
    }))
"""


class Read(NamedTuple):
    """What became of an input: its account and what was told."""

    account: dict[str, Any]
    facts: set[tuple[str, str]]


def read(form: str, *paths: Path) -> list[Read]:
    """Read the inputs in a process of its own, one after the other, and hold each to its bounds."""
    done = subprocess.run(
        [sys.executable, "-c", READ, form, *map(str, paths)],
        capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    accounts = [json.loads(line) for line in done.stdout.splitlines()]
    for path, account in zip(paths, accounts, strict=True):
        assert account["read"] == account["kept"] + account["rejected"] + account["dropped"], path.name
        assert account["size"] < ROOMY, f"{path.name}: {account['size'] >> 20} MiB"
    return [Read(a, {(field, value) for field, value in a["facts"]}) for a in accounts]


def captured(folder: Path, said: dict[str, list[bytes]]) -> dict[str, Read]:
    """Read a capture for each name, of its frames."""
    paths = []
    for number, frames in enumerate(said.values()):
        paths.append(folder / f"{number}.pcap")
        paths[-1].write_bytes(made.pcap((made.START + n * 1_000, frame) for n, frame in enumerate(frames)))
    heard = dict(zip(said, read("capture", *paths), strict=True))
    for name, one in heard.items():
        assert one.account["error"] is None, name
        assert one.account["rejected"] == 0, name
        # While nobody has understood a connection, each of its first segments is tried.
        assert sum(one.account["malformed"].values()) <= 8, name
    return heard


def talks(port: int, *data: bytes) -> list[bytes]:
    """Return connections to ``port`` of different devices, in each of which one says ``data``."""
    frames: list[bytes] = []
    for number, each in enumerate(data):
        talk = Talk(11 + number, 21 + number, port, 40_000 + number)
        talk.say(True, each)
        frames += talk.end()
    return frames


# -- DICOM (PS3.8)


def _item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(body)) + body


def _associate(titles: bytes, contexts: bytes) -> bytes:
    body = struct.pack(">HH", 1, 0) + titles + bytes(32) + _item(0x10, b"1.2.840.10008.3.1.1.1") + contexts
    body += _item(0x50, _item(0x51, struct.pack(">I", 16_384)) + _item(0x52, b"1.2.276.0.7230010.3.0.3.6.7"))
    return struct.pack(">BBI", 1, 0, len(body)) + body


_CONTEXT = _item(
    0x20, b"\1\0\0\0" + _item(0x30, b"1.2.840.10008.5.1.4.1.1.2") + _item(0x40, b"1.2.840.10008.1.2")
)
_SOUND = _associate(b"ARCHIVE".ljust(16) + b"CT_ZENTRAL".ljust(16), _CONTEXT)


def _data(value: bytes, flags: int = 2) -> bytes:
    pdv = struct.pack(">IBB", len(value) + 2, 1, flags) + value
    return struct.pack(">BBI", 4, 0, len(pdv)) + pdv


def _store() -> bytes:
    """Return a C-STORE-RQ command (PS3.7 table 9.3-1), cut to what a reader needs."""
    uid = b"1.2.840.10008.5.1.4.1.1.2\0"
    elements = b""
    for tag, value in ((0x0002, uid), (0x0100, b"\1\0"), (0x0110, b"\1\0"), (0x0800, b"\1\0")):
        elements += struct.pack("<HHI", 0, tag, len(value)) + value
    return _data(struct.pack("<HHII", 0, 0, 4, len(elements)) + elements, 3)


_NESTED = struct.pack("<HHIHHI", 0x0008, 0x1140, 0xFFFFFFFF, 0xFFFE, 0xE000, 0xFFFFFFFF) * 10_000
DICOM = {
    "a PDU of 4 GiB": struct.pack(">BBI", 4, 0, 0xFFFFFFFF) + bytes(8 * MIB),
    "an association of 4 GiB": struct.pack(">BBI", 1, 0, 0xFFFFFFFF) + bytes(8 * MIB),
    "an element of 4 GiB": _SOUND
    + _store()
    + _data(struct.pack("<HHI", 0x0008, 0x0070, 0xFFFFFFFE) + bytes(60_000)) * 100,
    "ten thousand nested sequences": _SOUND + _store() + _data(_NESTED[:65_000], 0) + _data(_NESTED[65_000:]),
    "ten thousand contexts": _associate(b"ARCHIVE".ljust(16) + b"MANY".ljust(16), _CONTEXT * 10_000),
    "pixel data without end": _SOUND
    + _store()
    + _data(b"\xe0\x7f\x10\0\xff\xff\xff\xff", 0)
    + _data(bytes(60_000), 0) * 200,
}


def test_dicom(tmp_path: Path) -> None:
    heard = captured(tmp_path, {name: talks(104, data, _SOUND) for name, data in DICOM.items()})
    for name, one in heard.items():
        assert ("dicom.ae_title", "CT_ZENTRAL") in one.facts, name
        assert set(one.account["malformed"]) <= {"dicom"}, name
    for name in ("a PDU of 4 GiB", "an association of 4 GiB", "ten thousand nested sequences"):
        assert set(heard[name].account["malformed"]) == {"dicom"}, name


# -- HL7 v2

_MESSAGE = (
    b"\x0bMSH|^~\\&|MONITORS|ICU|EHR|HOSPITAL|2026||ORU^R01^ORU_R01|1|P|2.5.1\r"
    b"OBX|1|NM|HR||72||||||F|||||||MON-17^Carescape B650\r\x1c\r"
)
HL7 = {
    "a block that never ends": b"\x0bMSH|^~\\&|EVIL|X|EHR|H|2026||ORU^R01|1|P|2.5.1\r"
    + b"NTE|1||x\r" * 200_000,
    "a segment of 100 MB": b"\x0bMSH|^~\\&|EVIL|X|EHR|H|2026||ORU^R01|1|P|2.5.1\rOBX|1|ED|"
    + b"A" * 100_000_000,
    "a hundred thousand fields": b"\x0bMSH|^~\\&|EVIL|X|EHR|H|2026||ORU^R01|1|P|2.5.1\rOBX"
    + b"|" * 100_000
    + b"\r\x1c\r",
    "repetitions without end": b"\x0bMSH|^~\\&|EVIL|X|EHR|H|2026||ORU^R01|1|P|2.5.1\rPRT|1|AD||EQUIP||||||"
    + b"A^B~" * 50_000
    + b"\r\x1c\r",
}


def test_hl7(tmp_path: Path) -> None:
    heard = captured(tmp_path, {name: talks(2_575, data, _MESSAGE) for name, data in HL7.items()})
    for name, one in heard.items():
        assert ("hl7.source_model", "Carescape B650") in one.facts, name
        assert ("hl7.sending_application", "EVIL") in one.facts, name


# -- BACnet/IP (ASHRAE 135 annex J, clauses 6 and 20)


def _i_am(instance: int, vendor: int) -> bytes:
    apdu = (
        b"\x10\0\xc4"
        + struct.pack(">I", 8 << 22 | instance)
        + b"\x22\x05\xc4\x91\x03\x22"
        + struct.pack(">H", vendor)
    )
    return struct.pack(">BBH", 0x81, 0x0B, 6 + len(apdu)) + b"\1\0" + apdu


def _bvlc(body: bytes, length: int | None = None) -> bytes:
    return struct.pack(">BBH", 0x81, 0x0A, 4 + len(body) if length is None else length) + body


BACNET = {
    "a length of 65,535": _bvlc(b"\1\0\x10\0", 0xFFFF),
    "a length of nothing": _bvlc(b"\1\0\x10\0", 0),
    "ten thousand opened tags": _bvlc(b"\1\0\x30\1\x0c\x0c\2\0\0\7\x19\x4d\x3e" + b"\x0e" * 10_000),
    "a text of 4 GiB": _bvlc(b"\1\0\x30\1\x0c\x0c\2\0\0\7\x19\x4d\x3e\x75\xff\xff\xff\xff\xff\0x"),
    "addresses longer than the message": _bvlc(b"\1\x28\xff\xff\xff\xff\xff\xff\xff\x10\0"),
    "an I-Am cut within its instance": _bvlc(b"\1\0\x10\0\xc4\2"),
}


def test_bacnet(tmp_path: Path) -> None:
    sound = datagram(14, 24, 47_808, _i_am(7, 42))
    heard = captured(tmp_path, {n: [*[datagram(13, 23, 47_808, d)] * 3, sound] for n, d in BACNET.items()})
    for name, one in heard.items():
        assert ("bacnet.device_instance", "7") in one.facts, name
        assert ("bacnet.vendor_id", "42") in one.facts, name
        assert set(one.account["malformed"]) <= {"bacnet"}, name


# -- logs


def logged(path: Path, data: bytes, form: str) -> Read:
    path.write_bytes(data)
    (one,) = read(form, path)
    return one


_CONN = (
    b'{"_path":"conn","ts":1700000000.0,"uid":"C1","id.orig_h":"10.0.0.5","id.orig_p":50000,"id.resp_h":'
    b'"10.0.0.9","id.resp_p":104,"proto":"tcp","duration":1.0,"orig_bytes":10,"resp_bytes":20,"conn_state":"SF"}\n'
)


def test_log_lines_of_ten_megabytes(tmp_path: Path) -> None:
    overlong = b'{"_path":"conn","uid":"' + b"x" * 10_000_000 + b'"}\n'
    heard = logged(tmp_path / "conn.log", (_CONN + overlong) * 3 + _CONN, "zeek")
    assert heard.account["kept"] == 4
    assert heard.account["rejected"] == 3
    assert heard.account["flows"] == 4
    assert f"conn.log, byte {len(_CONN)}" in heard.account["error"]


def test_binary_in_syslog(tmp_path: Path) -> None:
    sound = (
        b"<134>Jan  2 03:04:05 fw01 dhcpd[7]: DHCPACK on 10.0.0.5 to 02:00:00:00:00:01 (pump-7) via eth0\n"
    )
    noise = bytes(range(256)).replace(b"\n", b"") * 400 + b"\n" + b"\xff\xfe" * 3_000 + b"\n<999>\0\0\0\n"
    heard = logged(tmp_path / "syslog", sound + noise + sound, "isc_dhcp")
    assert heard.account["kept"] >= 2
    assert ("dhcp.host_name", "pump-7") in heard.facts
    assert heard.account["error"] is None or f"syslog, byte {len(sound)}" in heard.account["error"]


def _archive(members: Iterator[tuple[str, bytes]]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in members:
            packed.writestr(name, data)
    return stream.getvalue()


def test_a_spreadsheet_that_is_a_bomb(tmp_path: Path) -> None:
    sheets = ((f"xl/worksheets/sheet{n}.xml", b" " * (64 * MIB)) for n in range(8))
    heard = logged(tmp_path / "inventory.xlsx", _archive(sheets), "inventory_table")
    assert heard.account["flows"] == 0
    assert heard.facts == set()
    assert "inventory.xlsx" in heard.account["error"]
    assert "unpacks to more than" in heard.account["error"]


_FIELDS = [(8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (1, 4), (2, 4)]


def test_templates_that_change_without_end_in_a_file(tmp_path: Path) -> None:
    messages = []
    for number in range(4_000):
        fields = [(8, 4), (12, 4), *[(210, 1 + number % 200)] * (1 + number % 60)]
        messages.append(ipfix_message([template10(256 + number % 3, fields)], number, domain=number % 500))
        messages.append(ipfix_message([set_of(256 + number % 3, bytes(1_000))], number, domain=number % 500))
    heard = logged(tmp_path / "flows.ipfix", b"".join(messages), "ipfix_file")
    assert heard.account["read"] >= 4_000


def test_netflow_templates_that_change_with_every_datagram() -> None:
    parser = Netflow9("exporter", LogSetting(b"k" * 32, now_ns=1_700_000_000_000_000_000))
    sound = row("10.0.0.5", "10.0.0.9", (50_000, 104))
    assert ip4("10.0.0.5") in sound
    tracemalloc.start()
    try:
        for number in range(6_000):
            turned = _FIELDS[number % 7 :] + _FIELDS[: number % 7] + [(210, 1 + number % 97)] * (number % 40)
            sets = [template9(256 + number % 60_000, turned), set_of(256 + number % 60_000, bytes(400))]
            parser.feed(netflow9(sets, number, domain=number % 2_000), 0)
            if number % 1_000 == 0:
                parser.take()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 64 * MIB, f"{peak >> 20} MiB"
    assert parser.tally.count.balanced()
