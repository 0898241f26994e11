from __future__ import annotations

import pytest

from medwarden.risk.matching.likeness import Closeness
from medwarden.risk.matching.names import Aliases
from medwarden.risk.mds2_naming import Naming, Series, Word, maker_key, models_of

PUMP = Series("s-pump", "B. Braun Medical Inc.", "Infusomat Space", "2020-01-01", 1)
MONITOR = Series("s-monitor", "Philips", "IntelliVue MX400, MX450, MX500", "2021", 2)


@pytest.mark.parametrize(
    ("vendor", "model", "series"),
    [
        ("B. Braun", "Infusomat Space", "s-pump"),
        ("B.Braun Melsungen AG", "INFUSOMAT SPACE", "s-pump"),
        ("B. Braun", "Perfusor Space", None),
        ("Philips Healthcare", "IntelliVue MX450", "s-monitor"),
        ("Philips", "IntelliVue MX40", None),
        ("Dräger", "Infusomat Space", None),
        (None, "Infusomat Space", None),
        ("B. Braun", None, None),
    ],
)
def test_a_form_is_found_by_maker_and_model(
    vendor: str | None, model: str | None, series: str | None
) -> None:
    found = Naming((PUMP, MONITOR)).of("d-1", vendor, model)
    assert (found.series if found else None) == series


def test_a_name_that_may_be_it_is_proposed_and_not_attached() -> None:
    naming = Naming((PUMP,))
    assert naming.of("d-1", "B. Braun", "Infusomat Space P") is None
    assert [fit.series for fit in naming.proposed("B. Braun", "Infusomat Space P")] == ["s-pump"]
    assert naming.proposed("B. Braun", "Infusomat Space P")[0].closeness is Closeness.MAYBE


def test_a_persons_word_stands_before_names_and_on_a_device_before_its_model() -> None:
    other = Series("s-other", "Nordlicht", "Aurora", "2019", 3)
    model = Word("s-other", "", "B. Braun", "Infusomat Space", belongs=True)
    apart = Word("s-pump", "", "b. braun", "infusomat space", belongs=False)
    naming = Naming((PUMP, other), (model, apart))
    found = naming.of("d-1", "B. Braun", "Infusomat Space")
    assert found is not None and (found.series, found.why) == ("s-other", "attached to its model by hand")
    device = Word("s-pump", "d-1", "", "", belongs=True)
    found = Naming((PUMP, other), (model, apart, device)).of("d-1", "B. Braun", "Infusomat Space")
    assert found is not None and found.series == "s-pump" and found.why == "attached to it by hand"
    unnamed = Naming((PUMP,), (Word("s-pump", "d-9", "", "", belongs=True),))
    assert unnamed.of("d-9", None, None) is not None and unnamed.of("d-8", None, None) is None
    kept_apart = Naming((PUMP,), (Word("s-pump", "d-1", "", "", belongs=False),))
    assert kept_apart.of("d-1", "B. Braun", "Infusomat Space") is None


def test_of_several_forms_the_newest_counts() -> None:
    newer = Series("s-newer", "B Braun", "Infusomat Space series", "2023-05", 0)
    found = Naming((PUMP, newer)).of("d-1", "B. Braun", "Infusomat Space")
    assert found is not None and found.series == "s-newer"


def test_a_hospitals_own_aliases_count() -> None:
    own = Aliases(vendors=(("Nordlicht", "NL Medical"),))
    naming = Naming((Series("s", "Nordlicht", "Aurora 200"),), own=own)
    assert naming.of("d", "NL Medical", "Aurora 200") is not None
    assert maker_key("NL Medical", own) == maker_key("Nordlicht", own)
    assert maker_key("B. Braun Medical Inc.") == maker_key("B.Braun")


def test_models_of_one_form_are_told_apart() -> None:
    assert models_of("Aurora 100; Aurora 200\nBorealis") == ("Aurora 100", "Aurora 200", "Borealis")
    assert models_of("Aurora, Borealis") == ("Aurora, Borealis", "Aurora", "Borealis")
