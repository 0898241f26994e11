from __future__ import annotations

import base64
import gzip
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.http import HttpDissector, public_path
from medwarden.kernel.errors import MalformedInput

Converse = Callable[..., set[tuple[str, str, str]]]

REQUEST = (
    b"GET /cgi-bin/status.cgi?patient=DOE^JOHN HTTP/1.1\r\nHost: pacs.example.org:8042\r\n"
    b"User-Agent: Viewer/3.1 (embedded)\r\n\r\n"
)


def test_both_sides_say_what_they_are(converse: Converse) -> None:
    told = converse(
        HttpDissector,
        ("client", REQUEST),
        (
            "server",
            b"HTTP/1.1 200 OK\r\nServer: lighttpd/1.4.35\r\nContent-Type: text/plain\r\n"
            b"Content-Length: 2\r\n\r\nok",
        ),
    )
    assert told == {
        ("http.method", "GET", "client"),
        ("http.user_agent", "Viewer/3.1 (embedded)", "client"),
        ("http.host", "pacs.example.org:8042", "client"),
        ("http.path", "/cgi-bin/status.cgi", "client"),
        ("http.status", "200", "server"),
        ("http.server", "lighttpd/1.4.35", "server"),
        ("http.content_type", "text/plain", "server"),
    }


def test_a_title_is_found_in_a_page_that_only_the_close_ends(converse: Converse) -> None:
    page = (
        b"HTTP/1.0 200 OK\r\nServer: GoAhead\r\n\r\n<html><head><TITLE>\n Syringe &amp; Pump </TITLE></head>"
    )
    told = converse(HttpDissector, ("client", b"GET / HTTP/1.0\r\n\r\n"), ("server", page))
    assert ("http.title", "Syringe & Pump", "server") in told


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize("path", ["/worklist/4711", "/patients/doe.html", "/index.html?id=4711"])
def test_a_title_of_an_inner_page_stays_unsaid(converse: Converse, path: str, status: int) -> None:
    page = b"<title>DOE^JOHN 4711</title>"
    head = f"HTTP/1.1 {status} X\r\nContent-Type: text/html\r\nContent-Length: {len(page)}\r\n\r\n"
    response = head.encode() + page
    told = converse(HttpDissector, ("client", f"GET {path} HTTP/1.1\r\n\r\n".encode()), ("server", response))
    assert not [fact for fact in told if "DOE" in fact[1] or "4711" in fact[1]]


def test_a_title_in_a_compressed_chunked_page(converse: Converse) -> None:
    page = gzip.compress(b"<html><title>NetBotz Rack Monitor</title>", mtime=0)
    chunks = b"".join(
        b"%x;x=y\r\n%s\r\n" % (len(page[i : i + 9]), page[i : i + 9]) for i in range(0, len(page), 9)
    )
    response = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n"
        b"Content-Type: text/html\r\n\r\n"
        + chunks
        + b"0\r\nX-Trailer: 1\r\n\r\nHTTP/1.1 404 Not Found\r\nServer: second\r\nContent-Length: 0\r\n\r\n"
    )
    told = converse(
        HttpDissector,
        ("client", b"GET /login.html HTTP/1.1\r\n\r\nGET /x HTTP/1.1\r\n\r\n"),
        ("server", response),
    )
    assert ("http.title", "NetBotz Rack Monitor", "server") in told
    assert ("http.server", "second", "server") in told


def test_a_log_in_is_told_by_its_scheme_alone(converse: Converse) -> None:
    secret = base64.b64encode(b"admin:hunter2").decode()
    told = converse(
        HttpDissector,
        ("client", f"GET / HTTP/1.1\r\nAuthorization: Basic {secret}\r\n\r\n".encode()),
        (
            "server",
            b'HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm="Infusion Pump", nonce="1"\r\n'
            b"Content-Length: 0\r\n\r\n",
        ),
    )
    assert ("http.auth_scheme", "basic", "client") in told
    assert ("http.auth_scheme", "digest", "server") in told
    assert ("http.www_authenticate", "Infusion Pump", "server") in told
    assert not [fact for fact in told if "hunter2" in fact[1] or secret in fact[1] or "admin" in fact[1]]


