"""The hospital's verdicts as an OpenVEX 0.2.0 document (openvex.dev)."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from medwarden.kernel.clock import iso
from medwarden.risk.work.vex.statement import Issuer, OwnProduct, OwnVerdict, Revision, VexStatus
from medwarden.risk.work.vex.write_csaf import by_statement

CONTEXT = "https://openvex.dev/ns/v0.2.0"


def openvex(
    verdicts: Sequence[OwnVerdict], issuer: Issuer, id: str, revisions: Sequence[Revision], product: str
) -> dict[str, object]:
    """Return the document; ``product`` names the program and version that made it.

    Products are named by purl or CPE where one is known, otherwise by an address below the issuer's.
    """
    return {
        "@context": CONTEXT,
        "@id": f"{issuer.namespace.rstrip('/')}/vex/{quote(id)}",
        "author": issuer.name,
        "role": "Operator",
        "timestamp": revisions[0].date,
        "last_updated": revisions[-1].date,
        "version": revisions[-1].number,
        "tooling": product,
        "statements": [_statement(group, issuer) for group in by_statement(verdicts)],
    }


def _statement(group: Sequence[OwnVerdict], issuer: Issuer) -> dict[str, object]:
    first = group[0]
    found: dict[str, object] = {
        "vulnerability": {"name": first.vulnerability},
        "timestamp": iso(min(v.since_ns for v in group)),
        "products": [_product(v.product, issuer) for v in group],
        "status": first.says.value,
    }
    if first.says is VexStatus.NOT_AFFECTED:
        if first.justification:
            found["justification"] = first.justification
        if first.text or not first.justification:
            found["impact_statement"] = first.text or "not affected by what is known of version and settings"
    elif first.text:
        found["status_notes"] = first.text
    if first.says is VexStatus.AFFECTED:
        found["action_statement"] = first.action
    return found


def _product(product: OwnProduct, issuer: Issuer) -> dict[str, object]:
    identifiers = {"purl": product.purl, "cpe23": product.cpe if product.cpe.startswith("cpe:2.3:") else ""}
    known = {name: value for name, value in identifiers.items() if value}
    address = f"{issuer.namespace.rstrip('/')}/product/{quote(product.id)}"
    found: dict[str, object] = (
        {"@id": address, "supplier": product.vendor} if product.vendor else {"@id": address}
    )
    if known:
        found["identifiers"] = known
    return found
