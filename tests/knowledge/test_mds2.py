from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.knowledge.mds2 import claim_questions, claim_words, claims_of, question_of, questions, sections
from medwarden.model.mds2 import Answer, Edition, ProblemKind, Stance


def test_both_editions_are_complete_and_make_the_same_kind_of_claims() -> None:
    new, old = questions(Edition.HN1_2019), questions(Edition.HN1_2013)
    assert len(new) == 241 and len(old) == 86
    assert [section.id for section in sections(Edition.HN1_2019)] == [
        "DOC", "MPII", "ALOF", "AUDT", "AUTH", "CSUP", "DIDT", "DTBK", "EMRG", "IGAU", "MLDP", "NAUT", "CONN",
        "PAUT", "PLOK", "RDMP", "SBOM", "SAHD", "SGUD", "STCF", "TXCF", "TXIG", "RMOT", "OTHR",
    ]  # fmt: skip
    named = set(claim_questions(Edition.HN1_2019)) | set(claim_questions(Edition.HN1_2013))
    assert named == set(claim_words())
    shared = set(claim_questions(Edition.HN1_2019)) & set(claim_questions(Edition.HN1_2013))
    assert {
        "encrypted_in_transit",
        "remote_service",
        "phi_handled",
        "encrypted_at_rest",
        "wireless",
    } <= shared
    assert all(
        question.words and not question.words.endswith("?") for question in (*new.values(), *old.values())
    )


@pytest.mark.parametrize(
    ("printed", "meant", "misprinted"),
    [
        ("SAHD-15", "SAHD-15", False),
        ("SHAD-15", "SAHD-15", True),
        ("CSUP 2.1", "CSUP-2.1", False),
        ("CSUP-2-1", "CSUP-2.1", False),
        ("CSUP\u20132.1", "CSUP-2.1", False),
        ("csup-2.1:", "CSUP-2.1", False),
        ("CONN-1 .1", "CONN-1.1", False),
        ("ALOF-l", "ALOF-1", False),
        ("MPII-3.1O", "MPII-3.10", False),
        ("SB0M-1", "SBOM-1", True),
        ("TIXG-1", "TXIG-1", True),
        ("DOC1", "DOC-1", False),
        ("OTHR-7", "OTHR-7", False),
    ],
)
def test_an_id_is_found_however_it_is_printed(printed: str, meant: str, misprinted: bool) -> None:
    found = question_of(printed, Edition.HN1_2019)
    assert found is not None and found.question is not None
    assert (found.question.id, found.misprinted) == (meant, misprinted)


@pytest.mark.parametrize("printed", ["DOC-99", "XTCF-2", "AUDT-2.8.9"])
def test_an_id_that_no_edition_has_is_told_from_text(printed: str) -> None:
    found = question_of(printed, Edition.HN1_2019)
    assert found is not None and found.question is None


@pytest.mark.parametrize("text", ["N/A", "ISO 9001", "IEC 62304", "AC-12", "Note 1", "", "Yes", "5.1, ALOF"])
def test_text_is_no_id(text: str) -> None:
    assert question_of(text, Edition.HN1_2019) is None


@pytest.mark.parametrize(
    ("printed", "meant"),
    [
        ("A", "A"),
        ("B1", "B.1"),
        ("1 \u2013 1", "1-1"),
        ("10-1,2", "10-1.2"),
        ("l5-2", "15-2"),
        ("2013-02-01", "2-1"),
    ],
)  # fmt: skip
def test_the_numbers_of_2013_are_found(printed: str, meant: str) -> None:
    found = question_of(printed, Edition.HN1_2013)
    assert found is not None and found.question is not None and found.question.id == meant


def said(**answers: Stance) -> list[Answer]:
    return [Answer(key.replace("_", "-"), stance, stance.value) for key, stance in answers.items()]


def test_both_editions_come_to_the_same_claims() -> None:
    new, _ = claims_of(Edition.HN1_2019, said(TXCF_2=Stance.YES, RMOT_1=Stance.NO, SAHD_11=Stance.YES))
    old, _ = claims_of(
        Edition.HN1_2013,
        [
            Answer("18-2", Stance.YES, "Yes"),
            Answer("20-1", Stance.NO, "No"),
            Answer("15-10", Stance.NO, "No"),
        ],
    )
    for name, holds in (
        ("encrypted_in_transit", True),
        ("remote_service", False),
        ("boot_from_media", False),
    ):
        assert new[name].holds is holds and old[name].holds is holds


def test_a_yes_alone_may_say_something_and_contrary_answers_are_named() -> None:
    claims, problems = claims_of(
        Edition.HN1_2019, [Answer("CONN-1.1", Stance.NO), Answer("CONN-1.1.1", Stance.YES)]
    )
    assert claims["wireless"].holds is False and claims["wifi"].holds is True
    assert [(p.kind, p.question) for p in problems] == [(ProblemKind.CONTRARY, "CONN-1.1.1")]
    claims, _ = claims_of(Edition.HN1_2019, [Answer("CONN-1.1.1", Stance.NO)])
    assert "wireless" not in claims  # no Wi-Fi is not yet no radio


def test_a_note_leaves_a_claim_open() -> None:
    claims, _ = claims_of(Edition.HN1_2019, [Answer("RMOT-1", Stance.NOTE, "See note", "by agreement")])
    assert claims["remote_service"].holds is None and claims["remote_service"].note == "by agreement"


@given(st.text(max_size=24))
def test_any_text_is_an_id_or_none(text: str) -> None:
    for edition in Edition:
        found = question_of(text, edition)
        assert found is None or found.question is None or found.question.edition is edition
