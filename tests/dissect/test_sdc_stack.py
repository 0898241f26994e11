"""SDC as sdc11073 really speaks it: a provider and a consumer on the loopback, heard frame by frame."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from medwarden.dissect.observer import Observer
from medwarden.flowcore import CaptureReader, FlowCore, FlowCoreConfig

pytest.importorskip("sdc11073")

PATIENT = ("Quintessa", "Abendroth")
_ETH_P_ALL = 3


class Ear:
    """Every frame on the loopback interface, as a capture file in memory."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
        self._socket.bind(("lo", 0))
        self._socket.settimeout(0.2)
        self._stop = threading.Event()
        self._frames: list[tuple[float, bytes]] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while not self._stop.is_set():
            with suppress(TimeoutError):
                frame, address = self._socket.recvfrom(1 << 17)
                # each frame of the loopback is seen leaving and arriving: the first is enough
                if address[2] != socket.PACKET_OUTGOING:
                    self._frames.append((time.time(), frame))

    def close(self) -> bytes:
        """Stop listening and return the capture (libpcap, Ethernet)."""
        self._stop.set()
        self._thread.join(10)
        self._socket.close()
        head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, 1)
        records = (
            struct.pack("<IIII", int(at), int(at % 1 * 1e6), len(frame), len(frame)) + frame
            for at, frame in self._frames
        )
        return head + b"".join(records)


def heard(capture: bytes, tmp_path: Path) -> tuple[set[tuple[str, str]], set[str], dict[str, int]]:
    """Return (field, value) pairs, applications and malformed counts of a capture."""
    path = tmp_path / "loopback.pcap"
    path.write_bytes(capture)
    observer = Observer(b"k" * 32)
    interest = observer.core_interest
    core = FlowCore(
        FlowCoreConfig(
            stream_ports=interest.stream_ports,
            stream_starts=interest.stream_starts,
            datagram_ports=interest.datagram_ports,
            ethertypes=interest.ethertypes,
        )
    )
    reader = CaptureReader(core, path.name)
    at = 0
    while at < len(capture):
        at += reader.feed(capture, at, final=True)
    core.take_flows(final=True)
    facts = [fact for segment in core.take_segments() for fact in observer.observe(segment)]
    return (
        {(f.field, f.value) for f in facts},
        set(observer.applications().values()),
        dict(observer.malformed),
    )


def test_provider_and_consumer_are_told_apart_and_the_patient_is_not(tmp_path: Path) -> None:
    try:
        ear = Ear()
    except PermissionError:
        pytest.skip("listening on the loopback needs CAP_NET_RAW")
    here = Path(__file__).parent
    try:
        stack = subprocess.run(
            [sys.executable, "-W", "ignore", str(here / "sdc_stack.py"), str(here / "sdc_mdib.xml")],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        capture = ear.close()
    assert stack.stdout == "done\n", stack.stderr
    facts, applications, malformed = heard(capture, tmp_path)
    assert "sdc" in applications
    assert not {name for name in malformed if name.startswith("sdc") or name.endswith("!defect")}
    assert {
        ("sdc.role", "provider"),
        ("sdc.role", "consumer"),
        ("sdc.manufacturer", "Exemplar Medical"),
        ("sdc.model_name", "Breather 5"),
        ("sdc.model_number", "5.1"),
        ("sdc.friendly_name", "Ventilator ICU 3"),
        ("sdc.firmware_version", "2.04.1"),
        ("sdc.serial_number", "EX-0042"),
        ("sdc.device_type", "MedicalDevice"),
        ("sdc.mds_type", "MDC_DEV_SYS_PT_VENT_MDS"),
        ("sdc.udi_di", "00812345678901"),
        ("sdc.facility", "HOSP1"),
        ("sdc.building", "B"),
        ("sdc.floor", "3"),
        ("sdc.location", "ICU"),
        ("sdc.room", "312"),
        ("sdc.bed", "Bed4"),
        ("sdc.operating_mode", "normal"),
        ("sdc.activation", "on"),
        ("sdc.subscribes", "EpisodicMetricReport"),
        ("sdc.reports", "EpisodicMetricReport"),
        ("sdc.active_alarm", "yes"),
        ("sdc.patient_state", "associated"),
        ("sdc.patient_data", "yes"),
    } <= facts
    assert not [fact for fact in facts if any(word.lower() in fact[1].lower() for word in PATIENT)]
