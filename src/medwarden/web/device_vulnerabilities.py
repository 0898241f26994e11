"""The vulnerabilities of one device, for its page: what concerns it, what does not, and what scanners add."""

from __future__ import annotations

from medwarden.kernel.clock import wall_clock
from medwarden.model.vulnerability import MatchState
from medwarden.risk.matching.findings import severity_of
from medwarden.store.models import Device
from medwarden.store.queries.scans import seen_on
from medwarden.store.queries.vulnerabilities import VerdictFilter, VerdictView, verdicts
from medwarden.web.scope import Scope
from medwarden.web.vulnerability_words import DAYS, lines_of, names_of

_OPEN = (MatchState.CONFIRMED, MatchState.POTENTIAL)
_MOST = 200


def device_vulnerabilities(scope: Scope, row: Device, *, may_change: bool, back: str) -> dict[str, object]:
    """Return what ``web/part/risk_device_vulnerabilities.html`` shows of a device."""
    now = wall_clock()
    views = list(verdicts(scope.store, VerdictFilter(devices=(row.pk,)), at_ns=now))
    opened = sorted((view for view in views if view.state in _OPEN), key=_order)
    closed = sorted((view for view in views if view.state not in _OPEN), key=lambda view: view.vulnerability)
    said = seen_on(scope.store, [row.pk], now).get(row.pk, {})
    others = [each[0] for name, each in sorted(said.items()) if not name.startswith("CVE-")]
    return {
        "vulnerabilities_open": lines_of(opened[:_MOST]),
        "vulnerabilities_closed": lines_of(closed[:_MOST]),
        "vulnerabilities_more": max(0, len(opened) - _MOST),
        "vulnerabilities_closed_more": max(0, len(closed) - _MOST),
        "vulnerabilities_confirmed": sum(view.state is MatchState.CONFIRMED for view in opened),
        "vulnerabilities_exploited": sum(view.exploited for view in opened),
        "scanner_findings": [(each, names_of((each.seen.scanner,))[0]) for each in others[:_MOST]],
        "vulnerabilities_may_change": may_change,
        "vulnerabilities_back": back,
        "vulnerabilities_days": DAYS,
    }


def _order(view: VerdictView) -> tuple[bool, int, float, str]:
    return (
        view.state is not MatchState.CONFIRMED,
        -severity_of(view).rank,
        -(view.score or 0.0),
        view.vulnerability,
    )
