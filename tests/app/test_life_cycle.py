"""From a hospital's list, a feed and shipped dates to devices, their scores and back."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.store.conftest import DeltaMaker, heard, home, migrated, store  # noqa: F401 - fixtures

from medwarden.app.knowledge import import_files
from medwarden.app.life_cycle import (
    follow_support,
    import_document,
    match_support,
    refresh_support,
    removed,
    stated_by_hand,
    undone,
)
from medwarden.kernel.errors import ConfigurationError
from medwarden.store.changes import Change
from medwarden.store.delta import apply_delta
from medwarden.store.open import Store

LIST = b"Maker,Model,End of sale,End of support,Link\nPhilips,IntelliVue MP50,2018-12-31,2020-12-31,https://x.example/mp50\n"
LATER = LIST.replace(b"2020-12-31", b"2031-12-31")


@pytest.fixture
def monitors(store: Store, heard: DeltaMaker) -> Store:  # noqa: F811
    from medwarden.store.models import Device

    with Change("sensor:s", "heard", site="main") as change:
        apply_delta(change, heard(1, 2, 3, 4))
    Device.objects.update(stale=False, device_class="IoMT", category="patient_monitor")
    Device.objects.filter(pk="d-main-1").update(vendor="PHILIPS Healthcare", model="Intellivue MP-50")
    Device.objects.filter(pk="d-main-2").update(vendor="Philips", model="IntelliVue")
    Device.objects.filter(pk="d-main-3").update(vendor="Philips", model="IntelliVue MX800")
    Device.objects.filter(pk="d-main-4").update(
        vendor="Stormshield", model="SN200", os="Windows", os_version="7"
    )
    return store


def take_in(opened: Store, document: bytes, name: str = "ours") -> int:
    _, outcome = import_document(opened.home, "default", document, "list.csv", actor="user:anna", name=name)
    assert outcome is not None
    return outcome.devices


def days() -> dict[str, str | None]:
    from medwarden.store.models import Device

    return dict(Device.objects.order_by("pk").values_list("pk", "support_ends"))


def factors(device: str) -> dict[str, str]:
    from medwarden.store.queries import Scope, risk

    score = risk(Scope(), device)
    assert score is not None
    assert sum(factor.points for factor in score.factors) == score.score
    return {factor.id: factor.why for factor in score.factors}


def test_a_list_reaches_devices_scores_and_is_taken_back(monitors: Store) -> None:
    from medwarden.store.models import AuditEntry, DeviceSupport, SupportListRow
    from medwarden.store.queries import Scope
    from medwarden.store.queries.life_cycle import ends_of, history_of, support_lists, support_rows

    assert take_in(monitors, LIST) == 3, "two by the list, one by what is shipped and by its system"
    assert days() == {
        "d-main-1": "2020-12-31",
        "d-main-2": None,
        "d-main-3": None,
        "d-main-4": "2020-01-14",
    }
    said = ends_of(Scope(), list(days()))
    assert [(e.ending.value, e.state.value) for e in said["d-main-1"]] == [
        ("sale", "confirmed"),
        ("support", "confirmed"),
    ]
    assert {e.state.value for e in said["d-main-2"]} == {"potential"}
    assert "d-main-3" not in said, "unknown is unknown"
    assert said["d-main-1"][1].url == "https://x.example/mp50"
    assert {(e.subject.value, e.source.partition(" ")[0]) for e in said["d-main-4"]} == {
        ("model", "Stormshield"),
        ("system", "the"),
    }
    assert factors("d-main-1")["unsupported_device"] == (
        "Its maker supports it no longer since 2020-12-31 (the list ours)."
    )
    assert "unsupported_device" not in factors("d-main-2"), "what may be meant does not count"
    assert {"unsupported_device", "unsupported_os"} <= factors("d-main-4").keys()

    written = DeviceSupport.objects.count()
    assert take_in(monitors, LIST) == 0
    assert (DeviceSupport.objects.count(), SupportListRow.objects.count()) == (written, 2)
    assert refresh_support(monitors.home, "default") == 0
    assert match_support(monitors.home, "default", "main", list(days())) == set()

    assert take_in(monitors, LATER) == 2
    assert days()["d-main-1"] == "2031-12-31"
    assert "unsupported_device" not in factors("d-main-1")
    (shown,) = support_lists("default")
    assert (shown.name, shown.number, shown.rows, shown.before) == ("ours", 2, 2, 1)
    assert support_rows("default", "ours", text="mp50 philips").total == 2
    assert support_rows("default", "ours", text="mp70").total == 0

    assert undone(monitors.home, "default", "ours", actor="user:anna", reason="the wrong file") == 1
    assert days()["d-main-1"] == "2020-12-31"
    assert "unsupported_device" in factors("d-main-1")
    removed(monitors.home, "default", "ours", actor="user:anna", reason="we keep no list")
    assert days()["d-main-1"] is None
    assert support_lists("default") == []
    assert [until is None for _, until in history_of(Scope(), "d-main-1")] == [False] * 4
    actions = set(AuditEntry.objects.filter(subject="support_list:ours").values_list("action", flat=True))
    assert actions == {"support_list.imported", "support_list.undone", "support_list.removed"}
    for call in (undone, removed):
        with pytest.raises(ConfigurationError, match="no list of ends of support"):
            call(monitors.home, "default", "ours", actor="user:anna", reason="again")


def test_a_feed_tells_the_ends_of_devices(monitors: Store, tmp_path: Path) -> None:
    from medwarden.store.models import Device
    from medwarden.store.queries import Scope
    from medwarden.store.queries.life_cycle import ends_of

    Device.objects.filter(pk="d-main-3").update(vendor="Apple", model="iPad Air 2")
    page = (
        "---\ntitle: Apple iPad\ncategory: device\npermalink: /ipad\nreleases:\n"
        '  - releaseCycle: "air-2"\n    releaseLabel: "iPad Air 2"\n'
        "    discontinued: 2017-03-21\n    eol: 2024-02-01\n"
        '  - releaseCycle: "11"\n    releaseLabel: "iPad (11th generation)"\n'
        "    discontinued: false\n    eol: false\n"
        "---\n"
    )
    folder = tmp_path / "published"
    folder.mkdir()
    (folder / "ipad.md").write_text(page)
    import_files(monitors.home, [folder], unsigned=True)
    assert follow_support(monitors.home, "default") >= 1
    sale, updates = ends_of(Scope(), ["d-main-3"])["d-main-3"]
    assert (sale.ending.value, sale.day.isoformat()) == ("sale", "2017-03-21")
    assert (updates.ending.value, updates.day.isoformat()) == ("security", "2024-02-01")
    assert updates.url == "https://endoflife.date/ipad"
    assert updates.seen
    assert factors("d-main-3")["unsupported_device"].startswith("Its maker corrects its weaknesses no longer")


def test_a_persons_day_outranks_what_is_published(monitors: Store) -> None:
    from medwarden.app.judge import assess_due
    from medwarden.model.custom_attribute import AttributeKind, AttributeSpec
    from medwarden.store.attributes import define, set_value
    from medwarden.store.models import Device
    from medwarden.store.queries import Scope
    from medwarden.store.queries.life_cycle import ends_of

    take_in(monitors, LIST)
    with Change("user:anna", "a contract of our own") as change:
        define(change, AttributeSpec("end_of_support", kind=AttributeKind.DATE))
        set_value(change, "d-main-1", "end_of_support", "2032-01-01")
    stated_by_hand(monitors.home, "default", "main", "d-main-1")
    said_of = Device.objects.get(pk="d-main-1")
    assert said_of.stale and said_of.score_due_ns is not None, "it is judged anew, and scored"
    assert {end.subject.value for end in ends_of(Scope(), ["d-main-1"])["d-main-1"]} == {"model", "stated"}
    Device.objects.filter(pk="d-main-1").update(stale=False)  # as if it had been judged what it was
    assess_due("default", "main")
    assert "unsupported_device" not in factors("d-main-1")


def test_a_list_that_cannot_be_used_changes_nothing(monitors: Store) -> None:
    from medwarden.store.models import SupportListImport

    with pytest.raises(ConfigurationError, match="give the list a name"):
        take_in(monitors, LIST, name=" ")
    assert not SupportListImport.objects.exists()
    read, outcome = import_document(
        monitors.home, "default", LIST, "list.csv", actor="user:anna", name="ours", trial=True
    )
    assert (len(read.ends), outcome) == (2, None)
    assert not SupportListImport.objects.exists()
