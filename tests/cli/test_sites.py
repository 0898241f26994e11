"""``sites``: VLANs are claimed, shown, and never by two."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Say


def test_vlans_are_claimed_shown_and_never_by_two(say: Say, home: Path) -> None:
    assert say("sites", "vlans", "clinic", "300,100-199", home=home).out == "clinic: 100-199,300\n"
    said = say("sites", "vlans", "annexe", "150")
    assert said.status == 2 and "VLAN 150 belongs to clinic" in said.err
    rows = {row["id"]: row for row in map(json.loads, say("sites", "list", "--json").out.splitlines())}
    assert rows["clinic"]["vlans"] == "100-199,300" and rows["clinic"]["devices"] == 0
    assert rows["main"]["devices"] > 0
    assert "100-199,300" in say("sites", "list").out
    assert say("sites", "vlans", "clinic", "").out == "clinic: no VLANs\n"
