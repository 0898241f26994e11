"""Without any network: assess, replay and the console work, and nothing asks for an address outside.

The commands run in a network namespace whose only interface is the loopback. An audit hook in every
Python process writes down each name looked up and each address connected to or sent to.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.product.conftest import WARD

_HOOK = """
import os, sys

def _watch(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        place = arguments[1]
        host = place[0] if isinstance(place, tuple) else "unix"
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        host = arguments[0]
    else:
        return
    with open(os.environ["ASKED_FOR"], "a") as file:
        file.write(f"{event} {host}\\n")

sys.addaudithook(_watch)
"""
_CONSOLE = """
import os, ssl, subprocess, sys, time, urllib.request, urllib.error

port = "18443"
console = subprocess.Popen([sys.executable, "-m", "medwarden", "serve", "--port", port])
try:
    trust = ssl.create_default_context()
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    for _ in range(120):
        try:
            with urllib.request.urlopen(f"https://127.0.0.1:{port}/", context=trust, timeout=20) as page:
                sys.stdout.write(page.read().decode())
            break
        except (urllib.error.URLError, ConnectionError):
            if console.poll() is not None:
                sys.exit("the console ended")
            time.sleep(0.5)
    else:
        sys.exit("the console does not answer")
finally:
    console.terminate()
    console.wait(30)
"""
# Who is not root becomes it in a user namespace of his own, where the kernel allows that.
_APART = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"])]
_LOCAL = re.compile(r"unix|localhost|127\.\d+\.\d+\.\d+|::1|None|b'localhost'|")
_FROM_OUTSIDE = re.compile(r"""(?:src|href|action)\s*=\s*["']?((?:https?:)?//[^"'\s>]+)""")


@pytest.fixture
def alone(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a process that is watched; skip where no namespace can be made."""
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        pytest.skip("needs unshare and ip to take the network away")
    if subprocess.run([*_APART, "true"], check=False, capture_output=True).returncode:
        pytest.skip("network namespaces cannot be made here")
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(_HOOK)
    return {
        **os.environ,
        "MEDWARDEN_HOME": str(tmp_path / "home"),
        "ASKED_FOR": str(tmp_path / "asked.txt"),
        "PYTHONPATH": str(tmp_path / "hook"),
    }


def isolated(environment: dict[str, str], *command: object) -> str:
    """Run a command where only the loopback exists; return what it printed."""
    inside = ["sh", "-c", 'ip link set lo up && exec "$@"', "sh", *map(str, command)]
    done = subprocess.run(
        [*_APART, *inside],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def asked(environment: dict[str, str]) -> list[str]:
    """Return the names and addresses that were asked for and are not this machine."""
    path = Path(environment["ASKED_FOR"])
    lines = path.read_text().splitlines() if path.exists() else []
    return sorted({line for line in lines if not _LOCAL.fullmatch(line.partition(" ")[2])})


def test_the_watch_sees_who_is_asked_for(alone: dict[str, str]) -> None:
    script = (
        "import socket\n"
        "try: socket.create_connection(('198.51.100.1', 80), timeout=5)\n"
        "except OSError as error: print(error.errno)"
    )
    unreachable = isolated(alone, sys.executable, "-c", script).strip()
    assert unreachable == "101"  # ENETUNREACH
    assert "socket.connect 198.51.100.1" in asked(alone)


def test_assess_needs_no_network(alone: dict[str, str], tmp_path: Path) -> None:
    isolated(alone, sys.executable, "-m", "medwarden", "assess", WARD, "--out", tmp_path / "out")
    assert len(json.loads((tmp_path / "out" / "report.json").read_text())["devices"]) >= 24
    assert _FROM_OUTSIDE.findall((tmp_path / "out" / "report.html").read_text()) == []
    assert asked(alone) == []


def test_replay_and_the_console_need_no_network(alone: dict[str, str]) -> None:
    isolated(alone, sys.executable, "-m", "medwarden", "replay", WARD)
    devices = isolated(alone, sys.executable, "-m", "medwarden", "devices", "--json").splitlines()
    assert len(devices) >= 24
    page = isolated(alone, sys.executable, "-c", _CONSOLE)
    assert "<form" in page
    assert _FROM_OUTSIDE.findall(page) == []
    assert asked(alone) == []
