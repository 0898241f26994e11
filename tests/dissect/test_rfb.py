from __future__ import annotations

from collections.abc import Callable

import pytest

from medwarden.dissect.observer import Observer
from medwarden.dissect.rfb import RfbDissector
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport

Converse = Callable[..., set[tuple[str, str, str]]]


def test_a_refusal_is_told(converse: Converse) -> None:
    told = converse(
        RfbDissector,
        ("server", b"RFB 003.008\n"),
        ("client", b"RFB 003.008\n"),
        ("server", b"\x00\0\0\0\x04full"),
    )
    assert ("rfb.security", "invalid", "server") in told


def test_the_screen_is_not_read(converse: Converse) -> None:
    told = converse(
        RfbDissector, ("server", b"RFB 003.008\n"), ("client", b"RFB 003.008\n"),
        ("server", b"\x01\x01" + b"\0\0\0\0" + b"Doe, Jane"), ("client", b"\x01\x01" + b"keys"),
    )  # fmt: skip
    assert {value for _, value, _ in told} == {"server", "viewer", "3.8", "none"}


@pytest.mark.parametrize("data", [b"SSH-2.0-x\r\n....", b"RFB 3.8\n.....", b"RFB 003.00x\n"])
def test_what_is_no_version_is_malformed(converse: Converse, data: bytes) -> None:
    with pytest.raises(MalformedInput):
        converse(RfbDissector, ("server", data))


def test_flows_go_by_the_name_that_risk_factors_know() -> None:
    observer = Observer(b"k" * 32)
    segment = Segment(
        1,
        7,
        Transport.TCP,
        None,
        None,
        "192.0.2.20",
        "192.0.2.10",
        5900,
        50000,
        None,
        False,
        b"RFB 003.008\n",
    )
    assert {fact.field for fact in observer.observe(segment)} == {"rfb.role", "rfb.version"}
    assert observer.applications() == {7: "vnc"}
