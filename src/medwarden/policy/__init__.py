"""Floor 3, engine: least-privilege policy learnt from behaviour, as text and MUD, and its dry run."""

from __future__ import annotations

from medwarden.policy.learn import Breadth, learn_category, learn_device
from medwarden.policy.mud import to_mud, to_mud_text
from medwarden.policy.replay import Blocked, DryRun, permits, replay
from medwarden.policy.text import to_text

__all__ = [
    "Blocked",
    "Breadth",
    "DryRun",
    "learn_category",
    "learn_device",
    "permits",
    "replay",
    "to_mud",
    "to_mud_text",
    "to_text",
]
