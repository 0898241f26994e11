"""Days of models reach the very models they are of, however their names are written, and nobody else."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.model.life_cycle import Ending, EndOfSupport
from medwarden.model.vulnerability import MatchState
from medwarden.risk.lifecycle.engine import Notices
from medwarden.risk.matching.names import Aliases, ProductAlias
from medwarden.risk.matching.profile import Profile

DAY = date(2024, 1, 31)


def notice(vendor: str, model: str, ending: Ending = Ending.SUPPORT, version: str = "") -> EndOfSupport:
    return EndOfSupport(
        f"{vendor}/{model}/{ending}/{version}", vendor, model, ending, DAY, "the list A", version=version
    )


NOTICES = Notices(
    [
        notice("Philips", "IntelliVue MP50"),
        notice("Philips", "IntelliVue MP50", Ending.SALE),
        notice("Hospira", "Plum A+", version="< 13.4"),
        notice("Microsoft", "Surface Pro"),
        notice("Microsoft", "Surface Pro 4", Ending.SECURITY),
        notice("Cisco", "Catalyst 2960 Series"),
        notice("Cisco", "ISR4331"),
        *(notice("Apple", f"iPhone {n}") for n in range(5, 12)),
        *(notice("Fortinet", "FortiGate series", version=f"7.{n}.x") for n in range(0, 12, 2)),
    ]
)


def said(vendor: str, model: str, firmware: str = "") -> dict[str, MatchState]:
    ends = NOTICES.of(Profile(vendor=vendor, model=model, firmware=firmware))
    return {end.notice.partition("/")[2]: end.state for end in ends}


SURE, PERHAPS = MatchState.CONFIRMED, MatchState.POTENTIAL
_MP50 = {"IntelliVue MP50/support/": SURE, "IntelliVue MP50/sale/": SURE}
_MAYBE = dict.fromkeys(_MP50, PERHAPS)


@pytest.mark.parametrize(
    ("vendor", "model", "firmware", "expected"),
    [
        ("Philips", "IntelliVue MP50", "", _MP50),
        ("PHILIPS Healthcare", "intellivue  MP-50", "", _MP50),
        ("Philips", "Intelivue MP50", "", _MP50),
        ("Philips", "IntelliVue MP5", "", {}),
        ("Philips", "IntelliVue MX800", "", {}),
        ("Draeger", "IntelliVue MP50", "", {}),
        ("Philips", "IntelliVue", "", _MAYBE),
        ("ICU Medical", "Plum A+", "13.3", {"Plum A+/support/< 13.4": SURE}),
        ("ICU Medical", "Plum A+", "", {"Plum A+/support/< 13.4": PERHAPS}),
        ("ICU Medical", "Plum A+", "14.0", {}),
        ("Microsoft", "Surface Pro 4", "", {"Surface Pro 4/security/": SURE}),
        ("Microsoft", "Surface Pro 7", "", {"Surface Pro/support/": PERHAPS}),
        ("Cisco", "Catalyst 2960", "", {"Catalyst 2960 Series/support/": SURE}),
        ("Cisco", "ISR4331/K9", "", {"ISR4331/support/": SURE}),
        ("Apple", "iPhone 7", "", {"iPhone 7/support/": SURE}),
        ("Apple", "iPhone", "", {}),
        ("Fortinet", "FortiGate-60F", "7.2.12", {"FortiGate series/support/7.2.x": SURE}),
        ("Fortinet", "FortiGate 100F", "", {}),
        ("Fortinet", "FortiSwitch 124E", "7.2.1", {}),
        ("", "IntelliVue MP50", "", _MAYBE),
        ("Acme", "Anything", "", {}),
        ("Philips", "", "", {}),
    ],
)  # fmt: skip
def test_a_day_is_of_the_very_model(
    vendor: str, model: str, firmware: str, expected: dict[str, MatchState]
) -> None:
    assert said(vendor, model, firmware) == expected


def test_an_unsure_identity_is_never_confirmed_and_says_so() -> None:
    profile = Profile(vendor="Philips", model="IntelliVue MP50", model_sure=False)
    ends = NOTICES.of(profile)
    assert {end.state for end in ends} == {PERHAPS}
    assert all("not sure of its model" in end.reason for end in ends)
    assert not any(end.counts for end in ends)


def test_the_end_of_sale_alone_leaves_no_device_without_help() -> None:
    ends = NOTICES.of(Profile(vendor="Philips", model="IntelliVue MP50"))
    assert {end.ending: end.counts for end in ends} == {Ending.SALE: False, Ending.SUPPORT: True}
    assert ends[0].reason == (
        "the list A gives 2024-01-31 as the end of sale of Philips IntelliVue MP50; "
        "the device is held for Philips IntelliVue MP50: it is meant."
    )


def test_a_hospitals_own_names_count() -> None:
    own = Aliases(products=(ProductAlias("Philips", ("Bedside Grey", "IntelliVue MP50")),))
    (end,) = Notices([notice("Philips", "IntelliVue MP50")], own).of(
        Profile(vendor="Philips", model="Bedside Grey")
    )
    assert end.state is SURE


def test_the_same_said_twice_is_said_once() -> None:
    again = Notices([notice("Philips", "MP50"), notice("Philips", "MP-50"), notice("Philips", "MP50")])
    assert len(again) == 2
    assert len(again.of(Profile(vendor="Philips", model="MP50"))) == 1


_NAMES = st.sampled_from(
    ["Philips", "Acme", "MP50", "MP5", "IntelliVue", "Series", "4", "Pro", "/", ",", "K9"]
)


@given(
    st.lists(st.lists(_NAMES, min_size=1, max_size=4).map(" ".join), max_size=6), st.lists(_NAMES, max_size=4)
)
def test_any_names_give_an_answer_that_does_not_depend_on_the_order_of_notices(
    models: list[str], words: list[str]
) -> None:
    notices = [notice("Philips", model) for model in dict.fromkeys(models)]
    profile = Profile(vendor="Philips", model=" ".join(words))
    here, there = Notices(notices).of(profile), Notices(reversed(notices)).of(profile)
    assert {(e.ending, e.day, e.state) for e in here} == {(e.ending, e.day, e.state) for e in there}
    assert Notices(notices).of(profile) == here
