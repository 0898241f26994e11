"""The assessment as ``report.json``: the same content for machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from medwarden.assessment.result import Assessment
from medwarden.kernel.clock import NANOSECONDS, iso
from medwarden.model.accounting import InputReport, PacketCount
from medwarden.model.device import Device, DeviceClass
from medwarden.model.finding import Finding
from medwarden.model.policy import Policy

VERSION = 1


def to_report(assessment: Assessment, devices: Sequence[Mapping[str, object]] = ()) -> dict[str, object]:
    """Return the report as plain values that ``json.dumps`` takes.

    ``devices`` are the devices as ``medwarden devices --json`` prints them; left out, a short form of each
    device stands in their place.
    """
    a = assessment
    return {
        "version": VERSION,
        "product_version": a.product_version,
        "rules_version": a.rules_version,
        "generated": _time(a.generated_ns),
        "observed": {
            "from": _time(a.observed_from),
            "to": _time(a.observed_to),
            "seconds": a.observed_ns / NANOSECONDS,
        },
        "sites": list(a.sites),
        "inputs": [_input(i) for i in a.inputs],
        "devices": [dict(d) for d in devices] if devices else [_device(d, a) for d in a.devices],
        "findings": [_finding(f) for f in a.findings],
        "risk": _risk(a),
        "patient_data_paths": _paths(a),
        "segmentation": _segmentation(a),
        "services": _services(a),
        "internet": _internet(a),
        "policy": [_policy(p) for p in a.policies],
        "coverage": {
            "identification": {
                level.level: {
                    "answered": level.answered,
                    "total": level.total,
                    "mean_confidence": level.confidence,
                    "at_least_90_percent": level.sure,
                }
                for level in a.inventory.levels
            },
            "questions": [msgspec.to_builtins(g) for g in a.gaps],
        },
        "grades": [msgspec.to_builtins(g) for g in a.grades],
        "sentences": list(a.sentences),
        "actions": [msgspec.to_builtins(action) for action in a.actions],
    }


def _risk(a: Assessment) -> dict[str, object]:
    return {
        "by_level": {level.value: number for level, number in a.risk.by_level.items()},
        "median": a.risk.median,
        "devices": [
            {
                "device": score.device,
                "score": score.score,
                "level": score.level.value,
                "factors": [
                    {"id": f.id, "title": f.title, "group": f.group, "points": f.points, "why": f.why}
                    for f in score.factors
                ],
            }
            for score in (a.scores[d.id] for d in a.devices if d.id in a.scores)
        ],
    }


def _paths(a: Assessment) -> list[object]:
    return [
        {
            "protocol": p.protocol,
            "sender": p.sender.id,
            "receiver": p.receiver,
            "scope": p.scope,
            "ports": list(p.ports),
            "flows": p.flows,
            "bytes": p.bytes,
            "first_seen": _time(p.first_seen),
            "last_seen": _time(p.last_seen),
        }
        for p in a.paths
    ]


def _services(a: Assessment) -> list[object]:
    return [
        {
            "service": s.name,
            "concern": s.concern,
            "ports": list(s.ports),
            "devices": [d.id for d in s.devices],
            "medical": s.medical,
        }
        for s in a.services
    ]


def _internet(a: Assessment) -> list[object]:
    return [
        {
            "device": u.device.id,
            "direction": "inbound" if u.inbound else "outbound",
            "peers": list(u.peers),
            "applications": list(u.applications),
            "clear_text": list(u.clear),
            "flows": u.flows,
        }
        for u in a.internet
    ]


def _time(ts_ns: int | None) -> str | None:
    return iso(ts_ns) if ts_ns else None


def _count(count: PacketCount) -> dict[str, int]:
    return {"read": count.read, "parsed": count.parsed, "rejected": count.rejected, "dropped": count.dropped}


def _input(i: InputReport) -> dict[str, object]:
    return {
        "path": i.path,
        "format": i.format,
        "packets": _count(i.packets),
        "records": _count(i.records),
        "bytes": i.bytes,
        "first": _time(i.first_ns),
        "last": _time(i.last_ns),
        "rejected_reasons": dict(i.rejected_reasons),
        "malformed": dict(i.malformed),
        "already": i.already,
        "error": i.error,
    }


def _device(d: Device, a: Assessment) -> dict[str, object]:
    score = a.scores.get(d.id)
    return {
        "id": d.id,
        "macs": list(d.macs),
        "ips": list(d.ips),
        "names": list(d.names),
        "class": d.device_class.value,
        "category": d.category,
        "vendor": d.vendor,
        "model": d.model,
        "os": d.os,
        "os_version": d.os_version,
        "subnet": d.subnet,
        "phi": d.phi,
        "first_seen": _time(d.first_seen),
        "last_seen": _time(d.last_seen),
        "risk": {"score": score.score, "level": score.level.value} if score else None,
    }


def _finding(f: Finding) -> dict[str, object]:
    return {
        "id": f.id,
        "type": f.type,
        "kind": f.kind.value,
        "severity": f.severity.value,
        "device": f.device,
        "title": f.title,
        "detail": f.detail,
        "fix": f.fix,
        "evidence": [
            {
                "field": e.field,
                "value": e.value,
                "first_seen": _time(e.first_seen),
                "last_seen": _time(e.last_seen),
                "count": e.count,
            }
            for e in f.evidence
        ],
        "mitre": list(f.mitre),
        "first_seen": _time(f.first_seen),
        "last_seen": _time(f.last_seen),
        "rule_version": f.rule_version,
    }


def _segmentation(a: Assessment) -> dict[str, object]:
    s = a.segmentation
    return {
        "medical_placed": s.medical_placed,
        "medical_mixed": s.medical_mixed,
        "segments": [
            {
                "name": segment.name,
                "vlans": list(segment.vlans),
                "classes": {kind.value: n for kind, n in zip(DeviceClass, segment.classes, strict=True) if n},
                "medical": segment.medical,
                "mixed": segment.mixed,
            }
            for segment in s.segments
        ],
        "conversations": [
            {"from": client, "to": server, "flows": flows, "applications": list(applications)}
            for (client, server), (flows, applications) in s.talk.items()
        ],
    }


def _policy(p: Policy) -> dict[str, object]:
    return {
        "id": p.id,
        "subject_kind": p.subject_kind,
        "subject": p.subject,
        "title": p.title,
        "state": p.state.value,
        "version": p.version,
        "observed": {"from": _time(p.observed_from), "to": _time(p.observed_to)},
        "devices": list(p.devices),
        "notes": list(p.notes),
        "rules": [
            {
                "direction": r.direction.value,
                "peer": {"kind": r.peer.kind, "value": r.peer.value, "label": r.peer.label},
                "transport": r.transport,
                "port": r.port,
                "port_to": r.port_to,
                "application": r.application,
                "flows": r.flows,
                "bytes": r.bytes,
                "first_seen": _time(r.first_seen),
                "last_seen": _time(r.last_seen),
                "devices": r.devices,
                "reason": r.reason,
            }
            for r in p.rules
        ],
    }
