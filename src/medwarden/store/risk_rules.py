"""The weights that scores were made by, word for word: as long as a score is kept, so are they."""

from __future__ import annotations

import msgspec
import yaml

from medwarden.risk.weights import Rules, Weights
from medwarden.store.changes import Change
from medwarden.store.models import RiskRules


def note_rules(change: Change, rules: Rules) -> bool:
    """Keep rules by their version; return whether they were new."""
    if RiskRules.objects.filter(tenant_id=change.tenant, version=rules.version).exists():
        return False
    RiskRules(
        tenant_id=change.tenant,
        site_id=None,
        version=rules.version,
        weights=yaml.safe_dump(msgspec.to_builtins(rules.weights), sort_keys=True),
        since_ns=change.now_ns,
    ).save(force_insert=True)
    change.record("risk.rules", f"rules:{rules.version}", None, {"number": rules.weights.number})
    return True


def noted_rules(tenant: str, version: str) -> Weights | None:
    """Return the weights that scores of a version were made by, None where they are not known."""
    row = RiskRules.objects.filter(tenant_id=tenant, version=version).first()
    return None if row is None else msgspec.convert(yaml.safe_load(row.weights), Weights)
