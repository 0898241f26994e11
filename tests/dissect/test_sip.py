from __future__ import annotations

from collections.abc import Callable

import pytest

from medwarden.dissect.sip import SipDissector
from medwarden.kernel.errors import MalformedInput

Converse = Callable[..., set[tuple[str, str, str]]]

REGISTER = (
    b"REGISTER sip:pbx.example.org SIP/2.0\r\nFrom: <sip:4711@pbx>;tag=1\r\n"
    b'Contact: <sip:4711@192.0.2.5>;+sip.instance="<urn:uuid:00000000-0000-1000-8000-00085d112233>"\r\n'
    b'Authorization: Digest username="4711", response="x"\r\nUser-Agent: Aastra 6731i/3.2.2\r\n'
    b"l: 4\r\n\r\nbody"
)
ANSWER = (
    b'SIP/2.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm="pbx"\r\nServer: FPBX-15\r\n'
    b"Content-Length: 0\r\n\r\n"
)

TOLD = {
    ("sip.method", "REGISTER", "client"),
    ("sip.user_agent", "Aastra 6731i/3.2.2", "client"),
    ("sip.auth_scheme", "digest", "client"),
    ("sip.instance", "urn:uuid:00000000-0000-1000-8000-00085d112233", "client"),
    ("sip.mac", "00:08:5d:11:22:33", "client"),
}
ANSWERED = {("sip.server", "FPBX-15", "server"), ("sip.auth_scheme", "digest", "server")}


def test_over_tcp(converse: Converse) -> None:
    assert (
        converse(SipDissector, ("client", REGISTER + b"\r\n\r\n" + REGISTER), ("server", ANSWER))
        == TOLD | ANSWERED
    )


def test_over_udp(datagram: Converse) -> None:
    assert datagram(SipDissector, "client", REGISTER) == TOLD
    assert datagram(SipDissector, "server", ANSWER) == ANSWERED
    assert datagram(SipDissector, "client", b"\r\n\r\n") == set()


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n\r\n", b"\x00\x01\r\n\r\n", b"BYE x SIP/2.0\r\nl: many\r\n\r\n"]
)
def test_what_is_no_sip_is_malformed(converse: Converse, data: bytes) -> None:
    with pytest.raises(MalformedInput):
        converse(SipDissector, ("client", data))


def test_recognition() -> None:
    assert SipDissector.recognises(REGISTER, True)
    assert SipDissector.recognises(ANSWER, False)
    assert not SipDissector.recognises(b"OPTIONS * HTTP/1.1\r\n\r\n", True)
