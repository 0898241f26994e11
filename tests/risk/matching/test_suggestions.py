from __future__ import annotations

from medwarden.risk.matching.names import Makers, packaged_aliases
from medwarden.risk.matching.suggestions import suggestions

NAMED = {
    "Spacelabs Healthcare": ["Xhibit Telemetry Receiver", "Qube"],
    "Northern Imaging Systems": ["Viewer"],
    "BD": ["Alaris Gateway Workstation"],
}


def asked(*inventory: tuple[str, str, int]) -> list[tuple[str, str, str, int]]:
    found = suggestions(Makers(packaged_aliases()), NAMED, inventory)
    return [(each.kind, each.ours, each.theirs, each.devices) for each in found]


def test_a_maker_that_no_source_knows_is_held_against_those_they_name() -> None:
    assert asked(("Northern Imaging Syst", "Viewer", 3)) == [
        ("vendor", "Northern Imaging Syst", "Northern Imaging Systems", 3)
    ]
    assert asked(("NIS", "Viewer", 2)) == [("vendor", "NIS", "Northern Imaging Systems", 2)]
    assert asked(("Completely Other", "Thing", 9)) == []


def test_a_model_that_meets_no_product_is_held_against_those_of_its_maker() -> None:
    (found,) = asked(("Spacelabs", "Xhibit Telemetry Rcvr", 4))
    assert found == ("product", "Xhibit Telemetry Rcvr", "Xhibit Telemetry Receiver", 4)
    assert asked(("Spacelabs", "Qube", 4)) == [], "what matches already needs no other name"
    assert asked(("Spacelabs", "", 4)) == []


def test_what_concerns_most_devices_comes_first() -> None:
    found = asked(("Northern Imaging Syst", "Viewer", 3), ("NIS", "Viewer", 20))
    assert [devices for *_, devices in found] == [20, 3]
