"""``capture`` as commands: a device by itself is the device to capture."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Say


def test_capture_of_a_device_list_stop_and_export(say: Say, home: Path, tmp_path: Path) -> None:
    device = json.loads(say("devices", "--json", home=home).out.splitlines()[0])["id"]
    said = say("capture", device, "--interface", "nosuchif0", "--reason", "alarms")
    assert (said.status, "nosuchif0" in said.err) == (1, True)
    assert say("capture", device, "--interface", "lo").status == 2
    (row,) = [json.loads(line) for line in say("capture", "list", "--json").out.splitlines()]
    assert (row["state"], row["reason"]) == ("failed", "alarms")
    assert "alarms" in say("capture", "list").out
    for words in (("stop", row["id"]), ("export", row["id"], tmp_path / "x"), ("remove", "cap-none")):
        assert say("capture", *words).status == 2, words
    raw = say("capture", "export", row["id"], tmp_path / "x", "--raw")
    assert (raw.status, "who answers for it" in raw.err) == (2, True)
