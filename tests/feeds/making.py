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


def exploitdb(*exploits: tuple[str, str]) -> bytes:
    """Return the table of exploits: number and codes."""
    lines = [
        "id,file,description,date_published,author,type,platform,port,date_added,date_updated,verified,codes"
    ]
    lines += [
        f'{number},exploits/x.py,"Acme ""Pump"", flaw",2026-01-01,someone,remote,hardware,,'
        f"2026-01-01,2026-01-02,1,{codes}"
        for number, codes in exploits
    ]
    return ("\n".join(lines) + "\n").encode()


def metasploit(**modules: list[str]) -> bytes:
    """Return module metadata: names to references."""
    return json.dumps(
        {
            name: {
                "name": name,
                "fullname": f"exploit/{name}",
                "disclosure_date": "2026-01-01",
                "type": "exploit",
                "references": references,
                "autofilter_ports": [80],
                "mod_time": "2026-01-02 00:00:00 +0000",
                "ref_name": name,
            }
            for name, references in modules.items()
        }
    ).encode()


def attack(*ids: str) -> bytes:
    """Return a STIX bundle of techniques, with a relationship beside them."""
    objects: list[dict[str, object]] = [
        {
            "type": "attack-pattern",
            "id": f"attack-pattern--{n}",
            "name": f"Technique {id}",
            "modified": "2026-01-01T00:00:00.000Z",
            "external_references": [
                {"source_name": "mitre-attack", "external_id": id, "url": f"https://attack.mitre.org/{id}"}
            ],
            "kill_chain_phases": [{"kill_chain_name": "mitre-ics-attack", "phase_name": "impact"}],
        }
        for n, id in enumerate(ids)
    ]
    objects.append({"type": "relationship", "id": "relationship--1"})
    return json.dumps({"type": "bundle", "id": "bundle--1", "objects": objects}).encode()


def cwe(*numbers: str, version: str = "4.15") -> bytes:
    """Return a catalogue of weaknesses, each a case of CWE-1."""
    entries = "".join(
        f'<Weakness ID="{n}" Name="Flaw &amp; {n}" Abstraction="Base" Status="Draft"><Description>Flaw {n}.'
        f'</Description><Related_Weaknesses><Related_Weakness Nature="ChildOf" CWE_ID="1" View_ID="1000"/>'
        f"</Related_Weaknesses></Weakness>"
        for n in numbers
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><Weakness_Catalog Name="CWE" Version="{version}"'
        f' Date="2026-01-01"'
        f' xmlns="http://cwe.mitre.org/cwe-7"><Weaknesses>{entries}</Weaknesses></Weakness_Catalog>'
    ).encode()


def oui(*blocks: tuple[str, str, str]) -> bytes:
    """Return a registry: registry, prefix, organisation."""
    lines = ["Registry,Assignment,Organization Name,Organization Address"]
    lines += [f'{registry},{prefix},"{name}","1 Road, Town"' for registry, prefix, name in blocks]
    return ("\n".join(lines) + "\n").encode()


def eol_page(name: str = "acme-os") -> bytes:
    """Return a product page."""
    return f"""---
title: Acme OS
category: os
permalink: /{name}
releaseLabel: "Acme OS __RELEASE_CYCLE__"
identifiers:
  - cpe: cpe:2.3:o:acme:os
releases:
  - releaseCycle: "10"
    releaseDate: 2020-01-01
    eoas: 2022-01-01
    eol: 2024-01-01
    eoes: 2026-01-01
    latest: 10.4
  - releaseCycle: "11"
    releaseDate: 2023-01-01
    eol: false
---

> Text.
""".encode()


