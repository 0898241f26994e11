"""Serves the tables of a made-up switch to snmpd over its pass_persist protocol (snmpd.conf(5)).

Run as ``switch_agent.py TABLE.json``: a list of [object identifier, type, value].
"""

from __future__ import annotations

import json
import sys
from bisect import bisect_right
from pathlib import Path


def arcs(text: str) -> tuple[int, ...]:
    return tuple(int(arc) for arc in text.strip(". \n").split("."))


def main() -> None:
    rows = {arcs(name): (kind, value) for name, kind, value in json.loads(Path(sys.argv[1]).read_text())}
    order = sorted(rows)
    while line := sys.stdin.readline():
        command = line.strip()
        if command == "PING":
            sys.stdout.write("PONG\n")
        elif command in ("get", "getnext"):
            asked = arcs(sys.stdin.readline())
            at = bisect_right(order, asked)
            found = asked if command == "get" and asked in rows else None
            if command == "getnext" and at < len(order):
                found = order[at]
            if found is None:
                sys.stdout.write("NONE\n")
            else:
                kind, value = rows[found]
                sys.stdout.write(f".{'.'.join(map(str, found))}\n{kind}\n{value}\n")
        else:
            sys.stdout.write("NONE\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
