"""A statement that is kept answers as the query would that is built anew, whatever changed and where."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pytest_django.plugin import DjangoDbBlocker
from tests.store.conftest import DeltaMaker

from medwarden.kernel.errors import InternalError
from medwarden.model.inventory_delta import InventoryDelta
from medwarden.store.open import Store, open_store

if TYPE_CHECKING:
    from medwarden.store.prepared import Prepared

SITE = "main"
COLUMNS = ("pk", "gateway", "macs", "device_class", "managed", "first_seen", "retired_at", "text")


def take_in(delta: InventoryDelta) -> None:
    from medwarden.store.changes import Change
    from medwarden.store.delta import apply_delta

    with Change("sensor:s", "heard", site=SITE) as change:
        apply_delta(change, delta)


def query(keys: Any, site: Any) -> Any:
    """Return a query with an annotation, a join, an order, constants, and columns that Django converts."""
    from django.db.models import TextField
    from django.db.models.functions import Cast

    from medwarden.store.models import Device

    rows = Device.objects.filter(pk__in=keys, site__id=site, retired_at=None, stale=True)
    return rows.annotate(text=Cast("vlans", TextField())).order_by("-pk")


@pytest.fixture
def prepared(store: Store) -> Prepared:
    from medwarden.store.prepared import Prepared, one_of

    return Prepared(lambda keys, site: query(one_of(keys), site), *COLUMNS)


def test_it_returns_what_the_query_returns(store: Store, heard: DeltaMaker, prepared: Prepared) -> None:
    from medwarden.store.models import Device

    take_in(heard(1, 2, 3))
    Device.objects.filter(pk="d-main-1").update(managed=True, gateway=True)
    Device.objects.filter(pk="d-main-2").update(managed=False)
    for keys in (["d-main-1", "d-main-2"], ["d-main-3", "there is none"], [], ['"], ["', "d'%s"]):
        for site in (SITE, "another"):
            assert list(prepared(keys, site)) == list(query(keys, site).values_list(*COLUMNS))
    assert [row[:5] for row in prepared(["d-main-1"], SITE)] == [
        ("d-main-1", True, ["02:00:00:00:00:01"], "unknown", True)
    ]


def test_what_changed_since_is_seen(store: Store, heard: DeltaMaker, prepared: Prepared) -> None:
    from medwarden.store.models import Device

    keys = ["d-main-1", "d-main-2"]
    assert list(prepared(keys, SITE)) == []
    take_in(heard(1, 2))
    assert [row[0] for row in prepared(keys, SITE)] == ["d-main-2", "d-main-1"]
    Device.objects.filter(pk="d-main-2").update(retired_at=1)
    Device.objects.filter(pk="d-main-1").update(macs=["02:00:00:00:00:77"])
    assert [row[:3] for row in prepared(keys, SITE)] == [("d-main-1", False, ["02:00:00:00:00:77"])]


def test_whole_rows_are_instances_with_all_that_is_stored(store: Store, heard: DeltaMaker) -> None:
    from medwarden.store.models import Device
    from medwarden.store.prepared import PreparedRows, one_of

    take_in(heard(1, 2))
    read: Callable[..., Iterator[Device]] = PreparedRows(
        Device, lambda keys: Device.objects.filter(pk__in=one_of(keys)).order_by("pk")
    )
    names = [field.attname for field in Device._meta.concrete_fields]
    keys = ["d-main-2", "d-main-1"]
    stored = Device.objects.filter(pk__in=keys).order_by("pk")
    assert [[getattr(row, name) for name in names] for row in read(keys)] == [
        [getattr(row, name) for name in names] for row in stored
    ]
    first = next(read(keys))
    first.name = "renamed"
    first.save(update_fields=["name"])
    assert [row.name for row in read(["d-main-1"])] == ["renamed"]


def test_keys_for_one_value_and_one_value_for_keys_are_refused(store: Store) -> None:
    from medwarden.store.models import Device
    from medwarden.store.prepared import Prepared, one_of

    forgotten = Prepared(lambda keys: Device.objects.filter(pk__in=keys), "pk")
    with pytest.raises(InternalError, match="must be one"):
        list(forgotten(["d-main-1"]))
    many = Prepared(lambda keys: Device.objects.filter(pk__in=one_of(keys)), "pk")
    with pytest.raises(InternalError, match="must be keys"):
        list(many("d-main-1"))


def test_more_rows_than_are_fetched_at_once(
    store: Store, heard: DeltaMaker, prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medwarden.store import prepared as module

    monkeypatch.setattr(module, "_AT_ONCE", 2)
    take_in(heard(1, 2, 3, 4))
    keys = [f"d-main-{n}" for n in range(1, 5)]
    for count in range(5):
        assert [row[0] for row in prepared(keys[:count], SITE)] == keys[:count][::-1]


def test_in_another_thread_it_asks_by_that_threads_connection(
    store: Store, heard: DeltaMaker, prepared: Prepared
) -> None:
    take_in(heard(1))
    here = list(prepared(["d-main-1"], SITE))
    there: list[tuple[object, ...]] = []

    def ask() -> None:
        there.extend(prepared(["d-main-1"], SITE))
        store.leave_thread()

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert there == here != []


def test_in_another_folder_it_finds_what_is_stored_there(
    home: Path, tmp_path: Path, heard: DeltaMaker, django_db_blocker: DjangoDbBlocker
) -> None:
    other = Path(shutil.copytree(home, tmp_path / "other"))
    found = []
    with django_db_blocker.unblock():
        for folder, number in ((home, 1), (other, 2), (home, 3)):
            with open_store(folder, writer=True):
                from medwarden.store.queries import complete_devices

                take_in(heard(number))
                found.append([d.id for d in complete_devices(["d-main-1", "d-main-2", "d-main-3"])])
    assert found == [["d-main-1"], ["d-main-2"], ["d-main-1", "d-main-3"]]
