from __future__ import annotations

from pathlib import Path

import pytest
from tests.knowledge import mds2_forms as made
from tests.store.conftest import DeltaMaker, heard, home, migrated, store  # noqa: F401 - fixtures

from medwarden.app.mds2 import attach_form, covered_devices, keep, named, restore, withdraw
from medwarden.kernel.errors import ConfigurationError, MalformedInput
from medwarden.sensors.mds2_document import read_form
from medwarden.store.changes import Change
from medwarden.store.delta import apply_delta
from medwarden.store.open import Store

ALL = ("d-main-1", "d-main-2", "d-main-3")


@pytest.fixture
def pumps(store: Store, heard: DeltaMaker) -> Store:  # noqa: F811
    """Return a store with three pumps that speak DICOM and ask a name server on the internet."""
    from medwarden.app.judge import assess
    from medwarden.store.models import Device

    with Change("sensor:s", "heard", site="main") as change:
        apply_delta(change, heard(1, 2, 3))
    Device.objects.update(vendor="Nordlicht Medizintechnik", model="Perfusor Aurora 200")
    Device.objects.filter(pk="d-main-3").update(model="Perfusor Borealis")
    assess("default", "main", ALL)
    return store


def bring_in(said: dict[str, str] | None = None, **printed: str) -> str:
    rows = made.rows_2019({"DOC-7": "2024-05-17", "CONN-4": "No"} | (said or {}), **printed)  # type: ignore[arg-type]
    document = made.xlsx({"MDS2": rows})
    form = named(read_form(document, "form.xlsx"))
    return keep("default", form, "form.xlsx", str(hash(document)), actor="user:anna").id


def open_ones() -> set[tuple[str, str]]:
    from medwarden.store.models import Finding

    rows = Finding.objects.filter(kind="declaration", state="open")
    return set(rows.values_list("device_id", "type"))


def test_a_form_is_attached_by_its_names_and_compared(pumps: Store) -> None:
    from medwarden.store.models import AuditEntry, FactorSpan

    bring_in()
    assert open_ones() == {(d, "declared_no_outside") for d in ALL[:2]}
    factors = FactorSpan.objects.filter(factor="mds2_contradicted", until_ns=None)
    assert set(factors.values_list("device_id", flat=True)) == set(ALL[:2])
    assert AuditEntry.objects.filter(action="mds2.imported", actor="user:anna").count() == 1


def test_a_newer_form_takes_the_place_of_the_older_and_can_be_taken_back(pumps: Store) -> None:
    from medwarden.store.mds2 import forms
    from medwarden.store.queries.scope import Scope

    first = bring_in()
    newer = bring_in({"DOC-7": "2025-01-01", "CONN-4": "Yes"})
    assert open_ones() == set()
    older = bring_in({"DOC-7": "2020-01-01"})
    assert {f.id: f.counts for f in forms(Scope()).items} == {first: False, newer: True, older: False}
    withdraw("default", newer, actor="user:anna", reason="of another version")
    assert open_ones() == {(d, "declared_no_outside") for d in ALL[:2]}
    with pytest.raises(ConfigurationError, match="withdrawn already"):
        withdraw("default", newer, actor="user:anna", reason="again")
    restore("default", newer, actor="user:anna", reason="it was right")
    assert open_ones() == set()
    view = next(f for f in forms(Scope(), withdrawn=True).items if f.id == newer)
    assert view.withdrawn_ns is None and view.counts


def test_the_same_file_is_kept_once(pumps: Store) -> None:
    form = read_form(made.xlsx({"MDS2": made.rows_2019()}), "form.xlsx")
    first = keep("default", form, "form.xlsx", "abc", actor="user:anna")
    again = keep("default", form, "copy.xlsx", "abc", actor="user:ben")
    assert first.new and not again.new and first.id == again.id
    withdraw("default", first.id, actor="user:anna", reason="wrong")
    assert keep("default", form, "form.xlsx", "abc", actor="user:anna").new


