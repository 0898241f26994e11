"""Knowledge that was removed and starts over: what stood stands until it comes, then all is compared."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.app import test_judged_anew as advised
from tests.app import test_recalls as recalled
from tests.app.test_vulnerabilities import furnish, meanwhile, states
from tests.store.conftest import DeltaMaker, heard, home, migrated, store  # noqa: F401 - fixtures
from tests.store.test_knowledge import remove

from medwarden.app import recalls, vulnerabilities
from medwarden.app.recall_desk import Entered, enter, notice_of
from medwarden.model.vulnerability import MatchState
from medwarden.store.knowledge import Knowledge
from medwarden.store.open import Store

THREE = "CVE-2020-0003"


@pytest.fixture
def pumps(store: Store, heard: DeltaMaker) -> Store:  # noqa: F811
    """Three pumps judged by an advisory on two vulnerabilities, after some editions of it."""
    furnish(heard)
    for version in ("<= 1.0", "<= 1.5", "<= 2.5"):
        claim = advised.affects(version=version)
        made = advised.advisory(
            "MADE-1", advised.record(advised.ONE, claim), advised.record(advised.TWO, claim)
        )
        advised.publish(store.home, "csaf", made, advised.OTHER)
    vulnerabilities.refresh(store.home, "default")
    assert states(cve=advised.TWO)["d-main-1"] is MatchState.CONFIRMED
    return store


def test_verdicts_stand_without_knowledge_and_are_judged_by_what_comes(pumps: Store) -> None:
    remove(pumps.home)
    before = advised.standing()
    vulnerabilities.refresh(pumps.home, "default")
    assert advised.standing() == before
    made = (advised.record(advised.ONE, advised.affects()), advised.record(THREE, advised.affects()))
    advised.publish(pumps.home, "csaf", advised.advisory("MADE-1", *made), advised.OTHER)
    vulnerabilities.refresh(pumps.home, "default")
    assert advised.standing() == advised.from_scratch(pumps.home)
    assert states(cve=advised.TWO) == {}, "it is named no more"
    assert states(cve=THREE)["d-main-1"] is MatchState.CONFIRMED


def test_a_new_kind_of_device_is_not_judged_by_claims_of_the_knowledge_before(pumps: Store) -> None:
    from medwarden.store.models import Device

    with Knowledge(pumps.home) as knowledge:
        editions = knowledge.edition(knowledge.newest).nth
    remove(pumps.home)
    for number in range(editions):  # as many again
        claim = advised.affects(version=f"<= 3.{number}")
        advised.publish(pumps.home, "csaf", advised.advisory("MADE-1", advised.record(THREE, claim)))
    Device.objects.filter(pk="d-main-2").update(firmware="2.1")
    vulnerabilities.match_devices(pumps.home, "default", "main", ["d-main-2"])
    assert states(cve=THREE)["d-main-2"] is MatchState.CONFIRMED
    assert "d-main-2" not in states(cve=advised.ONE)


@pytest.fixture
def recalled_pumps(store: Store, heard: DeltaMaker, tmp_path: Path) -> Store:  # noqa: F811
    """Three pumps, one of them affected by a recall that its publisher worded anew some times."""
    from medwarden.store.changes import Change
    from medwarden.store.delta import apply_delta
    from medwarden.store.models import Device

    with Change("sensor:s", "heard", site="main") as change:
        apply_delta(change, heard(1, 2, 3))
    Device.objects.update(vendor="Acme Medical", model="PumpOne P100", name="Pump")
    Device.objects.filter(pk="d-main-1").update(serial="1500")
    Device.objects.filter(pk="d-main-2").update(serial="2500")
    for last in (1700, 1800, 2000):
        recalled.publish(store.home, tmp_path, f"Serial Numbers 1000 through {last}")
    recalls.refresh(store.home, "default")
    assert recalled.states()["d-main-1"] == "affected"
    return store


def test_recalls_stand_without_knowledge_while_own_notices_are_followed(recalled_pumps: Store) -> None:
    from medwarden.store.models import Device

    home_ = recalled_pumps.home
    before = recalled.states()
    remove(home_)
    letter = Entered("Battery", "Acme Medical", product="PumpOne", models="P100", serials="2500")
    number = enter("default", notice_of(letter), actor="user:anna", reason="by letter")
    recalls._loaded.clear()  # as in another process
    recalls.refresh(home_, "default")
    assert recalled.states(number)["d-main-2"] == "affected"
    Device.objects.filter(pk="d-main-1").update(firmware="2")
    recalls.match_devices(home_, "default", "main", ["d-main-1"])
    assert recalled.states() == before


@pytest.mark.parametrize("looked", [True, False])
def test_recalls_are_all_compared_when_knowledge_comes_again(
    recalled_pumps: Store, tmp_path: Path, looked: bool
) -> None:
    home_ = recalled_pumps.home
    remove(home_)
    if looked:
        assert recalls.refresh(home_, "default") == 0
    recalled.publish(home_, tmp_path, "Serial Numbers 2000 through 3000")
    assert recalls.refresh(home_, "default") == 2
    assert recalled.states() == {"d-main-1": "not_affected", "d-main-2": "affected", "d-main-3": "unknown"}


def test_who_compared_with_older_notices_leaves_what_newer_ones_came_to(
    recalled_pumps: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command line compares; before it stores that, the next wording is taken in and compared."""
    home_ = recalled_pumps.home

    def overtake() -> None:
        recalled.publish(home_, tmp_path, "Serial Numbers 2000 through 3000")
        assert recalls.refresh(home_, "default") == 2

    recalled.publish(home_, tmp_path, "Serial Numbers 1000 through 1600")
    meanwhile(monkeypatch, "_meant", overtake, recalls)
    recalls.refresh(home_, "default")
    assert recalled.states() == {"d-main-1": "not_affected", "d-main-2": "affected", "d-main-3": "unknown"}
    assert recalls.refresh(home_, "default") == 0
    assert recalled.states()["d-main-2"] == "affected"
