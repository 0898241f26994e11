"""What is shown before an answer is what the answer makes, of devices too that are told by others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.app.test_answers import by_rules_alone
from tests.app.test_judge_repeatable import House, by_company

from medwarden.app.answers import give_answer, preview, undo_answer
from medwarden.app.fingerprints import load_own
from medwarden.app.learning import RULES_FILE
from medwarden.app.models import load_model, local_file
from medwarden.knowledge.fingerprints.rules import LEVELS
from medwarden.store.open import Store

__all__ = ["by_rules_alone"]

PUMP = {"category": "infusion_pump", "vendor": "ICU Medical"}
Labels = dict[tuple[str, str], str | None]


@pytest.fixture
def folder(store: Store, by_rules_alone: None) -> Iterator[Path]:
    yield store.home
    (store.home / "fingerprints" / RULES_FILE).unlink(missing_ok=True)
    load_own(store.home)
    local_file(store.home).unlink(missing_ok=True)
    load_model(store.home)


def labels(house: House) -> Labels:
    return {
        (device.id, level): None if (found := device.verdict(level)) is None else found.label
        for device in house.devices()
        for level in LEVELS
    }


def between(before: Labels, after: Labels) -> dict[tuple[str, str], tuple[str | None, str | None]]:
    return {key: (before[key], after[key]) for key in before if before[key] != after[key]}


@pytest.mark.parametrize("named", [(2, 3, 4), (1,)], ids=["clients", "server"])
def test_a_preview_shows_what_the_answer_makes_of_those_whom_others_tell(
    folder: Path, named: tuple[int, ...]
) -> None:
    """Three devices are called pumps, or their server one of pumps: all others that use it are told so."""
    from medwarden.store.queries import Scope

    house = House(["silent", "server", "silent", "silent", "silent", "camera"])
    house.hear(*((n, 1, 443) for n in (0, 2, 3, 4)), alone=[5])
    assert house.settled()
    before = labels(house)
    said = PUMP if named != (1,) else {"category": "infusion_server", "vendor": "ICU Medical"}
    answered = [house.ids[n] for n in named]
    shown = preview(Scope(), answered, said)
    assert labels(house) == before, "a preview changes nothing"
    given = give_answer(Scope(), answered, said, home=folder, actor="user:anna")
    assert house.settled()
    after = labels(house)
    made = {(e.device, e.level): (e.before, e.after) for e in shown.changes}
    assert made == between(before, after)
    assert set(given.preview.changes) == set(shown.changes)
    assert after[house.ids[0], "category"] == "infusion_pump"
    assert by_company(house.told()[house.ids[0]])
    undone = undo_answer(Scope(), str(given.answer.number), home=folder, actor="user:ben")
    assert house.settled()
    assert labels(house) == before
    assert {(e.device, e.level): (e.before, e.after) for e in undone.preview.changes} == between(
        after, before
    )


def test_who_is_told_by_those_who_are_asked_about_is_no_proof_of_what_was_learnt(folder: Path) -> None:
    """Devices that were left out to see how they are met are not called what was said of them by others."""
    from medwarden.store.queries import Scope

    house = House(["silent", "server", *["silent"] * 4])
    house.hear(*((n, 1, 443) for n in (0, 2, 3, 4, 5)))
    assert house.settled()
    first = give_answer(Scope(), house.ids[2:], PUMP, home=folder, actor="user:anna")
    again = preview(Scope(), house.ids[2:], PUMP)
    assert again.before == first.preview.after
    assert again.after.n == 2 * first.preview.after.n