def test_a_persons_word_attaches_and_keeps_apart(pumps: Store) -> None:
    from medwarden.store.mds2 import attachments, form_of
    from medwarden.store.queries.scope import Scope

    form = bring_in()
    series = form_of(Scope(), form)[0].series
    assert attach_form("default", form, actor="user:anna", reason="the same pump", device="d-main-3") == 3
    assert ("d-main-3", "declared_no_outside") in open_ones()
    assert (
        attach_form("default", form, actor="user:anna", reason="not", device="d-main-1", belongs=False) == 2
    )
    assert set(covered_devices("default", series)) == {"d-main-2", "d-main-3"}
    assert {a.device for a in attachments(Scope(), series)} == {"d-main-1", "d-main-3"}
    attach_form("default", form, actor="user:anna", reason="undo", device="d-main-1", belongs=None)
    attach_form("default", form, actor="user:anna", reason="undo", device="d-main-3", belongs=None)
    assert set(covered_devices("default", series)) == set(ALL[:2])
    vendor, model = "Nordlicht Medizintechnik", "Perfusor Borealis"
    assert (
        attach_form("default", form, actor="user:anna", reason="one family", vendor=vendor, model=model) == 3
    )
    for device, maker in (("", ""), ("nobody", ""), ("", "x")):
        with pytest.raises(ConfigurationError):
            attach_form("default", form, actor="user:anna", reason="why", device=device, vendor=maker)
    with pytest.raises(ConfigurationError, match="say why"):
        attach_form("default", form, actor="user:anna", reason=" ", device="d-main-1")


def test_words_on_two_devices_that_turn_out_to_be_one_stay(pumps: Store) -> None:
    from medwarden.store.models import DisclosureAttachment

    form = bring_in()
    attach_form("default", form, actor="user:anna", reason="so", device="d-main-1")
    attach_form("default", form, actor="user:anna", reason="so", device="d-main-2")
    DisclosureAttachment.objects.filter(device_id="d-main-2").update(device_id="d-main-1")
    assert (
        attach_form("default", form, actor="user:anna", reason="undo", device="d-main-1", belongs=None) == 2
    )


def test_findings_follow_the_evidence_and_the_devices_identity(pumps: Store) -> None:
    from medwarden.app.judge import assess
    from medwarden.store.models import Conversation, Device

    bring_in()
    assert len(open_ones()) == 2
    Conversation.objects.filter(device_id="d-main-1").delete()
    assess("default", "main", ["d-main-1"])
    assert open_ones() == {("d-main-2", "declared_no_outside")}
    Device.objects.filter(pk="d-main-2").update(model="Something else")
    assess("default", "main", ["d-main-2"])
    assert open_ones() == set()


def test_coverage_names_contradicted_models_first_then_those_without_a_form(pumps: Store) -> None:
    from medwarden.app.mds2 import coverage
    from medwarden.store.queries.scope import Scope

    bring_in()
    rows = coverage(Scope())
    assert [(r.model, r.devices, r.with_form, r.differences, r.gravest) for r in rows] == [
        ("Perfusor Aurora 200", 2, 2, 2, "low"),
        ("Perfusor Borealis", 1, 0, 0, ""),
    ]
    assert rows[0].released == "2024-05-17" and rows[1].form == ""
    assert coverage(Scope(sites=("elsewhere",))) == []


def test_what_a_maker_says_is_data_for_policy_and_patient_data(pumps: Store) -> None:
    from medwarden.app.disclosures import disclosure_for, network_needs
    from medwarden.app.policies import learn_stored
    from medwarden.store.queries import complete_devices

    bring_in({"MPII-2.2": "Yes"}, notes={"CONN-2": "DICOM 104/tcp"})  # type: ignore[arg-type]
    devices = complete_devices(ALL)
    needs = network_needs("default", devices)
    assert set(needs) == set(ALL[:2])
    assert needs["d-main-1"].external_communication is False
    assert [(p.port, p.transport) for p in needs["d-main-1"].ports] == [(104, "tcp")]
    learnt = learn_stored(device="d-main-1", category=None, actor="test")
    assert any(
        "1 device: services that the form names" in note and "tcp/104" in note for note in learnt.notes
    )
    found = disclosure_for("default", next(d for d in devices if d.id == "d-main-1"))
    assert found is not None and found.says("phi_kept") is True and "maker agrees" in found.attached


def test_a_form_without_names_asks_for_them() -> None:
    rows = made.rows_2019({"DOC-1": "", "DOC-3": ""})
    form = read_form(made.xlsx({"MDS2": rows}), "form.xlsx")
    with pytest.raises(ConfigurationError, match="does not name its maker"):
        named(form)
    with pytest.raises(ConfigurationError, match="does not name its model"):
        named(form, vendor="Nordlicht")
    assert named(form, "Nordlicht", "Aurora").header.model == "Aurora"


def test_a_trial_keeps_nothing(tmp_path: Path, pumps: Store) -> None:
    from medwarden.store.models import DisclosureForm

    with pytest.raises(MalformedInput):
        read_form(b"no form", "x")
    assert DisclosureForm.objects.count() == 0
