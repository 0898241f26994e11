"""What a source says to do of the very product that a device is, as it was chosen for the work queue.

An advisory on several products has a remedy for each; the first of them may be that of another product.
"""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection

from medwarden.store.models import WorkRemedy
from medwarden.store.queries.scope import Scope

_AT_ONCE = 400
_SHOWN = 600


def remedies_of(profiles: Collection[str], vulnerability: str = "") -> dict[tuple[str, str], str]:
    """Return what to do by profile and vulnerability: what mends, else what helps until then.

    An empty text says that no source names a remedy for the product; what was not chosen yet is left out.
    """
    found: dict[tuple[str, str], str] = {}
    keys = sorted(profiles)
    for start in range(0, len(keys), _AT_ONCE):
        rows = WorkRemedy.objects.filter(profile_id__in=keys[start : start + _AT_ONCE])
        if vulnerability:
            rows = rows.filter(vulnerability__iexact=vulnerability)
        told = rows.values_list(
            "profile_id", "vulnerability", "choice__texts__0__1", "choice__meanwhile__0__1"
        )
        for profile, name, mends, meanwhile in told:
            found[profile, name] = str(mends or meanwhile or "")[:_SHOWN]
    return found


def most_said(scope: Scope) -> dict[str, str]:
    """Return of each vulnerability what to do about the product that most devices here are."""
    where, given = scope.sql("m")
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH p AS (SELECT m.profile_id, COUNT(*) AS n FROM store_profilemember m"  # noqa: S608
            f" WHERE m.until_ns IS NULL AND {where} GROUP BY m.profile_id)"
            " SELECT r.vulnerability, SUBSTR(COALESCE(json_extract(r.choice, '$.texts[0][1]'),"
            " json_extract(r.choice, '$.meanwhile[0][1]'), ''), 1, %s) AS said, SUM(p.n) AS devices"
            " FROM p JOIN store_workremedy r ON r.profile_id = p.profile_id"
            " JOIN store_vulnerabilityverdict v ON v.profile_id = r.profile_id"
            " AND v.vulnerability = r.vulnerability AND v.until_ns IS NULL"
            " AND v.state IN ('confirmed', 'potential')"
            " GROUP BY r.vulnerability, said ORDER BY devices, said DESC",
            [*given, _SHOWN],
        )
        return {vulnerability: said for vulnerability, said, _ in cursor.fetchall()}
