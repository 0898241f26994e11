"""Measuring identification."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.inventory.labelling import identify
from medwarden.inventory.score import (
    Case,
    Truth,
    cases_of,
    category_after,
    comparable,
    matches_capture,
    quantile,
    read_labels,
    seconds_to_category,
)
from medwarden.inventory.score_figures import score
from medwarden.kernel.errors import ConfigurationError
from medwarden.model.device import Device

Heard = Callable[..., Device]

TABLE = "capture\tmac\tclass\tcategory\tvendor\tmodel\nset/Cam\tB0:C5:54:00:00:01\tIoT\tip_camera\tD-Link\t\n"


def _truth(**labels: str) -> Truth:
    return Truth(
        "set/Cam", "b0:c5:54:00:00:01", {"class": "", "category": "", "vendor": "", "model": "", **labels}
    )


def test_labels_are_read() -> None:
    (truth,) = read_labels(TABLE, "labels.tsv")
    assert truth == _truth(**{"class": "IoT", "category": "ip_camera", "vendor": "D-Link"})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("capture\tmac\n", "columns class, category, vendor, model are missing"),
        ("", "columns"),
        (TABLE + "\tb0:c5:54:00:00:02\t\t\t\t\n", "line 3"),
    ],
)
def test_broken_labels_are_named(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=r"labels\.tsv") as caught:
        read_labels(text, "labels.tsv")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("capture", "path", "named"),
    [
        ("set/Cam", "/data/set/Cam/one.pcap", True),
        ("Cam", "/data/set/Cam/one.pcap", True),
        ("one.pcap", "/data/set/Cam/one.pcap", True),
        ("set/Cam", "/data/set/Cam2/one.pcap", False),
        ("set/one.pcap", "/data/set/Cam/one.pcap", False),
    ],
)
def test_captures_match_by_whole_components(capture: str, path: str, named: bool) -> None:
    assert matches_capture(capture, path) is named


@pytest.mark.parametrize(
    ("level", "one", "other", "vendor"),
    [
        ("vendor", "D-Link Corporation", "D-Link", None),
        ("vendor", "Philips Lighting BV", "Philips", None),
        ("model", "Philips Hue Bridge", "Hue bridge", "Philips"),
        ("model", "SP-1101W", "SP1101W", None),
        ("class", "IoMT", "iomt", None),
    ],
)
def test_comparable(level: str, one: str, other: str, vendor: str | None) -> None:
    assert comparable(level, one, vendor) == comparable(level, other, vendor)


def test_figures(heard: Heard) -> None:
    right = identify(heard(("dhcp.host_name", "DCS-935L"), macs=("b0:c5:54:00:00:01",)))
    silent = identify(heard())
    labels = _truth(**{"class": "IoT", "category": "ip_camera", "model": "DCS-930L"})
    said = score([Case("a", labels, right), Case("b", labels, silent), Case("c", labels, None)])
    levels = said["levels"]
    assert isinstance(levels, dict)
    category, model, vendor = levels["category"], levels["model"], levels["vendor"]
    assert (category["n"], category["answered"], category["correct"]) == (3, 1, 1)
    assert category["coverage"] == pytest.approx(1 / 3)
    assert category["accuracy"] == 1.0
    assert category["macro_f1"] == pytest.approx(0.5)
    assert category["ece"] == pytest.approx(0.015, abs=0.001)
    assert (model["answered"], model["correct"], model["accuracy"]) == (1, 0, 0.0)
    assert vendor == {
        "n": 0, "answered": 0, "correct": 0, "coverage": None, "accuracy": None, "macro_f1": None, "ece": None
    }  # fmt: skip
    assert said["open_set"] == {"auroc": None}


def test_cases_are_found_by_mac(heard: Heard) -> None:
    device = heard(macs=("b0:c5:54:00:00:01",))
    truths = read_labels(TABLE, "labels.tsv")
    assert cases_of("/x/set/Cam/1.pcap", [device], truths)[0].device is device
    assert cases_of("/x/set/Cam/1.pcap", [], truths)[0].device is None
    assert cases_of("/x/other/1.pcap", [device], truths) == []


def test_time_to_identify_is_when_the_evidence_sufficed(heard: Heard) -> None:
    late = identify(heard(("http.server", "x"), ("arp.ip", "10.0.0.5"), ("dhcp.host_name", "DCS-935L")))
    assert seconds_to_category(late) == 2.0
    assert seconds_to_category(identify(heard(("dhcp.host_name", "DCS-935L")))) == 0.0
    assert seconds_to_category(identify(heard())) is None


def test_a_long_silence_does_not_count(heard: Heard) -> None:
    device = heard(("http.server", "x"), ("dhcp.host_name", "DCS-935L"))
    first, later = device.ledger
    week = 7 * 86400 * 1_000_000_000
    later = msgspec.structs.replace(
        later, first_seen=later.first_seen + week, last_seen=later.last_seen + week
    )
    away = msgspec.structs.replace(device, ledger=(first, later), last_seen=later.last_seen)
    assert seconds_to_category(identify(away)) == 0.0
    assert seconds_to_category(identify(away), silences=True) == week / 1_000_000_000 + 1


def test_only_categories_that_are_right_count_where_they_are_named(heard: Heard) -> None:
    camera = identify(heard(("http.server", "x"), ("dhcp.host_name", "DCS-935L")))
    assert seconds_to_category(camera, right={"ip_camera", "nvr"}) == 1.0
    assert seconds_to_category(camera, right={"nvr"}) is None


def test_what_a_device_was_told_to_be_after_a_while(heard: Heard) -> None:
    camera = identify(heard(("http.server", "x"), ("arp.ip", "10.0.0.5"), ("dhcp.host_name", "DCS-935L")))
    assert [category_after(camera, None, seconds) for seconds in (0.0, 1.9, 2.0, 60.0)] == [
        None, None, "ip_camera", "ip_camera",
    ]  # fmt: skip


def test_unknown_kinds_should_be_less_certain(heard: Heard) -> None:
    sure, unsure = identify(heard(("dhcp.host_name", "DCS-935L"))), identify(heard())
    known, strange = _truth(category="ip_camera"), _truth(category="unknown")
    assert score([Case("a", known, sure), Case("b", strange, unsure)])["open_set"] == {"auroc": 1.0}
    assert score([Case("a", known, unsure), Case("b", strange, sure)])["open_set"] == {"auroc": 0.0}


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 1))
def test_quantiles_lie_between_the_extremes(values: list[float], share: float) -> None:
    found = quantile(values, share)
    assert found is not None
    assert min(values) <= found <= max(values)


def test_quantiles() -> None:
    assert quantile([], 0.5) is None
    assert quantile([1.0, 3.0], 0.5) == 2.0
