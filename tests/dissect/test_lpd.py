from __future__ import annotations

from collections.abc import Callable

import pytest

from medwarden.dissect.lpd import LpdDissector
from medwarden.kernel.errors import MalformedInput

Converse = Callable[..., set[tuple[str, str, str]]]


def test_a_question_for_the_queue(converse: Converse) -> None:
    assert converse(LpdDissector, ("client", b"\x04lab-2 jane\n")) == {
        ("lpd.role", "client", "client"),
        ("lpd.role", "printer", "server"),
        ("lpd.queue", "lab-2", "server"),
    }


def test_a_data_file_first(converse: Converse) -> None:
    told = converse(
        LpdDissector, ("client", b"\x02q\n\x039 dfA001pc-9\nDoe, Jane\0\x025 cfA001pc-9\nHpc-9\0")
    )
    assert ("lpd.host_name", "pc-9", "client") in told
    assert not [value for _, value, _ in told if "Doe" in value]


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n", b"\x02" + b"q" * 600])
def test_what_is_no_command_is_malformed(converse: Converse, data: bytes) -> None:
    with pytest.raises(MalformedInput):
        converse(LpdDissector, ("client", data))
    assert not LpdDissector.recognises(data, True)
