"""``up``, ``serve``, ``sensor`` and ``worker``: their words; how they run is tested on the product."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Say


def test_plain_http_on_other_addresses_is_wrong_usage(say: Say, tmp_path: Path) -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1", "ward.example"):
        said = say("serve", "--no-tls", "--host", host, home=tmp_path / "home")
        assert said.status == 2
        assert "--no-tls is for a proxy on this machine" in said.err
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("words", [["--port", "0"], ["--port", "65536"], ["--port", "https"]])
def test_ports_that_cannot_be_are_wrong_usage(say: Say, words: list[str]) -> None:
    assert say("up", *words).status == 2
    assert say("serve", *words).status == 2


def test_a_sensor_needs_an_interface_and_a_sensible_time(say: Say, tmp_path: Path) -> None:
    assert say("sensor", home=tmp_path / "home").status == 2
    assert say("sensor", "--interface", "lo", "--seconds", "0").status == 2
    said = say("sensor", "--interface", "nowhere0")
    assert said.status == 1
    assert said.err.count("\n") == 1


def test_a_worker_does_what_is_due_and_ends(say: Say, home: Path) -> None:
    before = say("devices", "--json", home=home).out
    assert say("worker", "--once").status == 0
    after = say("devices", "--json").out
    assert [json.loads(line)["id"] for line in after.splitlines()] == [
        json.loads(line)["id"] for line in before.splitlines()
    ]
