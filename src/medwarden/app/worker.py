"""The worker: follows what sensors store, identifies and assesses, keeps the lake in order."""

from __future__ import annotations

import logging
import signal
import threading
import time
from contextlib import closing
from pathlib import Path

from medwarden.app.fingerprints import load_own
from medwarden.app.identity import Settling
from medwarden.app.knowledge_job import Keeper
from medwarden.app.models import load_model
from medwarden.app.risk_clock import Scoring
from medwarden.app.risk_rules import rules_in_force
from medwarden.app.scanner_pull import ScannerKeeper
from medwarden.app.work_round import keep_up
from medwarden.store.lake import TABLES
from medwarden.store.open import Store, open_store

_log = logging.getLogger(__name__)

ROUND_SECONDS = 1.0
TIDY_SECONDS = 3600.0
MOST_DUE = 10_000
"""Devices scored anew in one round, so that one that was heard of meanwhile does not wait for all of them."""


def work(home: Path, *, once: bool = False) -> None:
    """Judge stale devices every second and tidy the lake every hour, until SIGTERM or SIGINT.

    Devices that an older version labelled or scored are judged anew from what was stored of them, and so
    they are when a file of the hospital's own fingerprints changes. Knowledge is looked for, and scanners are
    asked, in processes of their own, where an operator turned that on.
    """
    ending = threading.Event()
    if not once and threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: ending.set())
    with (
        open_store(home, writer=True, role="worker") as store,
        closing(Keeper(home)) as keeper,
        closing(ScannerKeeper(home)) as scanners,
    ):
        load_own(home)
        load_model(home)
        renew()
        if not once:
            from medwarden.app.read_ahead import read_ahead  # it needs models, which an open store brings

            read_ahead(home)
        tidied = time.monotonic()
        settling = Settling()
        scoring = Scoring()
        rules = rules_in_force(home).version
        while not ending.is_set():
            if load_own(home) | load_model(home) | (rules != rules_in_force(home).version):
                rules = rules_in_force(home).version
                renew()
            settling.after(round_of_work(store))
            scoring.after()
            keep_up(home)
            if once:
                return
            keeper.tick()
            scanners.tick()
            if time.monotonic() - tidied > TIDY_SECONDS:
                tidied = time.monotonic()
                for table in TABLES:
                    store.lake.maintain(table)
            ending.wait(ROUND_SECONDS)


def renew() -> int:
    """Have devices judged anew that older labels or risk rules judged; return how many."""
    from medwarden.inventory.labelling import labelling_version
    from medwarden.store.chain import folder_of_database
    from medwarden.store.changes import Change
    from medwarden.store.identities import mark_outdated
    from medwarden.store.models import Tenant
    from medwarden.store.risk_rules import note_rules

    rules = rules_in_force(folder_of_database())
    for tenant in Tenant.objects.values_list("pk", flat=True):
        with Change("system", "weights in force", rules.version, tenant=tenant) as change:
            note_rules(change, rules)
    outdated = mark_outdated(labelling_version(), rules.version)
    if outdated:
        _log.info("judging %d devices anew: the labels or the risk rules changed", outdated)
    return outdated


def round_of_work(_store: Store) -> int:
    """Judge the stale devices of every site and score those that are due; return how many there were."""
    from medwarden.app.judge import assess_due, judge_stale
    from medwarden.store.models import Site

    return sum(
        judge_stale(tenant, site) + assess_due(tenant, site, MOST_DUE)
        for tenant, site in Site.objects.values_list("tenant_id", "id")
    )
