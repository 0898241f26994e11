from __future__ import annotations

from collections.abc import Callable

import pytest

from medwarden.dissect.ftp import FtpDissector
from medwarden.kernel.errors import MalformedInput

Converse = Callable[..., set[tuple[str, str, str]]]

HELLO = bytes.fromhex("16030100310100002d0303") + b"r" * 32 + bytes.fromhex("000004130100ff01000000")


def test_a_log_in_in_clear_without_its_name(converse: Converse) -> None:
    told = converse(
        FtpDissector,
        ("server", b"220-Welcome\r\n to the archive\r\n220 ProFTPD 1.3.5 Server\r\n"),
        ("client", b"USER radiology\r\n"),
        ("server", b"331 Password required for radiology\r\n"),
        ("client", b"PASS hunter2\r\nSYST\r\nCLNT Modality 2.1\r\n"),
        ("server", b"230 User radiology logged in\r\n215 UNIX Type: L8\r\n"),
    )
    assert told == {
        ("ftp.banner", "Welcome to the archive ProFTPD 1.3.5 Server", "server"),
        ("ftp.login", "clear-text", "server"),
        ("ftp.login", "clear-text", "client"),
        ("ftp.client", "Modality 2.1", "client"),
        ("ftp.syst", "UNIX Type: L8", "server"),
    }


def test_an_anonymous_log_in_is_told_apart(converse: Converse) -> None:
    told = converse(
        FtpDissector,
        ("server", b"220 (vsFTPd 3.0.3)\r\n"),
        ("client", b"USER anonymous\r\nPASS jane@example.org\r\n"),
    )
    assert told == {("ftp.banner", "(vsFTPd 3.0.3)", "server"), ("ftp.login", "anonymous", "client")}


def test_after_auth_tls_the_handshake_is_read(converse: Converse) -> None:
    told = converse(
        FtpDissector,
        ("server", b"220 ready\r\n"),
        ("client", b"AUTH TLS\r\n"),
        ("server", b"234 go ahead\r\n"),
        ("client", HELLO),
    )
    assert {field for field, _, _ in told} == {"ftp.banner", "tls.ja4", "tls.client_versions"}


@pytest.mark.parametrize(
    ("side", "data"), [("server", b"hello there\r\n"), ("client", b"\x16\x03\x01\n"), ("client", b"a" * 5000)]
)
def test_what_is_no_ftp_is_malformed(converse: Converse, side: str, data: bytes) -> None:
    with pytest.raises(MalformedInput):
        converse(FtpDissector, (side, data))


def test_a_mail_server_is_not_taken_for_an_ftp_server() -> None:
    assert FtpDissector.recognises(b"220 (vsFTPd 3.0.3)\r\n", False)
    assert not FtpDissector.recognises(b"220 mail.example.org ESMTP Postfix\r\n", False)
