from __future__ import annotations

from collections.abc import Callable

import pytest

from medwarden.dissect.tftp import TftpDissector
from medwarden.kernel.errors import MalformedInput

Converse = Callable[..., set[tuple[str, str, str]]]


@pytest.mark.parametrize(
    ("name", "fact"),
    [
        (b"CTLSEP0004F2AABBCC.tlv", ("tftp.device_name", "SEP0004F2AABBCC")),
        (b"SEP0004F2AABBCC.cnf.xml.sgn", ("tftp.device_name", "SEP0004F2AABBCC")),
        (b"pxelinux.cfg/01-02-00-5e-00-00-01", ("tftp.mac", "02:00:5e:00:00:01")),
        (b"0004F2AABBCC-phone.cfg", ("tftp.mac", "00:04:f2:aa:bb:cc")),
        (b"term75.default.loads", ("tftp.file", "term75.default.loads")),
    ],
)
def test_names_that_are_a_devices(datagram: Converse, name: bytes, fact: tuple[str, str]) -> None:
    told = datagram(TftpDissector, "client", b"\0\x01" + name + b"\0octet\0")
    assert told == {("tftp.request", "read", "client"), (*fact, "client")}


@pytest.mark.parametrize("name", [b"000000000000.txt", b"Doe_Jane_1970.pdf", b"../../etc/passwd"])
def test_other_names_stay_unsaid(datagram: Converse, name: bytes) -> None:
    assert datagram(TftpDissector, "client", b"\0\x02" + name + b"\0octet\0") == {
        ("tftp.request", "write", "client")
    }


def test_blocks_and_answers_say_nothing(datagram: Converse) -> None:
    assert datagram(TftpDissector, "server", b"\0\x03\0\x01data") == set()
    assert datagram(TftpDissector, "client", b"\0\x04\0\x01") == set()


@pytest.mark.parametrize("payload", [b"\0\x01name", b"\0\x01name\0fast\0"])
def test_broken_requests(datagram: Converse, payload: bytes) -> None:
    with pytest.raises(MalformedInput):
        datagram(TftpDissector, "client", payload)
    assert not TftpDissector.recognises(payload, True)
