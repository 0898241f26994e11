"""``names`` and ``coverage``: what pages show stands in the command line as well."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Say


def test_names_are_shown_with_who_answers_to_them(say: Say, home: Path) -> None:
    said = say("names", "--json", home=home)
    assert said.status == 0
    found = json.loads(said.out)
    devices = {json.loads(line)["id"] for line in say("devices", "--json").out.splitlines()}
    uses = [use for name in found["titles"] for use in name["uses"]]
    assert uses and {use["device"] for use in uses} <= devices
    words = say("names").out
    assert all(name["name"][:10] in words for name in found["titles"])


def test_coverage_counts_every_device_of_a_subnet_once(say: Say, home: Path) -> None:
    found = json.loads(say("coverage", "--json", home=home).out)
    known = [json.loads(line) for line in say("devices", "--json").out.splitlines()]
    assert sum(s["devices"] for s in found["subnets"]) == sum(d["subnet"] is not None for d in known)
    assert {h["protocol"] for h in found["heard"]} >= {"dicom", "hl7", "dhcp"}
    words = say("coverage").out
    assert all(s["subnet"] in words for s in found["subnets"])
