"""What is learnt from answers: a model beside the rule, in a file of its own, and gone with the answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.app.test_answers import PUMP, device, house, migrated, pump, put, store

from medwarden.app import learning
from medwarden.app.answers import give_answer, undo_answer
from medwarden.app.models import local_file
from medwarden.inventory.labels import in_use
from medwarden.inventory.labels.example import Example
from medwarden.inventory.labels.model import LabelModel
from medwarden.inventory.labels.training import Settings, train
from medwarden.store.open import Store

__all__ = ["house", "migrated", "store"]


@pytest.fixture
def base(monkeypatch: pytest.MonkeyPatch) -> Iterator[LabelModel]:
    """Return a small model in place of the shipped one: cameras and printers of two makes."""
    examples = [
        Example(
            entries=(("http.server", f"{kind}d"), ("dhcp.vendor_class", f"{maker}-{kind}")),
            labels={"class": "IoT", "category": category, "vendor": maker},
            group=f"{maker}{kind}{number}",
        )
        for number in range(12)
        for kind, category in (("cam", "ip_camera"), ("prt", "printer"))
        for maker in ("Axis", "Brother")
    ]
    model = train(examples, seed=1, settings=Settings(folds=2, strangers=0.0))
    monkeypatch.setattr(learning, "shipped_model", lambda: model)
    monkeypatch.setattr(in_use, "shipped_model", lambda: model)
    yield model


def test_an_answer_is_learnt_and_forgotten_with_its_model(house: Store, base: LabelModel) -> None:
    from medwarden.store.answers import versions
    from medwarden.store.queries import Scope

    ten = [f"d-main-{n:03d}" for n in range(1, 11)]
    given = give_answer(Scope(), ten, PUMP, home=house.home, actor="user:anna")
    assert 0 < given.preview.trained_seconds < 30
    version = versions(Scope())[0]
    assert version.digest != base.digest
    assert (house.home / "models" / version.file).exists()
    assert local_file(house.home).read_bytes() == (house.home / "models" / version.file).read_bytes()
    assert given.preview.after.n == 20
    assert given.preview.after.right == given.preview.after.answered >= 10
    put(pump(30))
    verdict = device("d-main-030").verdict("category")
    assert verdict is not None
    assert verdict.label == "infusion_pump"
    assert device("d-main-040").category == "ip_camera"
    undo_answer(Scope(), "1", home=house.home, actor="user:anna")
    assert not local_file(house.home).exists()
    assert device("d-main-001").category != "infusion_pump"
    assert versions(Scope())[0].file == ""
