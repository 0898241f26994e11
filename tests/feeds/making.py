"""Small files in publishers' forms, made here: the ids, products and makers in them are invented."""

from __future__ import annotations

import json


def kev(*cves: str, day: str = "2026-01-02", count: int | None = None) -> bytes:
    """Return a KEV catalogue of these CVEs."""
    listed = [
        {
            "cveID": cve,
            "vendorProject": "Acme",
            "product": "Gateway",
            "vulnerabilityName": "Acme Gateway flaw",
            "dateAdded": "2026-01-01",
            "shortDescription": "A flaw.",
            "requiredAction": "Update.",
            "dueDate": "2026-01-22",
            "knownRansomwareCampaignUse": "Known" if cve.endswith("1") else "Unknown",
            "notes": "",
            "cwes": ["CWE-79"],
        }
        for cve in cves
    ]
    return json.dumps(
        {
            "title": "Catalogue",
            "catalogVersion": day.replace("-", "."),
            "dateReleased": f"{day}T12:00:00.0000Z",
            "count": len(cves) if count is None else count,
            "vulnerabilities": listed,
        }
    ).encode()


def epss(day: str = "2026-01-02", **scores: tuple[str, str]) -> bytes:
    """Return a day's scores; names are CVE ids with underscores."""
    lines = [f"#model_version:v2026.01.01,score_date:{day}T00:00:00+0000", "cve,epss,percentile"]
    lines += [f"{cve.replace('_', '-')},{chance},{rank}" for cve, (chance, rank) in scores.items()]
    return ("\n".join(lines) + "\n").encode()


def nvd(*cves: dict[str, object], total: int | None = None, start: int = 0) -> bytes:
    """Return an answer of NVD's API."""
    return json.dumps(
        {
            "resultsPerPage": len(cves),
            "startIndex": start,
            "totalResults": len(cves) if total is None else total,
            "format": "NVD_CVE",
            "version": "2.0",
            "timestamp": "2026-01-02T03:04:05.678",
            "vulnerabilities": [{"cve": cve} for cve in cves],
        }
    ).encode()


def nvd_cve(
    id: str, *matches: dict[str, object], modified: str = "2026-01-01T00:00:00.000"
) -> dict[str, object]:
    """Return one CVE of NVD with its CPE matches."""
    return {
        "id": id,
        "published": "2025-12-31T00:00:00.000",
        "lastModified": modified,
        "vulnStatus": "Analyzed",
        "descriptions": [{"lang": "es", "value": "Un fallo."}, {"lang": "en", "value": "A flaw."}],
        "metrics": {
            "cvssMetricV31": [
                {
                    "source": "nvd@nist.gov",
                    "type": "Primary",
                    "cvssData": {
                        "version": "3.1",
                        "vectorString": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",
                        "baseScore": 9.8,
                    },
                }
            ],
            "ssvcV203": [{"source": "x", "ssvcData": {}}],
        },
        "weaknesses": [{"description": [{"lang": "en", "value": "CWE-798"}]}],
        "configurations": [{"nodes": [{"operator": "OR", "negate": False, "cpeMatch": list(matches)}]}],
        "references": [{"url": "https://example.org/a"}, {"url": "https://example.org/a"}],
    }


def cve5(id: str, affected: list[dict[str, object]], **more: object) -> bytes:
    """Return a CVE record of format 5."""
    return json.dumps(
        {
            "dataType": "CVE_RECORD",
            "dataVersion": "5.1",
            "cveMetadata": {
                "cveId": id,
                "state": "PUBLISHED",
                "datePublished": "2026-01-01T00:00:00.000Z",
                "dateUpdated": "2026-01-02T00:00:00.000Z",
            },
            "containers": {
                "cna": {
                    "title": "Acme flaw",
                    "descriptions": [{"lang": "en", "value": "A flaw."}],
                    "affected": affected,
                    "references": [],
                    "providerMetadata": {"shortName": "acme"},
                    **more,
                },
                "adp": [
                    {
                        "providerMetadata": {"shortName": "CISA-ADP"},
                        "metrics": [
                            {
                                "other": {
                                    "type": "ssvc",
                                    "content": {
                                        "options": [
                                            {"Exploitation": "poc"},
                                            {"Automatable": "yes"},
                                            {"Technical Impact": "total"},
                                        ]
                                    },
                                }
                            }
                        ],
                    }
                ],
            },
        }
    ).encode()


def csaf(
    id: str = "ACME-2026-001",
    *,
    branches: list[dict[str, object]] | None = None,
    status: dict[str, list[str]] | None = None,
    released: str = "2026-01-02T00:00:00Z",
    tree: dict[str, object] | None = None,
    remediations: list[dict[str, object]] | None = None,
) -> bytes:
    """Return a CSAF document with one vulnerability."""
    versions = [
        {
            "category": "product_version_range",
            "name": "vers:generic/<2.1",
            "product": {"name": "Pump <2.1", "product_id": "P1"},
        },
        {"category": "product_version", "name": "2.1", "product": {"name": "Pump 2.1", "product_id": "P2"}},
    ]
    own = [
        {
            "category": "vendor",
            "name": "Acme ",
            "branches": [{"category": "product_name", "name": "Pump", "branches": versions}],
        }
    ]
    return json.dumps(
        {
            "document": {
                "category": "csaf_security_advisory",
                "csaf_version": "2.0",
                "title": "Acme Pump",
                "publisher": {"category": "vendor", "name": "Acme", "namespace": "https://acme.example"},
                "tracking": {
                    "id": id,
                    "current_release_date": released,
                    "initial_release_date": "2026-01-01T00:00:00Z",
                    "status": "final",
                    "version": "1",
                },
                "notes": [{"category": "summary", "text": "The pump can be stopped."}],
                "references": [
                    {"category": "self", "summary": "json", "url": "https://acme.example/a.json"},
                    {"category": "self", "summary": "page", "url": "https://acme.example/a"},
                ],
            },
            "product_tree": {"branches": own if branches is None else branches, **(tree or {})},
            "vulnerabilities": [
                {
                    "cve": "CVE-2026-10001",
                    "cwe": {"id": "CWE-306", "name": "Missing authentication"},
                    "notes": [{"category": "description", "text": "No password is asked."}],
                    "product_status": status or {"known_affected": ["P1"], "fixed": ["P2"]},
                    "remediations": remediations
                    or [{"category": "vendor_fix", "details": "Update to 2.1.", "product_ids": ["P1"]}],
                    "scores": [
                        {
                            "products": ["P1"],
                            "cvss_v3": {
                                "version": "3.1",
                                "vectorString": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H",
                                "baseScore": 7.5,
                                "baseSeverity": "HIGH",
                            },
                        }
                    ],
                }
            ],
        }
    ).encode()
