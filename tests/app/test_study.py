"""Captures to devices in memory."""

from __future__ import annotations

from pathlib import Path

from medwarden.app.study import study


def test_captures_add_up_and_progress_is_told(capture: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    broken = tmp_path / "broken.pcap"
    broken.write_bytes(b"no capture")
    studied = study([capture, broken, capture], progress=lambda *step: told.append(step))
    assert [(done, of, Path(name).name) for done, of, name in told] == [
        (0, 3, "two.pcap"),
        (1, 3, "broken.pcap"),
        (2, 3, "two.pcap"),
    ]
    assert [report.error is None for report in studied.inputs] == [True, False, True]
    names = {e.value: e.count for d in studied.devices for e in d.ledger if e.field == "syslog.host_name"}
    assert names == {"ct01": 2, "ris02": 2}
    assert len(studied.devices) == 2


def test_devices_have_the_same_ids_in_every_run(capture: Path) -> None:
    first, second = study([capture]), study([capture])
    assert [d.id for d in first.devices] == [d.id for d in second.devices]
    assert {d.id for d in study([capture], site="north").devices}.isdisjoint(d.id for d in first.devices)


def test_nothing_in_is_nothing_out() -> None:
    studied = study([])
    assert studied.devices == ()
    assert studied.inputs == ()
