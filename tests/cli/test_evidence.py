"""From an answer down to packets and log lines."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import dpkt
import pytest
from tests.cli.conftest import Say

from medwarden.app.demo import WARD

LEASES = """Mar  2 07:00:01 gate dhcpd: DHCPREQUEST for 10.0.0.5 from b0:c5:54:00:00:01 (DCS-935L) via eth0
Mar  2 07:00:01 gate dhcpd: DHCPACK on 10.0.0.5 to b0:c5:54:00:00:01 (DCS-935L) via eth0
Mar  2 07:00:09 gate dhcpd: DHCPACK on 10.0.0.6 to b0:c5:54:00:00:02 (OTHER) via eth0
"""


@pytest.fixture
def house(say: Say, tmp_path: Path) -> tuple[Path, Path, Path]:
    """Return a data folder that a capture and a log were replayed into, and both files."""
    home, capture, log = tmp_path / "home", tmp_path / WARD.name, tmp_path / "dhcpd.log"
    shutil.copy(WARD, capture)
    log.write_text(LEASES)
    assert say("replay", capture, log, home=home).status == 0
    return home, capture, log


def asked(say: Say, home: Path, *arguments: object) -> dict[str, Any]:
    said = say("evidence", *arguments, "--json", home=home)
    assert said.status == 0, said.err
    found: dict[str, Any] = json.loads(said.out)
    return found


def test_packets_and_lines_that_said_it_are_found(say: Say, house: tuple[Path, Path, Path]) -> None:
    home, capture, log = house
    devices = [json.loads(line) for line in say("devices", "--json", home=home).out.splitlines()]
    ct = next(d for d in devices if "00:01:e3:44:02:21" in d["macs"])
    title = next(a["value"] for a in ct["attributes"] if a["field"] == "dicom.ae_title")
    found = asked(say, home, ct["id"], "dicom.ae_title", title)
    heard = found["heard"][0]
    assert (heard["input"], heard["state"]) == (str(capture), "read again")
    assert heard["mentions"]
    with gzip.open(capture) as file:
        frames = [frame for _, frame in dpkt.pcap.UniversalReader(file)]
    for mention in heard["mentions"]:
        assert mention["how"] == "says it"
        assert title.encode() in frames[mention["number"] - 1]
    assert any("dicom" in flow for flow in heard["flows"])

    question = ("b0:c5:54:00:00:01", "dhcp.host_name", "DCS-935L")
    told = asked(say, home, *question)["heard"]
    assert {h["input"] for h in told} == {str(log)}
    assert {m["number"] for h in told for m in h["mentions"]} == {1, 2}

    assert asked(say, home, *question, "--no-look")["heard"][0]["state"] == "not looked at"
    log.write_text("nothing\n")
    assert asked(say, home, *question)["heard"][0]["state"] == "changed"
    log.unlink()
    gone = asked(say, home, *question)["heard"][0]
    assert (gone["state"], gone["mentions"]) == ("gone", [])
    assert gone["first_ns"] > 0

    said = say("evidence", "b0:c5:54:00:00:01", "dhcp.host_name", "else", home=home)
    assert said.status == 2
    assert "never said dhcp.host_name = 'else'" in said.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("nothing", "dhcp.host_name", "x"), "no device is called 'nothing'"),
        (("DEVICE", "no.such_field", "x"), "never said no.such_field = 'x'"),
        (("DEVICE", "dhcp.host_name"), "Missing argument"),
        (("DEVICE", "dhcp.host_name", "x", "--limit", "51"), "1<=x<=50"),
        (("DEVICE", "dhcp.host_name", "x", "--offset", "-1"), "x>=0"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(
    say: Say, home: Path, words: tuple[str, ...], sentence: str
) -> None:
    device = json.loads(say("devices", "--json", home=home).out.splitlines()[0])["id"]
    said = say("evidence", *(device if word == "DEVICE" else word for word in words))
    assert said.status == 2
    assert sentence in said.err
    assert "Traceback" not in said.err
