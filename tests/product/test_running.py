"""The product as processes: it starts, says what is wrong, survives its children and leaves none behind."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest
from tests.ports import reserved_port
from tests.product.conftest import WARD, Command, lines
from tests.product.processes import alive, answers, running
from tests.waiting import until


def test_up_answers_over_tls_restarts_what_dies_and_ends_all(
    run: Command, home: Path, tmp_path: Path
) -> None:
    """One start for all of it: starting everything is what takes the time."""
    port = reserved_port()
    certificate = home / "tls" / "console.crt"
    with running(["up", "--home", home, "--port", port], tmp_path) as up:
        until(lambda: certificate.exists() and answers(port, certificate), f"an answer: {up.printed}")
        assert f"https://localhost:{port}" in up.printed
        assert "password" in up.printed
        assert oct((home / "tls" / "console.key").stat().st_mode & 0o777) == "0o600"

        again = run("up", "--port", reserved_port())
        assert again.returncode == 1
        assert "already running on this folder" in again.stderr
        assert len(again.stderr.splitlines()) == 1

        # A replay next to it is taken in and judged while the console and the worker run.
        replayed = run("replay", WARD)
        assert replayed.returncode == 0, replayed.stderr
        assert len(lines(run("devices", "--json"))) >= 24

        first = up.children()
        assert {"serve", "worker"} <= set(first)
        for role in ("serve", "worker"):
            os.kill(first[role], signal.SIGKILL)
        until(
            lambda: (
                {"serve", "worker"} <= set(up.children())
                and all(up.children().get(role) not in (None, pid) for role, pid in first.items())
            ),
            "both roles started again",
        )
        until(lambda: answers(port, certificate), "an answer after the restart")
        assert "starting it again" in up.printed

        children = up.children()
        assert up.end() == 0
        assert not any(alive(pid) for pid in children.values())
    # What was killed in the middle left the folder sound.
    doctor = run("doctor", "--json")
    assert doctor.returncode == 0, doctor.stdout


def test_the_children_of_a_killed_parent_end(home: Path, tmp_path: Path) -> None:
    with running(["up", "--home", home, "--port", reserved_port()], tmp_path) as up:
        until(lambda: {"serve", "worker"} <= set(up.children()), f"both roles: {up.printed}")
        children = up.children()
        assert up.end(signal.SIGKILL) == -signal.SIGKILL
        until(lambda: not any(alive(pid) for pid in children.values()), "the children ended")


@pytest.mark.parametrize("command", ["up", "serve"])
def test_a_port_in_use_is_named(run: Command, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        outcome = run(command, "--port", port)
    assert outcome.returncode == 1
    assert outcome.stderr.count("\n") == 1
    assert f"port {port} on 127.0.0.1 is in use" in outcome.stderr


def test_an_address_of_another_machine_is_named(run: Command) -> None:
    outcome = run("serve", "--port", reserved_port(), "--host", "192.0.2.1")
    assert outcome.returncode == 1
    assert "cannot listen on 192.0.2.1" in outcome.stderr


def test_plain_http_is_for_this_machine_alone(run: Command, home: Path, tmp_path: Path) -> None:
    refused = run("serve", "--no-tls", "--host", "0.0.0.0", "--port", reserved_port())
    assert refused.returncode == 2
    assert "--no-tls is for a proxy on this machine" in refused.stderr
    port = reserved_port()
    with running(["serve", "--home", home, "--no-tls", "--port", port], tmp_path) as serve:
        until(lambda: answers(port, None), f"an answer in plain HTTP: {serve.printed}")
        assert serve.end() == 0


def test_an_interface_that_is_not_there_is_named(run: Command) -> None:
    outcome = run("sensor", "--interface", "nowhere0")
    assert outcome.returncode == 1
    assert outcome.stderr.count("\n") == 1
    assert "nowhere0" in outcome.stderr
