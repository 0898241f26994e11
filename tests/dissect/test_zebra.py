from __future__ import annotations

from collections.abc import Callable

from medwarden.dissect.zebra import ZebraDissector

Converse = Callable[..., set[tuple[str, str, str]]]


def test_answers_belong_to_questions_in_their_order(converse: Converse) -> None:
    asked = b'! U1 getvar "odometer.total"\r\n! U1 getvar "APPL.NAME"\r\n'
    told = converse(ZebraDissector, ("client", asked), ("server", b'"77""V84.20.21Z"'))
    assert told == {("zebra.firmware", "V84.20.21Z", "server")}


def test_an_answer_nobody_asked_for_is_no_fact(converse: Converse) -> None:
    assert converse(ZebraDissector, ("server", b'"Doe, Jane"\x02text\x03')) == set()


def test_of_labels_nothing_is_read(converse: Converse) -> None:
    label = b"^XA^FDDoe Jane^FS^XZ" + b'! U1 getvar "appl.name"\r\n'
    assert converse(ZebraDissector, ("client", label), ("server", b'"V1"')) == {
        ("zebra.language", "ZPL", "server")
    }


def test_recognition() -> None:
    assert ZebraDissector.recognises(b"~HI", True)
    assert ZebraDissector.recognises(b"^XA^FO", True)
    assert not ZebraDissector.recognises(b"^XA^FO", False)
    assert not ZebraDissector.recognises(b"\x1b%-12345X@PJL", True)
