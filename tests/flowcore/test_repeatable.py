"""With the same seed the same input comes out the same; without one, tables cannot be aimed at."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from medwarden.flowcore import CaptureReader, FlowCore, FlowCoreConfig
from medwarden.kernel.errors import ConfigurationError

WARD = Path(__file__).resolve().parents[2] / "src" / "medwarden" / "app" / "demo" / "ward.pcap.gz"


def handed_off(seed: bytes) -> list[tuple[int, int, bytes]]:
    """Return time, flow and payload of everything handed off of the ward."""
    core = FlowCore(
        FlowCoreConfig(
            datagram_ports=frozenset({53, 67, 161, 5353, 24005}), ethertypes=frozenset({0x0806}), seed=seed
        )
    )
    capture = gzip.decompress(WARD.read_bytes())
    reader = CaptureReader(core, "ward")
    at, taken = 0, []
    while at < len(capture):
        at += reader.feed(capture, at, True)
        taken += [(s.ts_ns, s.flow_id, s.payload) for s in core.take_segments()]
    return taken


def test_the_same_seed_hands_off_the_same() -> None:
    seed = bytes(range(16))
    first = handed_off(seed)
    assert len(first) > 300
    assert handed_off(seed) == first


def test_a_seed_has_sixteen_bytes() -> None:
    with pytest.raises(ConfigurationError, match="16 bytes"):
        FlowCoreConfig(seed=b"short")
