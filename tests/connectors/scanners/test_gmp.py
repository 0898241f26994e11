"""The connector to Greenbone against a manager on loopback: whole, twice, and with every failure."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.connectors.scanners.certificate import Certificate
from tests.connectors.scanners.contract import SECRET, case_files, case_of
from tests.connectors.scanners.gmp_contract import GmpFault, Manager, managing, refusal
from tests.connectors.scanners.pulling import Pulled, expected, pulled
from tests.connectors.scanners.test_conformance import check_silence

from medwarden.connectors.scanners.gmp import read_tasks
from medwarden.kernel.errors import ConfigurationError, RemoteServiceError
from medwarden.transport.http import Limits
from medwarden.transport.xml_stream import XmlStream

(CASE,) = case_files("gmp")
Open = Callable[[str], XmlStream]


def over(read_s: float = 20.0, **how: object) -> Open:
    return lambda address: XmlStream(address, read_s=read_s, **how)  # type: ignore[arg-type]  # named as XmlStream names them


def pull(manager: Manager, folder: Path, opened: Open | None = None, **how: object) -> Pulled:
    came = pulled(CASE, manager.address, folder, open_stream=opened or over(), **how)  # type: ignore[arg-type]  # named as pulled names them
    check_silence(came)
    return came


@pytest.fixture
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder whose name fits a Unix socket."""
    return tmp_path_factory.mktemp("gmp")


def test_a_pull_brings_what_the_file_says_and_is_not_repeated(tmp_path: Path, short: Path) -> None:
    with managing(CASE, short) as manager:
        came = pull(manager, tmp_path)
        assert (came.error, came.reports) == (None, expected(CASE))
        assert came.state == case_of(CASE)["leaves"]
        first = len(manager.asked)
        again = pull(manager, tmp_path, state=came.state)
        assert (again.error, again.reports) == (None, [])
        assert manager.asked[first:] == case_of(CASE)["again"]


def test_only_questions_are_asked(tmp_path: Path, short: Path) -> None:
    with managing(CASE, short) as manager:
        assert pull(manager, tmp_path).error is None
    assert set(manager.asked) == {"authenticate", "get_tasks", "get_reports"}
    (report,) = [said for said in manager.commands if said.startswith("<get_reports")]
    assert 'report_id="88bbda4b-25db-43cf-896d-b90686833b29"' in report


def cut(_: Manager, connection: socket.socket, right: bytes) -> None:
    connection.sendall(right[: len(right) // 2])
    connection.shutdown(socket.SHUT_RDWR)


def silent(manager: Manager, connection: socket.socket, right: bytes) -> None:
    connection.sendall(right[: len(right) // 2])


def other_schema(_: Manager, connection: socket.socket, right: bytes) -> None:
    connection.sendall(b'<answer version="99"><items/></answer>')


def no_xml(_: Manager, connection: socket.socket, right: bytes) -> None:
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def entities(_: Manager, connection: socket.socket, right: bytes) -> None:
    connection.sendall(b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>')


def deep(_: Manager, connection: socket.socket, right: bytes) -> None:
    connection.sendall(b"<a>" * 1000)


def endless(manager: Manager, connection: socket.socket, right: bytes) -> None:
    try:
        connection.sendall(b"<get_reports_response>")
        while not manager.ended.is_set():
            connection.sendall(b"<a></a>" * 8192)
    except OSError:
        return


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (cut, "ended in the middle"),
        (silent, "fell silent"),
        (other_schema, "otherwise than its maker publishes"),
        (no_xml, "no XML"),
        (entities, "declares entities"),
        (deep, "nested without end"),
        (endless, "larger than"),
    ],
)
def test_a_failure_leaves_what_was_and_says_why(
    fault: GmpFault, words: str, tmp_path: Path, short: Path
) -> None:
    for number in range(3):
        folder = short / str(number)
        folder.mkdir()
        with managing(CASE, folder) as manager:
            manager.faults[number] = fault
            read_s = 0.5 if fault is silent else 20.0
            came = pull(manager, tmp_path / str(number), over(read_s), limits=Limits(most_bytes=1 << 20))
            assert isinstance(came.error, RemoteServiceError)
            assert words in str(came.error)
            assert (came.reports, came.state) == ([], case_of(CASE)["state"])
            manager.faults.clear()
            after = pull(manager, tmp_path / str(number), state=came.state)
            assert after.reports == expected(CASE)


def test_refusals_are_said(tmp_path: Path, short: Path) -> None:
    with managing(CASE, short) as manager:
        wrong = pull(manager, tmp_path, account="another")
        assert "does not accept these credentials" in str(wrong.error)
        manager.faults[2] = lambda _, to, __: to.sendall(refusal("get_tasks", 403, "Permission denied"))
        refused = pull(manager, tmp_path)
        assert "refuses get_tasks with 403: Permission denied" in str(refused.error)


def test_a_password_of_any_letters_is_said_as_it_is(tmp_path: Path, short: Path) -> None:
    with managing(CASE, short) as manager:
        pull(manager, tmp_path, account='<a b="c">&amp;')
    assert "<username>&lt;a b=" in manager.commands[0]
    assert SECRET in manager.commands[0]


def test_a_certificate_is_believed_by_its_authority_or_its_fingerprint_alone(tmp_path: Path) -> None:
    certificate = Certificate(tmp_path)
    with managing(CASE, tmp_path, certificate.context) as manager:
        wrong = pull(manager, tmp_path / "wrong")
        assert "certificate does not hold" in str(wrong.error)
        other = pull(manager, tmp_path / "other", over(fingerprint="00" * 32))
        assert "not the pinned one" in str(other.error)
        assert not manager.commands, "nobody was told anything"
        pinned = pull(manager, tmp_path / "pinned", over(fingerprint=certificate.fingerprint))
        assert pinned.reports == expected(CASE)
        signed = pull(manager, tmp_path / "signed", over(authorities=certificate.path))
        assert signed.reports == expected(CASE)


def test_nobody_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(RemoteServiceError, match="cannot be asked"):
        XmlStream(f"unix://{tmp_path}/nothing.sock")


@pytest.mark.parametrize(
    "address",
    [
        *("https://greenbone.example", "tls://greenbone.example", "unix://", ""),
        *("tls://a..b:9390", "tls://[x:1", "tls://greenbone.example:99999", f"tls://{'a' * 70}.example:9390"),
    ],
)
def test_another_kind_of_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigurationError, match="write tls://"):
        XmlStream(address)


@given(st.binary(max_size=400))
def test_any_bytes_are_tasks_or_none(answer: bytes) -> None:
    tasks = read_tasks(b"<get_tasks_response>" + answer)
    assert tasks is None or all(len(task.name) <= 200 for task in tasks)
