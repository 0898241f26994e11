"""Seeds for what is said of vulnerabilities: one document of each form, and rules of the work queue."""

from __future__ import annotations

import json

_OPENVEX = {
    "@context": "https://openvex.dev/ns/v0.2.0",
    "@id": "https://maker.example/vex/1",
    "author": "Philips",
    "timestamp": "2026-01-01T00:00:00Z",
    "version": 1,
    "statements": [
        {
            "vulnerability": {"name": "CVE-2020-0001", "aliases": ["GHSA-aaaa-bbbb-cccc"]},
            "products": [
                {
                    "@id": "https://maker.example/mx",
                    "identifiers": {"purl": "pkg:generic/philips/mx450@M.03"},
                },
                "cpe:2.3:h:philips:intellivue_mx450:m.03:*:*:*:*:*:*:*",
            ],
            "status": "not_affected",
            "justification": "component_not_present",
            "impact_statement": "built without it",
        },
        {
            "vulnerability": "CVE-2020-0002",
            "products": ["pkg:deb/debian/openssl@3.0.7"],
            "status": "affected",
            "action_statement": "update",
        },
    ],
}
_CSAF = {
    "document": {
        "category": "csaf_vex",
        "csaf_version": "2.0",
        "publisher": {"category": "vendor", "name": "Philips", "namespace": "https://maker.example"},
        "tracking": {"id": "PHI-1", "version": "1", "current_release_date": "2026-01-01T00:00:00Z"},
    },
    "product_tree": {
        "branches": [
            {
                "category": "vendor",
                "name": "Philips",
                "branches": [
                    {
                        "category": "product_name",
                        "name": "IntelliVue MX450",
                        "branches": [
                            {
                                "category": "product_version_range",
                                "name": "vers:generic/>=M.00|<N.01",
                                "product": {"name": "MX450", "product_id": "P1"},
                            }
                        ],
                    }
                ],
            }
        ],
        "product_groups": [{"group_id": "G1", "product_ids": ["P1"]}],
    },
    "vulnerabilities": [
        {
            "cve": "CVE-2020-0001",
            "product_status": {"known_not_affected": ["P1"]},
            "flags": [{"label": "component_not_present", "group_ids": ["G1"]}],
            "threats": [{"category": "impact", "details": "no", "product_ids": ["P1"]}],
        }
    ],
}
_CYCLONEDX = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.5",
    "serialNumber": "urn:uuid:1",
    "metadata": {"supplier": {"name": "Philips"}, "component": {"name": "MX450", "bom-ref": "it"}},
    "components": [
        {"name": "openssl", "version": "1.0.2", "bom-ref": "c", "purl": "pkg:generic/openssl@1.0.2"}
    ],
    "vulnerabilities": [
        {
            "id": "CVE-2020-0001",
            "references": [{"id": "GHSA-aaaa-bbbb-cccc"}],
            "analysis": {"state": "not_affected", "justification": "code_not_reachable", "detail": "no"},
            "affects": [{"ref": "it", "versions": [{"version": "1", "status": "unaffected"}]}, {"ref": "c"}],
        }
    ],
}

VEX_SEEDS: dict[str, dict[str, bytes]] = {
    "vex": {
        name: json.dumps(document).encode()
        for name, document in (("openvex", _OPENVEX), ("csaf", _CSAF), ("cyclonedx", _CYCLONEDX))
    },
    "work_rules": {
        "own": b"due_days: {critical: 7}\npriority: {internet: 100}\neffort: {ask: 1}\nnumber: 2\n",
    },
}
