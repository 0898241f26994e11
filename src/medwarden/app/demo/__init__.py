"""The demonstration: a ward's traffic, captured between real stacks, replayed into an empty folder."""

from __future__ import annotations

from pathlib import Path

from medwarden.app.replay import replay_captures

WARD = Path(__file__).parent / "ward.pcap.gz"


def replay_demo(home: Path) -> str:
    """Replay the ward into the data folder and say in a line what it shows; a second time changes nothing."""
    outcome = replay_captures([WARD], home)
    if all(report.already for report in outcome.inputs):
        return f"demonstration: already there ({outcome.devices} devices)"
    return f"demonstration: {outcome.new_devices} devices from a capture of an invented ward"