@pytest.mark.parametrize(
    ("media_type", "body", "expected"),
    [
        ("application/x-www-form-urlencoded", "user=admin&passwd=hunter2", True),
        ("application/x-www-form-urlencoded; charset=UTF-8", "j_username=a&j_password=hunter2", True),
        ("application/x-www-form-urlencoded", "user=admin&passwd=", False),
        ("application/json", '{"user": "a", "password" : "hunter2"}', True),
        ("application/json", '{"note": "password hunter2"}', False),
        (
            "multipart/form-data; boundary=b",
            '--b\r\nContent-Disposition: form-data; name="pwd"\r\n\r\nhunter2\r\n',
            True,
        ),
        ("application/x-www-form-urlencoded", "bypassed=1&compass=north", False),
    ],
)
def test_a_posted_password_is_noticed_but_not_told(
    converse: Converse, media_type: str, body: str, expected: bool
) -> None:
    request = (
        f"POST /login HTTP/1.1\r\nContent-Type: {media_type}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )
    told = converse(HttpDissector, ("client", request.encode()))
    assert (("http.login_form", "form", "client") in told) is expected
    assert not [fact for fact in told if "hunter2" in fact[1]]


def test_every_scheme_that_a_server_offers_is_told(converse: Converse) -> None:
    challenge = b"TlRMTVNTUAABAAAAAAAAAA=="  # NTLM, type 1, without names
    told = converse(
        HttpDissector,
        (
            "server",
            b"HTTP/1.1 401 No\r\nContent-Length: 0\r\nWWW-Authenticate: Negotiate\r\nWWW-Authenticate: NTLM "
            + challenge
            + b'\r\nWWW-Authenticate: Basic realm="a, b"\r\n\r\n',
        ),
    )
    schemes = {value for field, value, _ in told if field == "http.auth_scheme"}
    assert schemes == {"negotiate", "ntlm", "basic"}
    assert ("http.www_authenticate", "a, b", "server") in told


def test_other_protocols_with_the_same_methods_are_not_taken() -> None:
    assert HttpDissector.recognises(b"OPTIONS * HTTP/1.1\r\n", True)
    assert HttpDissector.recognises(b"GET /a-very-long", True)
    assert not HttpDissector.recognises(b"OPTIONS rtsp://x RTSP/1.0\r\n", True)
    assert not HttpDissector.recognises(b"NOTIFY sip:x SIP/2.0\r\n", True)


def test_a_password_in_the_query_is_noticed(converse: Converse) -> None:
    told = converse(HttpDissector, ("client", b"GET /login.cgi?user=a&pwd=hunter2 HTTP/1.1\r\n\r\n"))
    assert ("http.login_form", "query", "client") in told


def test_a_device_description_is_read(converse: Converse) -> None:
    xml = (
        b'<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><device>'
        b"<friendlyName>Ward TV</friendlyName><manufacturer>ACME</manufacturer></device></root>"
    )
    response = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s" % (len(xml), xml)
    told = converse(HttpDissector, ("client", b"GET /desc.xml HTTP/1.1\r\n\r\n"), ("server", response))
    assert {("upnp.friendly_name", "Ward TV", "server"), ("upnp.manufacturer", "ACME", "server")} <= told


def test_what_follows_a_tunnel_is_not_read(converse: Converse) -> None:
    told = converse(
        HttpDissector,
        ("client", b"CONNECT updates.example.org:443 HTTP/1.1\r\n\r\n"),
        ("server", b"HTTP/1.1 200 Connection established\r\n\r\n\x16\x03\x01 not http"),
        ("client", b"\x16\x03\x01\x00\x05 not http either"),
    )
    assert ("http.proxied", "updates.example.org:443", "client") in told


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1, 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"a" * 40000,
    ],
)
def test_broken_framing_is_malformed(converse: Converse, request_: bytes) -> None:
    with pytest.raises(MalformedInput):
        converse(HttpDissector, ("client", request_))


def test_the_public_part_of_a_path() -> None:
    assert public_path("/studies/1.2.840.113619.2.55") == "/studies"
    assert public_path("/dicom-web/studies/1.2.840") == "/dicom-web/studies"
    assert public_path("/ClientWebService/client.asmx") == "/ClientWebService/client.asmx"
    assert public_path("/onvif/device_service") == "/onvif/device_service"
    assert public_path("/20240131/x") == "/"
    assert public_path("/DOE^JOHN") == "/"
    assert public_path("/John%20Doe") == "/"
    assert public_path("") == "/"


@given(st.text(max_size=60))
def test_no_long_number_survives_in_a_path(path: str) -> None:
    shown = public_path("/" + path)
    assert not any(shown[i : i + 4].isdigit() for i in range(len(shown)) if len(shown[i : i + 4]) == 4)
