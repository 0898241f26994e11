from __future__ import annotations

from collections.abc import Callable

import pytest

from medwarden.dissect.rtsp import RtspDissector
from medwarden.kernel.errors import MalformedInput

Converse = Callable[..., set[tuple[str, str, str]]]

REQUEST = b"DESCRIBE rtsp://192.0.2.9/patient/4711 RTSP/1.0\r\nCSeq: 1\r\nUser-Agent: LibVLC/3.0.16\r\n\r\n"
ANSWER = (
    b'RTSP/1.0 401 Unauthorized\r\nServer: Dahua Rtsp Server\r\nWWW-Authenticate: Basic realm="Camera 4"\r\n'
    b"Content-Length: 3\r\n\r\nabc"
)


def test_camera_and_viewer(converse: Converse) -> None:
    told = converse(
        RtspDissector,
        ("client", REQUEST + b"PLAY rtsp://x RTSP/1.0\r\nAuthorization: Basic YTpi\r\n\r\n"),
        ("server", ANSWER + b"$\0\0\x05media" + b"RTSP/1.0 200 OK\r\nServer: second\r\n\r\n"),
    )
    assert told == {
        ("rtsp.user_agent", "LibVLC/3.0.16", "client"),
        ("rtsp.auth_scheme", "basic", "client"),
        ("rtsp.server", "Dahua Rtsp Server", "server"),
        ("rtsp.auth_scheme", "basic", "server"),
        ("rtsp.realm", "Camera 4", "server"),
        ("rtsp.server", "second", "server"),
    }


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", b"a" * 9000])
def test_what_is_no_rtsp_is_malformed(converse: Converse, data: bytes) -> None:
    with pytest.raises(MalformedInput):
        converse(RtspDissector, ("client", data))


def test_recognition() -> None:
    assert RtspDissector.recognises(REQUEST, True)
    assert RtspDissector.recognises(ANSWER, False)
    assert not RtspDissector.recognises(b"OPTIONS sip:x SIP/2.0\r\n\r\n", True)
