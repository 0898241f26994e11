from __future__ import annotations

from collections.abc import Callable

import pytest

from medwarden.dissect.ssh import SshDissector
from medwarden.kernel.errors import MalformedInput

Converse = Callable[..., set[tuple[str, str, str]]]


def test_both_sides_identify_themselves(converse: Converse) -> None:
    told = converse(
        SshDissector,
        ("server", b"Authorised use only\r\nSSH-1.99-Cisco-1.25\n\0\0\1\x14"),
        ("client", b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n\0\0\5\xdc\n"),
    )
    assert told == {
        ("ssh.identification", "SSH-1.99-Cisco-1.25", "server"),
        ("ssh.protocol_version", "1.99", "server"),
        ("ssh.identification", "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3", "client"),
        ("ssh.protocol_version", "2.0", "client"),
    }


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n", b"SSH-2.0\r\n", b"x" * 600])
def test_what_is_no_ssh_client_is_malformed(converse: Converse, data: bytes) -> None:
    with pytest.raises(MalformedInput):
        converse(SshDissector, ("client", data))


def test_a_server_that_never_identifies_itself_is_malformed(converse: Converse) -> None:
    with pytest.raises(MalformedInput, match="no SSH identification"):
        converse(SshDissector, ("server", b"hello\r\n" * 60))
