"""What of risk goes by the clock: groups written down, everything scored anew once a day, old history gone.

Ages of systems, what fades, words of people that expire: what a score rests on changes with time alone.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

from medwarden.kernel.clock import NANOSECONDS, Clock, to_datetime, wall_clock

GROUPS_SECONDS = 60.0
SCORED_DAY = "risk.scored_day"
"""Setting: the day (UTC, ISO 8601) on which all devices of a tenant were last made due."""


class Scoring:
    """Keeps the time between rounds of the worker."""

    def __init__(self, clock: Clock = wall_clock) -> None:
        self._clock = clock
        self._noted = 0.0

    def after(self) -> None:
        """Do what is due after a round of work."""
        if self._noted and time.monotonic() - self._noted < GROUPS_SECONDS:
            return
        self._noted = time.monotonic()
        new_day(self._clock)
        note_groups(self._clock)


def new_day(clock: Clock = wall_clock) -> int:
    """Make all devices due where a day began since they last were; forget old history. Return how many."""
    from medwarden.store.changes import Change
    from medwarden.store.models import Tenant
    from medwarden.store.risk_groups import KEPT, forget_history
    from medwarden.store.scores import mark_due
    from medwarden.store.settings import set_setting, setting

    now = clock()
    today = to_datetime(now).astimezone(UTC).date().isoformat()
    due = 0
    for tenant in Tenant.objects.values_list("pk", flat=True):
        last = setting(SCORED_DAY, "", tenant=tenant)
        if last >= today:
            continue
        with Change("system", "a new day", tenant=tenant, clock=clock) as change:
            set_setting(change, SCORED_DAY, today)
            if last:  # the first day begins with what is being scored anyway
                due += mark_due(change)
            kept_since = datetime.fromtimestamp(now / NANOSECONDS, UTC) - KEPT
            forget_history(change, int(kept_since.timestamp()) * NANOSECONDS)
    return due


def note_groups(clock: Clock = wall_clock) -> int:
    """Write down the scores of groups that changed, of every tenant; return how many."""
    from medwarden.app.risk_rules import rules_in_force
    from medwarden.store.chain import folder_of_database
    from medwarden.store.changes import Change
    from medwarden.store.models import Tenant
    from medwarden.store.risk_groups import record_groups

    rules = rules_in_force(folder_of_database())
    noted = 0
    for tenant in Tenant.objects.values_list("pk", flat=True):
        with Change("rule:risk", "scores of devices", rules.version, tenant=tenant, clock=clock) as change:
            noted += record_groups(change, rules.weights.groups)
    return noted
