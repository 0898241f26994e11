"""The hospital's verdicts as a CSAF 2.0 document of the VEX profile (section 4.5)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from medwarden.risk.work.vex.statement import Issuer, OwnProduct, OwnVerdict, Revision, VexStatus

_STATUSES = {
    VexStatus.AFFECTED: "known_affected",
    VexStatus.NOT_AFFECTED: "known_not_affected",
    VexStatus.FIXED: "fixed",
    VexStatus.UNDER_INVESTIGATION: "under_investigation",
}
_ACTIONS = frozenset({"vendor_fix", "mitigation", "workaround", "no_fix_planned", "none_available"})


def csaf(
    verdicts: Sequence[OwnVerdict], issuer: Issuer, id: str, revisions: Sequence[Revision], engine: str
) -> dict[str, object]:
    """Return the document; ``engine`` names the program and version that made it (3.2.1.12.2).

    Every product that is not affected has its grounds (a flag or an impact statement) and every affected one
    what is done about it, as the profile asks. Serial numbers and addresses stand in it only where the
    products carry them.
    """
    products = {v.product.id: v.product for v in verdicts}
    return {
        "document": {
            "category": "csaf_vex",
            "csaf_version": "2.0",
            "distribution": {"tlp": {"label": "AMBER"}},
            "lang": "en",
            "notes": [
                {
                    "category": "legal_disclaimer",
                    "text": "What an operator found out about its own devices; not a word of their makers.",
                    "title": "Whose word this is",
                }
            ],
            "publisher": {"category": "user", "name": issuer.name, "namespace": issuer.namespace},
            "title": f"Vulnerabilities of medical and other devices at {issuer.name}",
            "tracking": {
                "current_release_date": revisions[-1].date,
                "generator": {"date": revisions[-1].date, "engine": {"name": engine}},
                "id": id,
                "initial_release_date": revisions[0].date,
                "revision_history": [
                    {
                        "date": r.date,
                        "number": str(r.number),
                        "summary": "First version" if r.number == 1 else "Verdicts changed",
                    }
                    for r in revisions
                ],
                "status": "final",
                "version": str(revisions[-1].number),
            },
        },
        "product_tree": {"branches": _branches(list(products.values()))},
        "vulnerabilities": list(_vulnerabilities(verdicts)),
    }


def _branches(products: Sequence[OwnProduct]) -> list[dict[str, object]]:
    """Return branches by maker, product and version (3.1.2)."""
    tree: dict[str, dict[str, list[OwnProduct]]] = {}
    for product in sorted(products, key=lambda p: (p.vendor, p.product, p.version, p.id)):
        vendor = tree.setdefault(product.vendor or "unknown maker", {})
        vendor.setdefault(product.product or "unknown product", []).append(product)
    return [
        {
            "category": "vendor",
            "name": vendor,
            "branches": [
                {
                    "category": "product_name",
                    "name": name,
                    "branches": [
                        {
                            "category": "product_version",
                            "name": each.version or "unknown version",
                            "product": _product(each),
                        }
                        for each in kept
                    ],
                }
                for name, kept in products_of.items()
            ],
        }
        for vendor, products_of in tree.items()
    ]


def _product(product: OwnProduct) -> dict[str, object]:
    helper: dict[str, object] = {}
    if product.cpe:
        helper["cpe"] = product.cpe
    if product.purl:
        helper["purl"] = product.purl
    if product.serials:
        helper["serial_numbers"] = sorted(set(product.serials))
    if product.macs:
        helper["x_generic_uris"] = [
            {"namespace": "https://www.rfc-editor.org/rfc/rfc9039", "uri": _mac_uri(mac)}
            for mac in sorted(set(product.macs))
        ]
    found: dict[str, object] = {"name": product.name, "product_id": product.id}
    if helper:
        found["product_identification_helper"] = helper
    return found


def _mac_uri(mac: str) -> str:
    """Return a hardware address as urn:dev:mac, 48 bits widened to EUI-64 (RFC 9039, 4.1)."""
    plain = mac.replace(":", "").replace("-", "").lower()
    return f"urn:dev:mac:{plain[:6]}fffe{plain[6:]}" if len(plain) == 12 else f"urn:dev:mac:{plain}"


def _vulnerabilities(verdicts: Sequence[OwnVerdict]) -> Iterator[dict[str, object]]:
    by_name: dict[str, list[OwnVerdict]] = {}
    for verdict in verdicts:
        by_name.setdefault(verdict.vulnerability, []).append(verdict)
    for name in sorted(by_name):
        group = by_name[name]
        title = next((v.title for v in group if v.title), "")
        found: dict[str, object] = {"cve": name} if name.startswith("CVE-") else {"ids": [_id(name)]}
        if title:
            found["title"] = title
        found["notes"] = [
            {
                "category": "description",
                "text": title or f"{name} as published; see the record of that id.",
                "title": "Vulnerability",
            }
        ]
        found["product_status"] = {
            _STATUSES[says]: sorted(v.product.id for v in group if v.says is says)
            for says in _STATUSES
            if any(v.says is says for v in group)
        }
        found |= _grounds([v for v in group if v.says is VexStatus.NOT_AFFECTED])
        todo = [v for v in group if v.says is VexStatus.AFFECTED]
        if todo:
            found["remediations"] = list(_remediations(todo))
        yield found


def _id(name: str) -> dict[str, str]:
    return {"system_name": "GHSA" if name.startswith("GHSA-") else "publisher's own id", "text": name}


def _grounds(clear: Sequence[OwnVerdict]) -> dict[str, object]:
    flags: dict[str, list[str]] = {}
    impacts: dict[str, list[str]] = {}
    for verdict in clear:
        if verdict.justification:
            flags.setdefault(verdict.justification, []).append(verdict.product.id)
        if verdict.text or not verdict.justification:
            words = verdict.text or "not affected by what is known of version and settings"
            impacts.setdefault(words, []).append(verdict.product.id)
    found: dict[str, object] = {}
    if flags:
        found["flags"] = [
            {"label": label, "product_ids": sorted(ids)} for label, ids in sorted(flags.items())
        ]
    if impacts:
        found["threats"] = [
            {"category": "impact", "details": words, "product_ids": sorted(ids)}
            for words, ids in sorted(impacts.items())
        ]
    return found


def _remediations(todo: Sequence[OwnVerdict]) -> Iterator[dict[str, object]]:
    groups: dict[tuple[str, str], list[str]] = {}
    for verdict in todo:
        kind = verdict.action_kind if verdict.action_kind in _ACTIONS else "mitigation"
        groups.setdefault((kind, verdict.action), []).append(verdict.product.id)
    for (kind, words), ids in sorted(groups.items()):
        yield {"category": kind, "details": words, "product_ids": sorted(ids)}


def by_statement(verdicts: Sequence[OwnVerdict]) -> list[list[OwnVerdict]]:
    """Return verdicts that say the same in the same words of one vulnerability together."""
    groups: dict[tuple[str, ...], list[OwnVerdict]] = {}
    for v in sorted(verdicts, key=lambda v: (v.vulnerability, v.says.value, v.product.id)):
        groups.setdefault((v.vulnerability, v.says.value, v.justification, v.text, v.action), []).append(v)
    return list(groups.values())
