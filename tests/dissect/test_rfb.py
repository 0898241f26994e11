from __future__ import annotations

from collections.abc import Callable

import pytest

from medwarden.dissect.rfb import RfbDissector
from medwarden.kernel.errors import MalformedInput

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
