from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.store.conftest import DeltaMaker, heard, home, migrated, store  # noqa: F401 - fixtures

from medwarden.app.sbom import attach, attach_stored
from medwarden.kernel.errors import ConfigurationError, MalformedInput
from medwarden.store.changes import Change
from medwarden.store.delta import apply_delta
from medwarden.store.open import Store

BILL = json.dumps(
    {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "metadata": {"component": {"name": "SpaceCom", "version": "A30"}},
        "components": [
            {"name": "openssl", "version": "1.0.2", "bom-ref": "ssl"},
            {"name": "linux", "version": "4.9", "bom-ref": "os"},
        ],
        "dependencies": [{"ref": "os", "dependsOn": ["ssl"]}],
    }
).encode()


@pytest.fixture
def pumps(store: Store, heard: DeltaMaker) -> Store:  # noqa: F811
    from medwarden.store.models import Device

    with Change("sensor:s", "heard", site="main") as change:
        apply_delta(change, heard(1, 2))
    Device.objects.update(vendor="B. Braun", model="Infusomat Space", firmware="A30")
    Device.objects.filter(pk="d-main-2").update(firmware="A31")
    return store


def names(device: str) -> set[str]:
    from medwarden.store.queries import Scope
    from medwarden.store.sbom import bills

    return {bill.source for bill in bills(Scope(), device=device).items}


def test_devices_that_a_bill_counts_for_are_looked_at_again(pumps: Store) -> None:
    from medwarden.store.models import Device
    from medwarden.store.queries import Scope
    from medwarden.store.sbom import Subject, remove_bill

    def looked_at() -> list[str]:
        stale = list(Device.objects.filter(stale=True).order_by("pk").values_list("pk", flat=True))
        Device.objects.update(stale=False)
        return stale

    looked_at()
    own = attach_stored("default", BILL, "own.json", Subject("d-main-2"), actor="user:anna")
    assert looked_at() == ["d-main-2"]
    of_model = Subject("", "b. braun", "Infusomat Space")
    attach_stored("default", BILL, "any.json", of_model, actor="user:anna")
    assert looked_at() == ["d-main-1", "d-main-2"]
    attach_stored("default", BILL, "other.json", Subject("", "B. Braun", "Perfusor"), actor="user:anna")
    assert looked_at() == []
    with Change("user:anna", "superseded") as change:
        remove_bill(change, Scope(), own)
    assert looked_at() == ["d-main-2"]


def test_a_bill_of_a_model_is_that_of_its_devices_with_the_firmware(pumps: Store) -> None:
    from medwarden.store.queries import Scope
    from medwarden.store.sbom import Subject, bills, components, remove_bill

    of_model = Subject("", "b. braun", "Infusomat Space", "A30")
    first = attach_stored("default", BILL, "a30.json", of_model, actor="user:anna")
    assert first == attach_stored("default", BILL, "a30.json", of_model, actor="user:anna")
    attach_stored("default", BILL, "any.json", Subject("", "B. Braun", "Infusomat Space"), actor="user:anna")
    attach_stored("default", BILL, "own.json", Subject("d-main-2"), actor="user:anna")
    assert names("d-main-1") == {"a30.json", "any.json"}
    assert names("d-main-2") == {"any.json", "own.json"}
    assert names("d-none") == set()
    (ssl, system) = components(Scope(), first).items
    assert (ssl.name, ssl.version, system.depends) == ("openssl", "1.0.2", ("ssl",))
    assert components(Scope(), first, text="linux").total == 1
    other = Scope(sites=("elsewhere",))
    assert {b.source for b in bills(other).items} == {"a30.json", "any.json"}
    with Change("user:anna", "replaced") as change:
        remove_bill(change, Scope(), first)
    assert names("d-main-1") == {"any.json"} and components(Scope(), first).total == 0
    with pytest.raises(ConfigurationError, match="no bill"), Change("user:anna", "again") as change:
        remove_bill(change, Scope(), first)


def test_what_a_bill_is_of_must_be_said(pumps: Store, tmp_path: Path) -> None:
    from medwarden.store.sbom import Subject

    with pytest.raises(ConfigurationError, match="a device, or a maker and a model"):
        attach_stored("default", BILL, "x", Subject(), actor="a")
    with pytest.raises(ConfigurationError, match="no device"):
        attach_stored("default", BILL, "x", Subject("d-9"), actor="a")
    with pytest.raises(ConfigurationError, match="either a device"):
        attach(tmp_path, tmp_path / "x", actor="a", device="d", vendor="v")
    with pytest.raises(MalformedInput):
        attach_stored("default", b"{}", "x", Subject("d-main-1"), actor="a")
