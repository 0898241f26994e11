from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.app.test_vulnerabilities import advisory, pumps, states, take_in  # noqa: F401 - a fixture
from tests.store.conftest import DeltaMaker, heard, home, migrated, store  # noqa: F401 - fixtures

from medwarden.app import letters
from medwarden.app.vulnerabilities import refresh
from medwarden.kernel.clock import wall_clock
from medwarden.kernel.errors import ConfigurationError, MalformedInput
from medwarden.model.vulnerability import MatchState, ProductStatus
from medwarden.risk.recalls.letter import Answered
from medwarden.store.open import Store

CVE = "CVE-2020-0001"


@pytest.fixture
def written(pumps: Store, tmp_path: Path) -> str:  # noqa: F811
    """Return the number of a letter about pumps at 2.0, which an authority calls affected."""
    from medwarden.store.queries import Scope

    take_in(pumps.home, tmp_path, advisory("MADE-1", "<= 2.5"))
    refresh(pumps.home, "default")
    return letters.write(Scope(), "B. Braun", "Infusomat Space", "2.0", [CVE, CVE], actor="user:anna")


def state_of(number: str) -> str:
    from medwarden.store.queries import Scope
    from medwarden.store.queries.letters import letter

    found = letter(Scope(), number, wall_clock())
    assert found is not None
    return found.state


def test_what_is_worth_asking_becomes_a_letter(pumps: Store, tmp_path: Path) -> None:  # noqa: F811
    from medwarden.store.queries import Scope
    from medwarden.store.queries.letters import letter, worth_asking

    take_in(pumps.home, tmp_path, advisory("MADE-1", "<= 2.5"))
    refresh(pumps.home, "default")
    (asking,) = worth_asking(Scope())
    assert (asking.maker, asking.model, asking.firmware, asking.vulnerabilities) == (
        "B. Braun", "Infusomat Space", "", (CVE,),
    )  # fmt: skip
    number = letters.write(Scope(), asking.maker, asking.model, "", asking.vulnerabilities, actor="user:anna")
    assert worth_asking(Scope()) == [], "what was asked is not asked again"
    found = letter(Scope(), number, wall_clock())
    assert found is not None
    assert (found.state, found.devices) == ("draft", 1)
    assert f"- {CVE}" in found.text
    assert number in found.text
    with pytest.raises(ConfigurationError, match="asks that already"):
        letters.write(Scope(), asking.maker, asking.model, "", [CVE], actor="user:anna")
    with pytest.raises(ConfigurationError, match="needs a maker"):
        letters.write(Scope(), "", "", "", [CVE], actor="user:anna")


def test_a_letter_is_a_file_for_a_portal(written: str) -> None:
    text, kind = letters.as_file("default", written, "txt")
    assert kind.startswith("text/plain")
    assert b"Infusomat Space" in text
    page, _ = letters.as_file("default", written, "html")
    assert page.startswith(b"<!doctype html>")
    assert b"<script" not in page
    table, _ = letters.as_file("default", written, "csv")
    assert table.decode().splitlines()[1].startswith(f"{written},B. Braun,Infusomat Space,2.0,{CVE}")
    with pytest.raises(ConfigurationError):
        letters.as_file("default", written, "doc")


def test_sent_by_a_person_late_reminded_and_closed(written: str) -> None:
    from medwarden.store.queries import Scope
    from medwarden.store.queries.letters import letter_events
    from medwarden.store.queries.letters import letters as shown

    def late() -> list[str]:
        return [view.number for view in shown(Scope(), wall_clock(), state="late").items]

    with pytest.raises(ConfigurationError, match="that cannot be done"):
        letters.remind("default", written, actor="user:anna")
    with pytest.raises(ConfigurationError, match="to whom"):
        letters.send("default", written, to=" ", actor="user:anna")
    letters.edit("default", written, "Dear all, please answer.", actor="user:anna")
    letters.send("default", written, to="security@maker.example", sent="2020-01-01", actor="user:anna")
    assert late() == [written]
    letters.remind("default", written, actor="user:anna")
    assert late() == []
    with pytest.raises(ConfigurationError, match="that cannot be done"):
        letters.edit("default", written, "other words", actor="user:anna")
    assert letters.undo("default", written, actor="user:anna", reason="too early") == "reminded"
    assert late() == [written]
    letters.close("default", written, actor="user:anna", reason="the maker is gone")
    assert state_of(written) == "closed"
    assert letters.undo("default", written, actor="user:anna", reason="it is back") == "closed"
    assert state_of(written) == "sent"
    kinds = [event.kind for event in letter_events(Scope(), written)]
    assert kinds == ["closed", "reminded", "sent", "edited", "written"]


