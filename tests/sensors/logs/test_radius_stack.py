"""A real FreeRADIUS writes what radclient accounts for; the file says where the device is attached."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest
from tests.ports import reserved_port
from tests.programs import find, started
from tests.waiting import PATIENCE, until

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
    None in (find("freeradius"), find("radclient"), _library()),
    reason="freeradius or radclient is not installed",
)
def test_a_detail_file_of_freeradius_places_a_device(tmp_path: Path) -> None:
    port = reserved_port()
    (tmp_path / "radiusd.conf").write_text(
        CONFIGURATION.format(folder=tmp_path, library=_library(), port=port)
    )
    request = tmp_path / "request"
    request.write_text(REQUEST)

    def accounted() -> bool:
        done = subprocess.run(
            ["radclient", "-r1", "-t1", "-f", str(request), f"127.0.0.1:{port}", "acct", "testing123"],
            capture_output=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        return done.returncode == 0 and (tmp_path / "detail").exists()

    words = ["freeradius", "-f", "-l", "stdout", "-d", tmp_path]
    with started(words, tmp_path) as daemon:
        until(accounted, "freeradius accounts for the device", every=0.2, shown=lambda: daemon.said)
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
    assert abs(facts[0].last_ns - time.time_ns()) < 600_000_000_000
    assert parser.tally.count.rejected == 0
