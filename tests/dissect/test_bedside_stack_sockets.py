"""Contract clients: every bedside conversation of the cases over real sockets, heard through the flow core.

No maker's software speaks here: client and server say what the published descriptions, from which the cases
were written, have them say. That the flow core hands over enough for each protocol to be found, on whatever
port, is what is shown.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from tests.dissect.loopback import Ear, apart, heard
from tests.waiting import PATIENCE

CASES = Path(__file__).parent / "cases"
PROTOCOLS = (
    *(
        "astm",
        "poct1a",
        "phd",
        "medibus",
        "bbraun_bcc",
        "datex_dri",
        "intellivue",
        "lantronix",
        "moxa",
        "addp",
    ),
    *("tap", "snpp", "espa444", "espax", "wctp", "ecg", "sdc", "terufusion", "puritan_bennett"),
)
_MOST = 200
_ASSIGNED = frozenset({444})  # where the port alone tells which protocol it is; the others take any
# All of 127/8 is the loopback; each conversation has two addresses of its own, to tell its facts apart.
pytestmark = pytest.mark.allow_hosts([f"127.2.0.{at + 1}" for at in range(_MOST)])


def conversations() -> list[tuple[str, dict[str, Any]]]:
    """Return the well-formed cases of the protocols, named."""
    found = []
    for protocol in PROTOCOLS:
        for path in sorted((CASES / protocol).glob("*.json")):
            case = json.loads(path.read_text())
            if not case.get("malformed"):
                found.append((f"{protocol}/{path.stem}", case))
    return found


def payload(segment: dict[str, Any]) -> bytes:
    kind = "hex" if "hex" in segment else "text"
    parts = segment[kind] if isinstance(segment[kind], list) else [segment[kind]]
    return bytes.fromhex("".join(parts)) if kind == "hex" else "".join(parts).encode("latin-1")


def talk_tcp(steps: list[tuple[bool, bytes]], client_ip: str, server_ip: str, port: int) -> None:
    with socket.create_server((server_ip, port)) as listener:
        client = socket.create_connection(
            listener.getsockname(), timeout=PATIENCE, source_address=(client_ip, 0)
        )
        server, _ = listener.accept()
    with client, server:
        for from_client, data in steps:
            source, sink = (client, server) if from_client else (server, client)
            source.sendall(data)
            left = len(data)
            while left:
                left -= len(sink.recv(left))


def talk_udp(steps: list[tuple[bool, bytes]], client_ip: str, server_ip: str, ports: tuple[int, int]) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as client, socket.socket(type=socket.SOCK_DGRAM) as server:
        client.bind((client_ip, ports[0]))
        server.bind((server_ip, ports[1]))
        for from_client, data in steps:
            source, sink = (client, server) if from_client else (server, client)
            source.sendto(data, sink.getsockname())
            sink.settimeout(PATIENCE)
            sink.recv(65536)


def talk(case: dict[str, Any], number: int) -> tuple[str, str]:
    """Play a case between two addresses of its own; returns them."""
    client_ip, server_ip = f"127.1.0.{number + 1}", f"127.2.0.{number + 1}"
    segments = case["segments"]
    steps = [(segment.get("from_client", True), payload(segment)) for segment in segments]
    port = segments[0]["dst_port"]
    if segments[0].get("transport") == "udp":
        talk_udp(steps, client_ip, server_ip, (segments[0].get("src_port", 0), port))
    else:
        talk_tcp(steps, client_ip, server_ip, port if port in _ASSIGNED else 0)
    return client_ip, server_ip


def play(cases: list[tuple[str, dict[str, Any]]]) -> tuple[list[tuple[str, str]], bytes]:
    """Play all cases; returns who talked in each, and what was on the loopback."""
    ear = Ear()
    try:
        ends = [talk(case, at) for at, (_, case) in enumerate(cases)]
    finally:
        capture = ear.close()
    return ends, capture


def test_conversations_are_understood_from_the_wire(tmp_path: Path) -> None:
    cases = conversations()
    assert 30 < len(cases) <= _MOST
    with apart() as alone:
        ends, capture = alone.submit(play, cases).result()
    facts, applications, malformed = heard(capture, tmp_path)
    assert not malformed
    stated = {(fact.field, fact.value, fact.ip) for fact in facts}
    missed: dict[str, list[tuple[str, str]]] = {}
    for (name, case), (client_ip, server_ip) in zip(cases, ends, strict=True):
        for field, value, who in case["facts"]:
            ip = {"client": client_ip, "server": server_ip}.get(who, who)
            if (field, value, ip) not in stated:
                missed.setdefault(name, []).append((field, value))
    assert missed == {}
    assert applications >= {name.partition("/")[0] for name, _ in cases}