def test_an_answer_by_hand_decides_and_is_taken_back(written: str) -> None:
    assert states()["d-main-1"] is MatchState.CONFIRMED
    said = Answered(CVE, ProductStatus.NOT_AFFECTED, "the component is not compiled in")
    with pytest.raises(ConfigurationError, match="that cannot be done"):
        letters.answer("default", written, [said], actor="user:anna")
    letters.send("default", written, to="portal", actor="user:anna")
    with pytest.raises(ConfigurationError, match="did not ask"):
        letters.answer("default", written, [Answered("CVE-1", ProductStatus.AFFECTED)], actor="user:anna")
    with pytest.raises(ConfigurationError, match="in which version"):
        letters.answer("default", written, [Answered(CVE, ProductStatus.FIXED)], actor="user:anna")
    assert letters.answer("default", written, [said], actor="user:anna", source="mail of 3 May") == 1
    assert states() == {
        "d-main-1": MatchState.NOT_AFFECTED,
        "d-main-2": MatchState.FIXED,
        "d-main-3": MatchState.POTENTIAL,
    }, "only the version that was asked about"
    letters.undo("default", written, actor="user:anna", reason="another model was meant")
    assert states()["d-main-1"] is MatchState.CONFIRMED
    assert state_of(written) == "sent"


def test_an_answer_names_the_version_that_fixes_it(written: str) -> None:
    letters.send("default", written, to="portal", actor="user:anna")
    said = Answered(CVE, ProductStatus.FIXED, fixed_in="3.0", remedy="Update to 3.0")
    letters.answer("default", written, [said], actor="user:anna")
    assert states()["d-main-1"] is MatchState.CONFIRMED
    assert states()["d-main-2"] is MatchState.FIXED


def test_a_csaf_document_answers(written: str) -> None:
    letters.send("default", written, to="portal", actor="user:anna")
    document = advisory("BBRAUN-7", "2.0")
    document["vulnerabilities"] = [{"cve": CVE, "product_status": {"known_not_affected": ["P1"]}}]
    taken = letters.answer_by_document(
        "default", written, json.dumps(document).encode(), "a.json", actor="user:anna"
    )
    assert [(a.vulnerability, a.status) for a in taken.answers] == [(CVE, ProductStatus.NOT_AFFECTED)]
    assert taken.open == ()
    assert states()["d-main-1"] is MatchState.NOT_AFFECTED
    assert state_of(written) == "answered"
    other = advisory("BBRAUN-8", "2.0", cve="CVE-2020-0009")
    with pytest.raises(ConfigurationError, match="says nothing"):
        letters.answer_by_document(
            "default", written, json.dumps(other).encode(), "b.json", actor="user:anna"
        )
    with pytest.raises(MalformedInput):
        letters.answer_by_document("default", written, b"{", "c.json", actor="user:anna")


def test_an_openvex_document_answers(written: str) -> None:
    letters.send("default", written, to="portal", actor="user:anna")
    document = {
        "@context": "https://openvex.dev/ns/v0.2.0",
        "statements": [
            {
                "vulnerability": {"name": CVE},
                "products": [{"@id": "pkg:generic/x"}],
                "status": "under_investigation",
            },
            {"vulnerability": {"name": "CVE-2"}, "status": "fixed"},
        ],
    }
    taken = letters.answer_by_document(
        "default", written, json.dumps(document).encode(), "vex.json", actor="user:anna"
    )
    assert taken.open == (CVE,)
    assert taken.answers[0].status is ProductStatus.UNDER_INVESTIGATION


def test_words_of_a_table_become_answers() -> None:
    rows = [
        {"vulnerability": CVE, "status": "Not Affected", "detail": "no"},
        {"vulnerability": "CVE-2", "status": ""},
        {"vulnerability": "CVE-3", "status": "fixed in the version named", "fixed_in": "4"},
    ]
    found = letters.answered_of(rows)
    assert [(a.vulnerability, a.status) for a in found] == [
        (CVE, ProductStatus.NOT_AFFECTED),
        ("CVE-3", ProductStatus.FIXED),
    ]
    with pytest.raises(ConfigurationError, match="no status"):
        letters.answered_of([{"vulnerability": CVE, "status": "maybe"}])