def eol_answer(*names: str) -> bytes:
    """Return the API's answer with all products."""
    return json.dumps(
        {
            "schema_version": "1.2.0",
            "generated_at": "2026-01-02T00:00:00Z",
            "total": len(names),
            "result": [
                {
                    "name": name,
                    "label": name.title(),
                    "category": "os",
                    "identifiers": [{"type": "cpe", "id": "cpe:2.3:o:acme:os"}],
                    "releases": [
                        {
                            "name": "10",
                            "label": "10",
                            "releaseDate": "2020-01-01",
                            "isEol": True,
                            "eolFrom": "2024-01-01",
                            "latest": {"name": "10.4"},
                        },
                        {
                            "name": "11",
                            "label": "11",
                            "releaseDate": "2023-01-01",
                            "isEol": False,
                            "eolFrom": None,
                        },
                    ],
                }
                for name in names
            ],
        }
    ).encode()


def foiclass(*rows: str) -> bytes:
    """Return a classification table; rows are ``code|name|class|implant|life`` (others stay as they are)."""
    heading = (
        "REVIEW_PANEL|MEDICALSPECIALTY|PRODUCTCODE|DEVICENAME|DEVICECLASS|REGULATIONNUMBER|"
        "Implant_Flag|Life_Sustain_support_flag"
    )
    lines = [heading]
    for row in rows:
        cells = row.split("|")
        lines.append(
            f"AN|AN|{cells[0]}|{cells[1]}|{cells[2]}|868.1|{cells[3]}|{cells[4]}" if len(cells) == 5 else row
        )
    return ("\r\n".join(lines) + "\r\n").encode("latin-1")


def openfda(
    *results: dict[str, object], updated: str = "2026-01-02", total: int | None = None, skip: int = 0
) -> bytes:
    """Return an answer of openFDA."""
    count = {"skip": skip, "limit": max(len(results), 1), "total": len(results) if total is None else total}
    return json.dumps(
        {"meta": {"last_updated": updated, "results": count}, "results": list(results)}
    ).encode()


def recall(number: str = "Z-0001-2026", codes: str = "Lot numbers: A1234, B2345") -> dict[str, object]:
    """Return a recall as ``device/recall`` has it."""
    return {
        "product_res_number": number,
        "recalling_firm": "Acme Medical",
        "product_description": "Pump, infusion",
        "reason_for_recall": "It stops.",
        "action": "Return it.",
        "product_code": "FRN",
        "code_info": codes,
        "recall_status": "Open",
        "event_date_initiated": "2026-01-01",
        "event_date_posted": "2026-01-02",
        "cfres_id": "12345",
    }


def enforcement(number: str = "Z-0001-2026", level: str = "Class I") -> dict[str, object]:
    """Return a report as ``device/enforcement`` has it."""
    return {
        "recall_number": number,
        "recalling_firm": "Acme Medical",
        "classification": level,
        "product_type": "Devices",
        "product_description": "Pump, infusion",
        "reason_for_recall": "It stops.",
        "code_info": "Serial Numbers 1000 through 2000",
        "status": "Ongoing",
        "voluntary_mandated": "Voluntary: Firm initiated",
        "recall_initiation_date": "20260101",
        "report_date": "20260102",
    }


def listing(di: str = "00812345678901") -> dict[str, object]:
    """Return a product as ``device/udi`` has it."""
    return {
        "identifiers": [{"id": di, "type": "Primary"}, {"id": "10812345678908", "type": "Package"}],
        "brand_name": "PumpOne",
        "version_or_model_number": "P1",
        "company_name": "Acme Medical",
        "publish_date": "2026-01-01",
        "product_codes": [{"code": "FRN"}],
        "gmdn_terms": [{"name": "Infusion pump"}],
    }


def exports(day: str, **files: str) -> bytes:
    """Return openFDA's list of downloads."""
    return json.dumps(
        {
            "results": {
                "device": {
                    endpoint: {"export_date": day, "partitions": [{"file": url}]}
                    for endpoint, url in files.items()
                }
            }
        }
    ).encode()


def osv(id: str, *, modified: str = "2026-01-02T00:00:00Z") -> bytes:
    """Return a record of OSV on one package."""
    return json.dumps(
        {
            "id": id,
            "modified": modified,
            "affected": [
                {
                    "package": {"ecosystem": "PyPI", "name": "pump"},
                    "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2"}]}],
                }
            ],
        }
    ).encode()
