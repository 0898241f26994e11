"""What feeds bring is used where the house can use it: makers of MAC addresses, registered products."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django.plugin import DjangoDbBlocker
from tests.feeds import making
from tests.store.conftest import DeltaMaker, heard, store  # noqa: F401 - fixtures

from medwarden.app.gudid import lookup
from medwarden.app.knowledge import import_files
from medwarden.app.knowledge_effect import Watching
from medwarden.app.registry import load_registry
from medwarden.cli.main import run
from medwarden.knowledge.oui import maker_of, use_registry
from medwarden.store.changes import Change
from medwarden.store.delta import apply_delta
from medwarden.store.knowledge import Knowledge
from medwarden.store.open import Store

UNKNOWN = "a0:ff:ee:00:00:01"
PHILIPS = "00:17:88:01:02:03"


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield
    use_registry({}, newer=False)


@pytest.fixture
def home(tmp_path: Path, migrated: Path) -> Path:
    return Path(shutil.copytree(migrated, tmp_path / "home"))


def bring(home: Path, tmp_path: Path, *rows: tuple[str, str, str], proof: str = "unsigned") -> None:
    path = tmp_path / "oui.csv"
    path.write_bytes(making.oui(*rows))
    assert import_files(home, [path], unsigned=True).errors == ()
    with Knowledge(home, writable=True) as knowledge, knowledge.change():
        knowledge.db.execute("UPDATE edition SET proof = ?", (proof,))


def test_a_registry_that_a_person_brought_says_only_what_the_packaged_one_does_not_know(
    home: Path, tmp_path: Path
) -> None:
    assert maker_of(UNKNOWN) is None
    bring(home, tmp_path, ("MA-L", "A0FFEE", "Acme Pumps"), ("MA-L", "001788", "Somebody else"))
    assert load_registry(home)
    assert not load_registry(home)
    found, philips = maker_of(UNKNOWN), maker_of(PHILIPS)
    assert found is not None
    assert found.registered == "Acme Pumps"
    assert philips is not None
    assert philips.vendor == "Philips"


def test_a_registry_from_its_publisher_is_younger_and_wins(home: Path, tmp_path: Path) -> None:
    bring(home, tmp_path, ("MA-L", "001788", "Somebody else"), proof="transport")
    load_registry(home)
    found = maker_of(PHILIPS)
    assert found is not None
    assert found.registered == "Somebody else"
    assert load_registry(tmp_path / "another")  # one folder's at a time
    assert maker_of(PHILIPS) != found


def test_devices_whose_maker_changes_are_judged_anew(
    store: Store,  # noqa: F811
    heard: DeltaMaker,  # noqa: F811
    tmp_path: Path,
) -> None:
    from medwarden.store.models import Device, Interface

    with Change("sensor:s", "heard", site="main") as change:
        apply_delta(change, heard(1, 2))
    Device.objects.update(stale=False)
    Interface.objects.filter(device_id="d-main-1").update(mac=UNKNOWN)
    load_registry(store.home)
    watching = Watching(store.home)
    path = tmp_path / "oui.csv"
    path.write_bytes(making.oui(("MA-L", "A0FFEE", "Acme Pumps")))
    import_files(store.home, [path], unsigned=True)
    watching.close("test", "imported", [])
    assert list(Device.objects.filter(stale=True).values_list("pk", flat=True)) == ["d-main-1"]


def test_products_of_a_feed_are_found_where_gudid_is_looked_up(
    home: Path, tmp_path: Path, django_db_blocker: DjangoDbBlocker, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "udi.json"
    path.write_bytes(making.openfda(making.listing()))
    with django_db_blocker.unblock():
        assert run(["knowledge", "import", str(path), "--unsigned", "--home", str(home)]) == 0
    with Knowledge(home) as knowledge:
        (listing,) = knowledge.listings()
    found = lookup(home, listing.id)
    assert found is not None
    product = found[0].product
    assert (product.brand, product.model, product.company) == (listing.brand, listing.model, listing.company)
    assert [code.code for code in product.codes] == list(listing.product_codes)
    assert run(["gudid", "lookup", listing.id, "--home", str(home)]) == 0
    assert listing.brand in capsys.readouterr().out
