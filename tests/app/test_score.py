"""Captures against labels: which inputs a row means, and that inputs of other rows do not help."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.flowcore import packets as made

from medwarden.app.score import Wish, kind_of, score_captures
from medwarden.kernel.errors import ConfigurationError, ResourceError

HEADER = "capture\tmac\tclass\tcategory\tvendor\tmodel\n"


def table(tmp_path: Path, *rows: str) -> Path:
    labels = tmp_path / "labels.tsv"
    labels.write_text("\ufeff" + HEADER + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return labels


def levels(figures: dict[str, object]) -> dict[str, dict[str, object]]:
    found = figures["levels"]
    assert isinstance(found, dict)
    return found


def test_rows_are_judged_on_their_own_captures(capture: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.pcap"
    other.write_bytes(capture.read_bytes())
    labels = table(
        tmp_path,
        f"two.pcap\t{made.CLIENT_MAC.upper()}\tIT\t\t\t",
        f"other.pcap\t{made.SERVER_MAC}\tIT\tserver\t\t",
        "two.pcap\t00:00:00:00:00:01\tIT\t\t\t",
        "absent.pcap\t00:00:00:00:00:01\tIT\t\t\t",
    )
    scored = score_captures([capture, other], labels)
    assert levels(scored.figures)["class"]["n"] == 3
    assert levels(scored.figures)["category"]["n"] == 1
    assert levels(scored.figures)["model"] == {
        "n": 0, "answered": 0, "correct": 0,
        "coverage": None, "accuracy": None, "macro_f1": None, "ece": None,
    }  # fmt: skip
    assert {Path(report.path).name for report in scored.inputs} == {"two.pcap", "other.pcap"}


def test_labels_that_fit_nothing_or_cannot_be_read_are_named(capture: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="names one of the 1 inputs"):
        score_captures([capture], table(tmp_path, "else.pcap\t00:00:00:00:00:01\tIT\t\t\t"))
    with pytest.raises(ResourceError, match=r"none\.tsv"):
        score_captures([capture], tmp_path / "none.tsv")
    (tmp_path / "labels.tsv").write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match="byte 0: not UTF-8"):
        score_captures([capture], tmp_path / "labels.tsv")


LEASE = """Mar  2 07:00:01 gate dhcpd: DHCPREQUEST for 10.0.0.5 from {mac} (DCS-935L) via eth0
Mar  2 07:00:01 gate dhcpd: DHCPACK on 10.0.0.5 to {mac} (DCS-935L) via eth0
"""


def test_each_kind_of_input_is_measured_by_itself(capture: Path, tmp_path: Path) -> None:
    folder = tmp_path / "ward"
    folder.mkdir()
    (folder / "two.pcap").write_bytes(capture.read_bytes())
    (folder / "dhcpd.log").write_text(LEASE.format(mac="b0:c5:54:00:00:01"))
    labels = table(tmp_path, "ward\tb0:c5:54:00:00:01\tIoT\tip_camera\tD-Link\t")
    report = score_captures([folder], labels).report
    found = {source.source: source for source in report.sources}
    assert set(found) == {"packets", "isc_dhcp", "all together"}
    assert (found["packets"].found, found["isc_dhcp"].found) == (0, 1)
    assert found["isc_dhcp"].joint.correct == found["all together"].joint.correct == 1
    chosen = score_captures([folder], labels, Wish(sources=("packets",)))
    assert chosen.report.found == 0
    assert [Path(i.path).name for i in chosen.inputs] == ["two.pcap"]
    (folder / "notes.md").write_text("nothing")
    assert kind_of(folder / "notes.md") == "none"
