from __future__ import annotations

from collections.abc import Callable

import pytest

from medwarden.dissect.smtp import SmtpDissector
from medwarden.kernel.errors import MalformedInput

Converse = Callable[..., set[tuple[str, str, str]]]

HELLO = bytes.fromhex("16030100310100002d0303") + b"r" * 32 + bytes.fromhex("000004130100ff01000000")


def test_a_session_up_to_its_mail(converse: Converse) -> None:
    told = converse(
        SmtpDissector,
        ("server", b"220 mail.example.org ESMTP Postfix (Debian)\r\n"),
        ("client", b"EHLO scanner-3\r\n"),
        ("server", b"250-mail.example.org\r\n250 AUTH PLAIN\r\n"),
        ("client", b"AUTH PLAIN AGphbmUAaHVudGVyMg==\r\n"),
    )
    assert told == {
        ("smtp.banner", "mail.example.org ESMTP Postfix (Debian)", "server"),
        ("smtp.helo", "scanner-3", "client"),
        ("smtp.login", "clear-text", "client"),
    }


def test_nothing_of_a_mail_is_read(converse: Converse) -> None:
    told = converse(
        SmtpDissector,
        (
            "client",
            b"HELO x\r\nMAIL FROM:<jane.doe@example.org>\r\nRCPT TO:<a@b>\r\nDATA\r\nPatient Doe\r\n.\r\n",
        ),
        ("server", b"220 y\r\n"),
    )
    assert told == {("smtp.helo", "x", "client")}


def test_after_starttls_the_handshake_is_read(converse: Converse) -> None:
    told = converse(
        SmtpDissector,
        ("server", b"220 y ESMTP\r\n"),
        ("client", b"STARTTLS\r\n"),
        ("server", b"220 go\r\n"),
        ("client", HELLO),
    )
    assert ("tls.client_versions", "TLS 1.2", "client") in told


@pytest.mark.parametrize(("side", "data"), [("server", b"+OK POP3\r\n"), ("client", b"\x01\x02\n")])
def test_what_is_no_smtp_is_malformed(converse: Converse, side: str, data: bytes) -> None:
    with pytest.raises(MalformedInput):
        converse(SmtpDissector, (side, data))
