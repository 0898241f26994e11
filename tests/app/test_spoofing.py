"""A simulated house in which somebody takes the address of a device: found, and nothing else is."""

from __future__ import annotations

import json
from pathlib import Path

from pytest_django.plugin import DjangoDbBlocker

from medwarden.app.replay import replay_captures
from medwarden.app.simulate import Request, simulate, start_of
from medwarden.inventory.spoofing import TYPE
from medwarden.store.open import open_store


def test_a_cloned_address_becomes_one_finding_that_a_person_closes(
    tmp_path: Path, django_db_blocker: DjangoDbBlocker
) -> None:
    request = Request(
        devices=60,
        hours=2.0,
        seed=5,
        start=start_of("2026-03-02T08:00"),
        incidents=("mac_clone", "firmware_campaign"),
    )
    made = simulate(request, tmp_path / "sim")
    (clone,) = [
        told
        for told in json.loads((made.folder / "truth.json").read_text())["incidents"]
        if told["name"] == "mac_clone"
    ]
    home = tmp_path / "home"
    with django_db_blocker.unblock():
        replay_captures(list(made.captures), home)
        with open_store(home, writer=True):
            from medwarden.app.judge import judge_stale
            from medwarden.model.finding import FindingState
            from medwarden.store.changes import Change
            from medwarden.store.findings import transition
            from medwarden.store.models import Device, Finding, VerdictChange

            (finding,) = Finding.objects.filter(type=TYPE)
            assert finding.device.macs == [clone["cloned_mac"]]
            assert {"dhcp.parameter_request_list", "dhcp.host_name"} <= {e["field"] for e in finding.evidence}
            with Change("user:anna", "reinstalled as a kiosk", site="main") as change:
                transition(change, finding.pk, FindingState.RESOLVED)
            Device.objects.update(stale=True)
            judge_stale("default", "main")
            assert Finding.objects.get(type=TYPE).state == "resolved"
            changes = VerdictChange.objects.filter(device=finding.device_id)
            assert all(change.old != change.new for change in changes)
