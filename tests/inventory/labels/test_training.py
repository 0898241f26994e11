"""A model learns kinds, not devices; the same examples give the same model; answers are learnt at once."""

from __future__ import annotations

import pytest
from tests.inventory.labels.conftest import KINDS, labels_of, made_up

from medwarden.inventory.labels.example import Example, example_of
from medwarden.inventory.labels.model import LabelModel
from medwarden.inventory.labels.training import Settings, train
from medwarden.kernel.errors import ConfigurationError


def _answers(model: LabelModel, kind: tuple[str, str, str], number: int) -> dict[str, str]:
    return {opinion.level: opinion.label for opinion in model.opinions(made_up(kind, number))}


@pytest.mark.parametrize("kind", KINDS)
def test_a_device_that_was_not_trained_on_is_known_by_its_kind(
    model: LabelModel, kind: tuple[str, str, str]
) -> None:
    answers = _answers(model, kind, 5001)
    assert (answers["category"], answers["vendor"], answers["model"]) == kind


def test_the_same_examples_and_seed_give_the_same_file(examples: list[Example], model: LabelModel) -> None:
    again = train(examples, seed=3, settings=Settings(tokens=2000, strangers=0.0))
    assert again.to_bytes() == model.to_bytes()
    assert again.digest == model.digest


def test_nothing_to_learn_from_is_said() -> None:
    with pytest.raises(ConfigurationError, match="nothing to learn from"):
        train([], seed=1)
    with pytest.raises(ConfigurationError, match="nothing to learn from"):
        train([Example((("http.title", "x"),))], seed=1)


def test_answers_of_a_hospital_teach_a_kind_that_was_never_seen(model: LabelModel) -> None:
    kind = ("ventilator", "Hamilton", "C6")
    KINDS[kind] = ("vent{n}", "HAMILTON-C6 ventilator", "lwip", 7000)
    try:
        before = {o.level: o for o in model.opinions(made_up(kind, 3))}
        local = train([example_of(made_up(kind, n), labels_of(kind)) for n in range(3)], seed=3, base=model)
        after = {o.level: o for o in local.opinions(made_up(kind, 77))}
    finally:
        del KINDS[kind]
    assert before["category"].label != "ventilator"
    assert after["category"].label == "ventilator"
    assert after["vendor"].label == "Hamilton"
    assert after["category"].openness < before["category"].openness
    assert local.about.local == 3


def test_retraining_on_fewer_answers_forgets_what_was_withdrawn(model: LabelModel) -> None:
    kind = next(iter(KINDS))
    wrong = [example_of(made_up(kind, n), {"category": "kiosk"}) for n in range(4)]
    taught = train(wrong, seed=3, base=model)
    assert taught.about.local == 4
    undone = train([], seed=3, base=taught)
    assert undone.about.local == 0
    assert _answers(undone, kind, 9)["category"] == kind[0]


def test_what_was_known_stays_known_after_retraining(model: LabelModel) -> None:
    first, second, *_ = KINDS
    local = train([example_of(made_up(first, n), labels_of(first)) for n in range(2)], seed=3, base=model)
    assert _answers(local, second, 5002)["model"] == second[2]


def test_the_card_tells_data_split_figures_and_seed(model: LabelModel) -> None:
    card = model.about.card
    assert card["seed"] == 3
    assert card["examples"] == 72
    assert card["labels"]["category"] == 4
    assert card["validation"]["category"]["accuracy"] > 0.9
    assert card["settings"]["folds"] == 4
