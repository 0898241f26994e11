"""Make and read bulk imaging traffic: few C-STORE associations, frames of 1,400 bytes of payload.

python bench/bulk.py [--megabytes 1000]
"""

from __future__ import annotations

import argparse
import json
import struct
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from engines import cpu_seconds  # noqa: E402

FLOWS = 8
FRAME_PAYLOAD = 1400
CT_STORAGE = b"1.2.840.10008.5.1.4.1.1.2"
IMPLICIT_LITTLE = b"1.2.840.10008.1.2"


def _item(kind: int, body: bytes) -> bytes:
    return struct.pack("!BBH", kind, 0, len(body)) + body


def association_request() -> bytes:
    """Return an A-ASSOCIATE-RQ for CT images (DICOM PS3.8 section 9.3.2)."""
    context = b"\x01\0\0\0" + _item(0x30, CT_STORAGE) + _item(0x40, IMPLICIT_LITTLE)
    user = _item(0x51, struct.pack("!I", 16384)) + _item(0x52, b"1.2.3.4") + _item(0x55, b"BULK_1")
    items = _item(0x10, b"1.2.840.10008.3.1.1.1") + _item(0x20, context) + _item(0x50, user)
    body = b"\0\x01\0\0" + b"ARCHIVE".ljust(16) + b"SCANNER".ljust(16) + bytes(32) + items
    return struct.pack("!BBI", 1, 0, len(body)) + body


def _element(group: int, element: int, value: bytes) -> bytes:
    return struct.pack("<HHI", group, element, len(value)) + value


def image_stream(size: int) -> bytes:
    """Return P-DATA-TF PDUs of one C-STORE request whose pixel data fill ``size`` bytes."""
    uid = CT_STORAGE + b"\0"
    parts = _element(0, 2, uid) + _element(0, 0x100, b"\x01\0") + _element(0, 0x110, b"\x01\0")
    parts += _element(0, 0x700, b"\0\0") + _element(0, 0x800, b"\0\0") + _element(0, 0x1000, b"1.2.3.4.5\0")
    command = _element(0, 0, struct.pack("<I", len(parts))) + parts
    head = _element(8, 0x60, b"CT") + _element(8, 0x70, b"MAKER ") + _element(8, 0x1090, b"MODEL ")
    data = head + struct.pack("<HHI", 0x7FE0, 0x10, size) + bytes(size)
    stream = bytearray(_pdu(3, command))
    for at in range(0, len(data), 16000):
        stream += _pdu(0 if at + 16000 < len(data) else 2, data[at : at + 16000])
    return bytes(stream)


def _pdu(flags: int, fragment: bytes) -> bytes:
    value = struct.pack("!IBB", len(fragment) + 2, 1, flags) + fragment
    return struct.pack("!BBI", 4, 0, len(value)) + value


def make_capture(target: Path, megabytes: int) -> tuple[int, int]:
    """Write the capture; returns packets and bytes of packets."""
    stream = association_request() + image_stream(8_000_000)
    packets = size = number = 0
    places = [0] * FLOWS
    with target.open("wb", buffering=1 << 20) as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
        while size < megabytes * 1_000_000:
            flow = number % FLOWS
            place = places[flow]
            turn, at = divmod(place, len(stream))
            payload = stream[at : at + FRAME_PAYLOAD]
            places[flow] = turn * len(stream) + min(at + FRAME_PAYLOAD, len(stream))
            tcp = struct.pack("!HHIIBBHHH", 40_000 + flow, 104, place & 0xFFFFFFFF, 0, 0x50, 24, 8192, 0, 0)
            ip = struct.pack("!BBHHHBBH", 0x45, 0, 40 + len(payload), 0, 0x4000, 64, 6, 0)
            ends = bytes((10, 7, 0, 10 + flow, 10, 7, 1, 1))
            frame = b"\x02\0\0\0\1\1\x02\0\0\0\0" + bytes((flow,)) + b"\x08\0" + ip + ends + tcp + payload
            out.write(
                struct.pack(
                    "<IIII", 1_700_000_000 + packets // 800_000, packets % 800_000, len(frame), len(frame)
                )
            )
            out.write(frame)
            packets += 1
            size += len(frame)
            number += 1
    return packets, size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1000)
    options = parser.parse_args()
    from medwarden.app.intake import take_in

    facts: set[tuple[str, str]] = set()
    with tempfile.TemporaryDirectory(prefix="medwarden-bench-") as folder:
        capture = Path(folder) / "bulk.pcap"
        packets, size = make_capture(capture, options.megabytes)
        take_in(capture, b"\0" * 32, lambda _batch: None)  # warm, and the file in memory
        begin = cpu_seconds()
        report = take_in(
            capture,
            b"\0" * 32,
            lambda batch: facts.update((f.evidence.field, f.evidence.value) for f in batch.facts),
        )
        seconds = cpu_seconds() - begin
    assert report.packets.parsed == packets
    assert ("dicom.modality", "CT") in facts
    print(json.dumps({"packets": packets, "bytes": size, "seconds": seconds}))


if __name__ == "__main__":
    main()
