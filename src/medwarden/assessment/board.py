"""Page one: five sentences and five actions, made from the data and ordered by the risk removed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from medwarden.assessment.result import (
    Action,
    DataPath,
    Gap,
    InternetUse,
    Inventory,
    RiskPicture,
    Segmentation,
)
from medwarden.assessment.words import duration, is_medical, listed, percent, quantity
from medwarden.model.device import Device
from medwarden.model.finding import Finding
from medwarden.model.risk import RiskLevel, RiskScore

ACTIONS = 5

Without = Callable[[RiskScore, Iterable[str]], RiskScore]
"""Returns what a score would be without the factors of those ids."""

_DO: dict[str, str] = {
    "cleartext_dicom_phi": "Encrypt DICOM",
    "cleartext_dicom": "Encrypt DICOM",
    "cleartext_hl7_phi": "Encrypt HL7",
    "cleartext_hl7": "Encrypt HL7",
    "cleartext_sdc_phi": "Encrypt SDC",
    "cleartext_web_phi": "Serve FHIR and DICOMweb over HTTPS",
    "cleartext_bedside_phi": "Separate laboratory and bedside links",
    "clinical_login": "Protect laboratory and paging log-ins",
    "telnet_server": "Replace telnet by SSH",
    "telnet_client": "Replace telnet by SSH",
    "weak_rdp": "Require network level authentication for remote desktop",
    "smbv1": "Remove SMB version 1",
    "smb_unsigned": "Require SMB signing",
    "legacy_names": "Switch off LLMNR and NetBIOS names",
    "old_tls": "Withdraw old TLS versions and ciphers",
    "weak_tls_cipher": "Withdraw old TLS versions and ciphers",
    "certificate_expired": "Replace expired and self-signed certificates",
    "certificate_self_signed": "Replace expired and self-signed certificates",
    "snmp_default_community": "Replace SNMP communities by SNMP version 3",
    "snmp_v1_v2c": "Replace SNMP communities by SNMP version 3",
    "ftp_login": "Replace FTP with clear-text passwords",
    "http_login": "Put web log-ins behind HTTPS",
    "ldap_simple_bind": "Protect directory log-ins",
    "mqtt_login": "Protect MQTT log-ins",
    "default_ae_title": "Replace factory AE titles",
    "default_name": "Name and take over devices with factory names",
    "inbound_internet": "Close access from the internet",
    "internet_cleartext": "Stop clear-text traffic to the internet",
    "many_internet_peers": "Restrict internet access of medical devices",
    "remote_access_service": "Close or broker remote access services",
    "mixed_subnet": "Move medical devices to segments of their own",
    "unsupported_os": "Isolate and replace systems without updates",
    "unknown_identity": "Find and name unidentified devices",
}
"""What to do per type of finding; types with the same words are one action."""


def actions_of(
    devices: Sequence[Device],
    scores: Mapping[str, RiskScore],
    findings: Sequence[Finding],
    without: Without | None = None,
) -> tuple[Action, ...]:
    """Return what to do, most risk removed first.

    Risk removed is the drop of all scores once the factors are gone, by ``without``; lacking that, the
    points of the factors alone, without what they carry over to the impact.
    """
    by_id = {d.id: d for d in devices}
    groups: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        if finding.device in by_id:
            groups[_DO.get(finding.type, finding.type)].append(finding)
    actions = []
    for words, group in groups.items():
        types = tuple(sorted({f.type for f in group}))
        concerned = sorted({f.device for f in group}, key=lambda d: (-_score(scores, d), by_id[d].label))
        removed = sum(_drop(scores[d], types, without) for d in concerned if d in scores)
        gravest = max(group, key=lambda f: (f.severity.rank, f.id))
        title = words if words in _DO.values() else gravest.title
        medical = sum(1 for d in concerned if is_medical(by_id[d]))
        who = listed(by_id[d].label for d in concerned)
        actions.append(
            Action(
                title=f"{title}: {quantity(len(concerned), 'device')}",
                why=f"{who}; {quantity(medical, 'medical device')}." if medical else f"{who}.",
                fix=gravest.fix,
                devices=len(concerned),
                points=removed,
                types=types,
            )
        )
    return tuple(sorted(actions, key=lambda a: (-a.points, -a.devices, a.title)))


def _score(scores: Mapping[str, RiskScore], device: str) -> int:
    return scores[device].score if device in scores else 0


def _drop(score: RiskScore, factors: Sequence[str], without: Without | None) -> int:
    if without is not None:
        return score.score - without(score, factors).score
    return sum(f.points for f in score.factors if f.id in factors)


def sentences_of(
    devices: Sequence[Device],
    span: int,
    inventory: Inventory,
    risk: RiskPicture,
    paths: Sequence[DataPath],
    segmentation: Segmentation,
    internet: Sequence[InternetUse],
    gaps: Sequence[Gap],
) -> tuple[str, ...]:
    """Return five sentences: who is there, risk, patient data, separation, and what is not known."""
    return (
        _who(devices, span, inventory),
        _danger(risk),
        _data(paths),
        _separation(segmentation, internet),
        _unknown(gaps),
    )


def _who(devices: Sequence[Device], span: int, inventory: Inventory) -> str:
    if not devices:
        return "No device was seen: the inputs held no traffic that could be read."
    share = inventory.identified / inventory.total
    return (
        f"In {duration(span)} of traffic {quantity(inventory.total, 'device')} "
        f"{'was' if inventory.total == 1 else 'were'} seen, {inventory.medical:,} of them medical; "
        f"{percent(share)} are identified by class, category and maker."
    )


def _danger(risk: RiskPicture) -> str:
    critical, high = risk.by_level[RiskLevel.CRITICAL], risk.by_level[RiskLevel.HIGH]
    if not risk.top:
        return "No reason for risk was found in what could be seen."
    worst = risk.top[0]
    reasons = [
        _within_sentence(f.title)
        for f in worst.score.factors
        if f.points > 0 and f.group not in ("impact", "control")
    ]
    grave = (
        f"{_number(critical)} at critical and {high:,} at high risk"
        if critical or high
        else "No device is at high or critical risk"
    )
    return (
        f"{grave}; the highest, {worst.device.label} ({worst.what}), scores {worst.score.score} of "
        "100, mostly "
        f"for {listed(reasons[:2])}."
    )


def _number(devices: int) -> str:
    """Return a number of devices with its verb: ``No device is``, ``1 device is``, ``3 devices are``."""
    return (
        "No device is" if not devices else f"{quantity(devices, 'device')} {'is' if devices == 1 else 'are'}"
    )


def _data(paths: Sequence[DataPath]) -> str:
    if not paths:
        return (
            "No patient data in clear text was seen; encrypted connections and segments without a sensor "
            "may hide some."
        )
    senders = {p.sender.id for p in paths}
    receivers = {p.receiver for p in paths if p.scope != "unknown"}
    outside = any(p.scope == "internet" for p in paths)
    return (
        f"Patient data crosses the network unencrypted from {quantity(len(senders), 'device')} to "
        f"{quantity(len(receivers), 'receiver')} by {listed(sorted({p.protocol for p in paths}))}"
        f"{', some of it to the internet' if outside else ''}: anybody on the path can read it."
    )


def _separation(segmentation: Segmentation, internet: Sequence[InternetUse]) -> str:
    inbound = len({u.device.id for u in internet if u.inbound})
    reached = (
        f"{_number(inbound)} reached from the internet"
        if inbound
        else "no device was seen to be reached from the internet"
    )
    placed, mixed = segmentation.medical_placed, segmentation.medical_mixed
    if not placed:
        return f"The segments of medical devices are not known, and {reached}."
    if not mixed:
        return (
            "No medical device was seen to share a network segment with office computers or other "
            "IoT devices, "
            f"and {reached}."
        )
    return (
        f"{mixed:,} of {quantity(placed, 'medical device')} {'shares' if mixed == 1 else 'share'} a "
        "network segment "
        f"with office computers or other IoT devices, and {reached}."
    )


def _unknown(gaps: Sequence[Gap]) -> str:
    unseen = [_within_sentence(g.topic) for g in gaps if g.state != "seen"]
    if not unseen:
        return "Nothing that the sensors are expected to show was missing; what stays silent stays unknown."
    return f"Not or only partly visible: {listed(unseen, 4)}; risk there is unknown, not absent."


def _within_sentence(title: str) -> str:
    """Return a title as it reads inside a sentence; abbreviations keep their capitals."""
    return title[0].lower() + title[1:] if title[1:2].islower() else title
