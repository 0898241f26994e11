"""Identification held against labelled captures of real devices being set up.

The captures were looked at while the fingerprints were written, so the figures are those of a
development set; what is asserted is the level below which something broke.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from medwarden.app.study import study
from medwarden.inventory.score import cases_of, read_labels
from medwarden.inventory.score_figures import score


@pytest.mark.parametrize("place", [0, 1])
def test_consumer_devices(shared: Path, place: int) -> None:
    labels = shared / "captures" / "labels.tsv"
    truths = read_labels(labels.read_text(encoding="utf-8"), str(labels))
    cases = []
    for folder in sorted((shared / "captures" / "device_aalto").iterdir()):
        capture = sorted(folder.glob("*.pcap"))[place]
        cases += cases_of(str(capture), study([capture]).devices, truths)
    levels = score(cases)["levels"]
    assert isinstance(levels, dict)
    assert levels["class"]["n"] == 31
    for level, coverage, accuracy in (
        ("class", 0.9, 0.95),
        ("category", 0.7, 0.95),
        ("vendor", 0.8, 0.95),
        ("model", 0.5, 0.9),
    ):
        assert levels[level]["coverage"] >= coverage, level
        assert levels[level]["accuracy"] >= accuracy, level


def test_medical_stacks(shared: Path) -> None:
    made = shared / "captures" / "made"
    orthanc = study([made / "dicom_orthanc_find_move_http.pcap"]).devices
    assert {device.category for device in orthanc} == {"pacs", "dicom_workstation"}
    assert all(device.device_class == "IoMT" for device in orthanc)
    (provider,) = (
        device
        for device in study([made / "sdc11073_provider_consumer.pcap"]).devices
        if device.values("sdc.model_name")
    )
    assert (provider.device_class, provider.vendor, provider.serial) == ("IoMT", "Draeger", "12345")
