from __future__ import annotations

from datetime import date

import pytest

from medwarden.model.recall import RecallClass
from medwarden.risk.recalls.engine import RecallState
from medwarden.risk.recalls.outlook import Aged, Urgency, age_of, outlook

TODAY = date(2026, 11, 22)
GRAVE = ((RecallClass.I, RecallState.AFFECTED),)


def test_what_comes_together_is_more_urgent() -> None:
    found = outlook(
        [
            Aged("old", "Old", bought="2010-05-01", cost=900.0, currency="EUR"),
            Aged("recalled", "Recalled", recalls=GRAVE),
            Aged("both", "Both", recalls=GRAVE, bought="2010-05-01"),
            Aged("unsupported", "Unsupported", support_ends=date(2020, 1, 14), support_of="Windows 7"),
            Aged("soon", "Soon", support_ends=date(2027, 3, 1)),
            Aged("fine", "Fine", bought="2024-01-01", support_ends=date(2030, 1, 1)),
        ],
        TODAY,
    )
    urgency = {o.device: o.urgency for o in found}
    assert urgency == {
        "both": Urgency.NOW,
        "recalled": Urgency.PLAN,
        "unsupported": Urgency.PLAN,
        "old": Urgency.WATCH,
        "soon": Urgency.WATCH,
    }
    assert found[0].device == "both"
    assert found[0].why == ("A class I recall concerns it.", "It was bought 17 years ago.")
    old = next(o for o in found if o.device == "old")
    assert (old.age_years, old.cost, old.currency) == (16.6, 900.0, "EUR")
    assert "Support of Windows 7 ended on 2020-01-14." in {w for o in found for w in o.why}


def test_a_recall_that_only_may_concern_it_counts_less() -> None:
    (found,) = outlook([Aged("d", "D", recalls=((RecallClass.I, RecallState.MAY_BE),))], TODAY)
    assert (found.urgency, found.why) == (Urgency.WATCH, ("A class I recall may concern it.",))
    assert outlook([Aged("d", "D", recalls=((RecallClass.II, RecallState.AFFECTED),))], TODAY) == []


@pytest.mark.parametrize(
    ("bought", "years"), [("2016-11-22", 10.0), ("2016", 10.9), ("", None), ("yesterday", None)]
)
def test_ages_of_days_and_years(bought: str, years: float | None) -> None:
    assert age_of(bought, TODAY) == years
