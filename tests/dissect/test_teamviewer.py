from __future__ import annotations

from collections.abc import Callable

import pytest

from medwarden.dissect.teamviewer import TeamviewerDissector
from medwarden.kernel.errors import MalformedInput

Converse = Callable[..., set[tuple[str, str, str]]]


def test_over_udp_the_mark_stands_behind_a_head(datagram: Converse) -> None:
    assert datagram(TeamviewerDissector, "client", b"\0" * 10 + b"\x17\x24\0\0") == {
        ("teamviewer.role", "client", "client")
    }
    assert datagram(TeamviewerDissector, "client", b"\0\0") == set()


def test_other_messages_are_malformed_and_other_ports_not_claimed(converse: Converse) -> None:
    with pytest.raises(MalformedInput):
        converse(TeamviewerDissector, ("client", b"GET / HTTP/1.1"))
    assert not TeamviewerDissector.recognises(b"\x17\x24\0\0", True)
