from __future__ import annotations

from collections.abc import Callable

import pytest

from medwarden.dissect.fox import FoxDissector
from medwarden.kernel.errors import MalformedInput

Converse = Callable[..., set[tuple[str, str, str]]]


def test_only_the_hello_is_read(converse: Converse) -> None:
    hello = b"fox a 0 -1 fox hello\n{\nstation.name=s:OR_1\nbrandId=s:distech\n};;\n"
    login = b"fox a 1 -1 fox login\n{\nusername=s:jane\nhostName=s:WS-JANE\n};;\n"
    assert converse(FoxDissector, ("server", hello + login)) == {
        ("fox.role", "station", "server"),
        ("fox.station_name", "OR_1", "server"),
        ("fox.brand", "distech", "server"),
    }
    assert converse(FoxDissector, ("client", login)) == set()


def test_lines_without_a_type_are_passed_over(converse: Converse) -> None:
    hello = b"fox a 1 -1 fox hello\n{\nhostName\nhostName=x\nos.name=s:QNX\n};;"
    assert converse(FoxDissector, ("client", hello)) == {
        ("fox.role", "client", "client"),
        ("fox.os_name", "QNX", "client"),
    }


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n", b"fox b 1", b"fox a " + b"x" * 9000])
def test_what_is_no_fox_is_malformed(converse: Converse, data: bytes) -> None:
    with pytest.raises(MalformedInput):
        converse(FoxDissector, ("client", data))
