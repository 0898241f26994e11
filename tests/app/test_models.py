"""A data folder's own model is put to use, a broken one is named and left out."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from medwarden.app.models import forget_model, keep_model, load_model, local_file, read_model
from medwarden.inventory.labels.example import Example
from medwarden.inventory.labels.in_use import model_in_use, shipped_model, use_model
from medwarden.inventory.labels.model import LabelModel
from medwarden.inventory.labels.training import Settings, train
from medwarden.kernel.errors import MalformedInput, ResourceError


@pytest.fixture
def model() -> Iterator[LabelModel]:
    """Return a tiny model; what was in use before is in use afterwards."""
    examples = [
        Example((("http.title", f"{word} unit"),), (), {"category": kind}, f"{kind} {number}")
        for kind, word in (("printer", "laser"), ("ip_camera", "video"))
        for number in range(4)
    ]
    yield train(examples, seed=1, settings=Settings(tokens=200, strangers=0.0))
    use_model(None)


def test_a_kept_model_is_used_and_a_forgotten_one_is_not(tmp_path: Path, model: LabelModel) -> None:
    load_model(tmp_path)
    assert keep_model(tmp_path, model)
    assert not load_model(tmp_path)
    used = model_in_use()
    assert used is not None
    assert used.digest == model.digest
    assert read_model(local_file(tmp_path)).digest == model.digest
    assert forget_model(tmp_path)
    assert model_in_use() is shipped_model()


def test_a_broken_model_is_named_and_the_shipped_one_goes_on(
    tmp_path: Path, model: LabelModel, caplog: pytest.LogCaptureFixture
) -> None:
    keep_model(tmp_path, model)
    local_file(tmp_path).write_bytes(model.to_bytes()[:-3])
    with caplog.at_level(logging.WARNING):
        assert load_model(tmp_path)
    assert "local.mwm" in caplog.text
    assert model_in_use() is shipped_model()
    with pytest.raises(MalformedInput, match=r"local\.mwm"):
        read_model(local_file(tmp_path))


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="No such file"):
        read_model(tmp_path / "none.mwm")
