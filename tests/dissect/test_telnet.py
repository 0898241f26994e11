from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.telnet import TelnetDissector
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Segment, Transport

Converse = Callable[..., set[tuple[str, str, str]]]


def test_what_is_shown_before_the_prompt(converse: Converse) -> None:
    told = converse(
        TelnetDissector,
        ("server", b"\xff\xfd\x18\xff\xfb\x01"),
        ("client", b"\xff\xfb\x18\xff\xfa\x18\x00xterm-256color\xff\xf0"),
        ("server", b"\xff\xfa\x18\x01\xff\xf0\r\nPatient Monitor \xff\xf1IX\r\nVxWorks 5.5\r\n\r\nlogin: "),
        ("client", b"service\r\n"),
        ("server", b"Password: hunter2\r\nWelcome, Jane Doe\r\n"),
    )
    assert told == {
        ("telnet.banner", "Patient Monitor IX VxWorks 5.5", "server"),
        ("telnet.login", "prompt", "server"),
        ("telnet.terminal_type", "xterm-256color", "client"),
    }


def test_a_prompt_alone_is_a_log_in_without_banner(converse: Converse) -> None:
    assert converse(TelnetDissector, ("server", b"\xff\xfb\x01Password:")) == {
        ("telnet.login", "prompt", "server")
    }


def test_a_session_that_was_joined_late_shows_nothing_of_itself(converse: Converse) -> None:
    login = {("telnet.login", "prompt", "server")}
    assert converse(TelnetDissector, ("server", b"BED 4 DOE JOHN HR 70\r\nPassword: ")) == login
    typed = ("client", b"\xff\xfb\x18su\r\n"), ("server", b"BED 4 DOE JOHN HR 70\r\nPassword: ")
    assert converse(TelnetDissector, *typed) == login


def test_a_session_joined_while_the_server_still_negotiates_shows_its_banner(converse: Converse) -> None:
    still = b"\xff\xfa\x25\x02\x0f\x00\x04\xff\xf0\r\nWelcome to Microsoft Telnet Service \r\n\n\rlogin: "
    assert converse(TelnetDissector, ("server", still)) == {
        ("telnet.banner", "Welcome to Microsoft Telnet Service", "server"),
        ("telnet.login", "prompt", "server"),
    }
    resized = ("client", b"\xff\xfa\x1f\x00\x50\x00\x18\xff\xf0"), ("server", b"DOE JOHN HR 70\r\nPassword: ")
    assert converse(TelnetDissector, *resized) == {("telnet.login", "prompt", "server")}


def test_a_console_without_prompt_tells_nothing(converse: Converse) -> None:
    assert converse(TelnetDissector, ("server", b"BED 4 DOE JOHN HR 70\r\n" * 300)) == set()


@pytest.mark.parametrize("data", [b"\xff\xfa\x18" + b"a" * 2000, b"\xff\x01"])
def test_broken_sequences_are_malformed(converse: Converse, data: bytes) -> None:
    with pytest.raises(MalformedInput):
        converse(TelnetDissector, ("client", data))


def test_recognition() -> None:
    assert TelnetDissector.recognises(b"\xff\xfd\x18", False)
    assert not TelnetDissector.recognises(b"\xff\xd8\xff\xe0", False)


@given(st.text(max_size=50))
def test_nothing_after_the_prompt_is_told(shown: str) -> None:
    dissector = TelnetDissector()
    payload = b"login: " + shown.encode().replace(b"\xff", b"")
    told = list(
        dissector.feed(Segment(0, 0, Transport.TCP, None, None, "a", "b", 23, 9, None, False, payload))
    )
    assert [(fact.field, fact.value) for fact in told] == [("telnet.login", "prompt")]
