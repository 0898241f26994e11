"""The demonstration: an invented hospital, simulated up to now and replayed into an empty folder.

``ward.pcap.gz`` beside this file is a small ward of real stacks, captured in network namespaces; tests and
the examples of the documentation stand on it.
"""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from pathlib import Path

from medwarden.app.demo.advisories import write_advisories
from medwarden.app.knowledge import import_files
from medwarden.app.knowledge_status import DEMONSTRATION
from medwarden.app.replay import replay_captures
from medwarden.app.simulate import Request, simulate
from medwarden.inventory.plan import read_plan
from medwarden.kernel.clock import NANOSECONDS, Clock, wall_clock
from medwarden.kernel.errors import ResourceError
from medwarden.store.open import open_store

WARD = Path(__file__).parent / "ward.pcap.gz"
DEVICES = 240
HOURS = 1.0
SEED = 1
_SETTING = "demonstration"
_HOUR = 3600 * NANOSECONDS


def replay_demo(home: Path, clock: Clock = wall_clock) -> str:
    """Simulate a hospital's last hour, replay it into the data folder and say in a line what it shows.

    A second time changes nothing. Places come from the hospital's plan, as they would from its own.
    """
    if _is_there(home):
        return "demonstration: already there"
    start = (clock() - int(HOURS * _HOUR)) // NANOSECONDS * NANOSECONDS
    wanted = Request(devices=DEVICES, hours=HOURS, seed=SEED, start=start, split=False)
    with tempfile.TemporaryDirectory(prefix="medwarden-demonstration-") as folder:
        simulated = simulate(wanted, Path(folder))
        _teach(home)  # before any device is judged, so that each is judged once
        outcome = replay_captures(simulated.captures, home)
        _furnish(home, (Path(folder) / "truth.json").read_text(encoding="utf-8"))
    _teach(home)
    return f"demonstration: {outcome.new_devices} devices of an invented hospital, its last hour"


def _teach(home: Path) -> None:
    """Let the folder know a dozen published vulnerabilities, as if a person had brought the files."""
    with (
        tempfile.TemporaryDirectory(prefix="medwarden-demonstration-") as folder,
        open_store(home, writer=True, role="demonstration"),
    ):
        write_advisories(Path(folder))
        brought = import_files(home, [Path(folder)], unsigned=True, proof=DEMONSTRATION)
    if brought.errors:
        raise ResourceError(f"the demonstration's own advisories cannot be read: {brought.errors[0]}")


def _is_there(home: Path) -> bool:
    with open_store(home, writer=True, role="demonstration"):
        from medwarden.store.settings import setting

        return setting(_SETTING, False)


def _furnish(home: Path, truth: str) -> None:
    """Import the plan of the hospital's subnets and note that the demonstration is there."""
    from medwarden.app.places import import_rows

    rows, _ = read_plan(plan_of(truth))
    with open_store(home, writer=True, role="demonstration"):
        from medwarden.store.changes import Change
        from medwarden.store.settings import set_setting

        import_rows(rows, "the demonstration's plan", actor="system")
        with Change("system", "demonstration replayed") as change:
            set_setting(change, _SETTING, True)


def plan_of(truth: str) -> str:
    """Return which subnet is on which floor of which building, where all of a subnet is on one."""
    floors: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    for device in json.loads(truth)["devices"]:
        for address in device["addresses"]:
            floors[address["subnet"]].add((str(address["building"]), str(address["floor"])))
    lines = [
        f"{subnet},{building},{floor}"
        for subnet, places in sorted(floors.items())
        for building, floor in places
        if len(places) == 1
    ]
    return "\n".join(["subnet,building,floor", *lines])
