"""A real FreeRADIUS writes what radclient accounts for; the file says where the device is attached."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from medwarden.model.log_source import LogSetting
from medwarden.sensors.logs.radius_accounting import RadiusAccounting

CONFIGURATION = """
prefix = /usr
sysconfdir = /etc
logdir = {folder}
raddbdir = {folder}
radacctdir = {folder}
db_dir = {folder}
libdir = {library}
pidfile = {folder}/pid
max_request_time = 5
security {{ allow_vulnerable_openssl = yes }}
client local {{
    ipaddr = 127.0.0.1
    secret = testing123
}}
modules {{
    detail {{
        filename = {folder}/detail
        permissions = 0600
        header = "%t"
    }}
}}
server default {{
    listen {{
        type = acct
        ipaddr = 127.0.0.1
        port = {port}
    }}
    accounting {{
        detail
    }}
}}
"""
REQUEST = """
Acct-Status-Type = Start
Acct-Session-Id = "5A01"
User-Name = "jdoe"
NAS-IP-Address = 10.1.0.6
NAS-Identifier = "sw-3"
NAS-Port-Type = Ethernet
NAS-Port-Id = "GigabitEthernet1/0/12"
Calling-Station-Id = "00-1A-2B-3C-4D-5F"
Framed-IP-Address = 10.20.0.41
"""


def _library() -> str | None:
    for folder in ("/usr/lib/freeradius", "/usr/lib64/freeradius", "/usr/lib/x86_64-linux-gnu/freeradius"):
        if os.path.isdir(folder):
            return folder
    return None


@pytest.mark.skipif(
    None in (shutil.which("freeradius"), shutil.which("radclient"), _library()),
    reason="freeradius or radclient is not installed",
)
def test_a_detail_file_of_freeradius_places_a_device(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    (tmp_path / "radiusd.conf").write_text(
        CONFIGURATION.format(folder=tmp_path, library=_library(), port=port)
    )
    daemon = subprocess.Popen(
        ["freeradius", "-f", "-l", str(tmp_path / "log"), "-d", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline and not (tmp_path / "detail").exists():
            subprocess.run(
                ["radclient", "-r", "1", "-t", "1", f"127.0.0.1:{port}", "acct", "testing123"],
                input=REQUEST.encode(),
                capture_output=True,
                timeout=20,
                check=False,
            )
    finally:
        daemon.terminate()
        out = daemon.communicate(timeout=10)[0]
    log = (tmp_path / "log").read_text() if (tmp_path / "log").exists() else ""
    assert (tmp_path / "detail").exists(), out.decode()[-800:] + log[-800:]
    content = (tmp_path / "detail").read_bytes()
    assert RadiusAccounting.recognises(content)
    parser = RadiusAccounting("detail", LogSetting(b"k" * 32, now_ns=time.time_ns()))
    parser.feed(content, 0)
    facts = parser.take(final=True).facts
    said = {(f.evidence.mac, f.evidence.field): f.evidence.value for f in facts}
    mac = "00:1a:2b:3c:4d:5f"
    assert said[mac, "radius.nas"] == "sw-3"
    assert said[mac, "radius.nas_port_id"] == "GigabitEthernet1/0/12"
    assert said[mac, "radius.address"] == "10.20.0.41"
    assert said[mac, "radius.session"] == "start"
    assert said[mac, "radius.user"].startswith("user-")
    assert not [value for value in said.values() if "jdoe" in value]
    assert abs(facts[0].last_ns - time.time_ns()) < 120_000_000_000
    assert parser.tally.count.rejected == 0
