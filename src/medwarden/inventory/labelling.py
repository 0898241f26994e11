"""From evidence to identity: labelling functions vote, each level is decided or abstains.

What a device declares outranks what its network stack looks like, which outranks whose interface it
has. The levels form a hierarchy: where the category stays open, votes for different categories of one
class still add up to the class. Every verdict carries its ballots and the runner-up.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import msgspec

from medwarden.inventory.ballots import MODEL_RULE, ballot_key, decide, is_kind_of, lineage
from medwarden.inventory.company import Company, Member, member_by
from medwarden.inventory.declared import (
    carries_patient_data,
    heard_fields,
    names_of,
    subnet_of,
)
from medwarden.inventory.imaging import medical_name
from medwarden.inventory.imposters import doubted
from medwarden.inventory.labels.example import LEARNT
from medwarden.inventory.labels.in_use import model_in_use
from medwarden.inventory.labels.joint import as_often_right, voted
from medwarden.inventory.management import managed_verdict
from medwarden.inventory.places import place_of
from medwarden.inventory.plan import Plan
from medwarden.inventory.stated import stated_ballots
from medwarden.inventory.votes import PREFIX_RULE, own_device, rule_votes
from medwarden.inventory.votes import derived_facts as derived_facts
from medwarden.kernel.ids import stable_id
from medwarden.knowledge.dicom import dicom_knowledge
from medwarden.knowledge.fingerprints.rules import LEVELS, TRUST, fingerprints, generation
from medwarden.knowledge.makers import known_maker
from medwarden.knowledge.taxonomy import class_of
from medwarden.model.device import Ballot, Device, DeviceClass, Verdict

_CODE_VERSION = "10"


def labelling_version() -> str:
    """Return the version of what labels come from: code, packaged knowledge, own rules and the model."""
    model = model_in_use()
    return _version(generation(), model.digest if model else "")


@lru_cache(maxsize=1)
def _version(_generation: int, model: str) -> str:
    rules = msgspec.json.encode((fingerprints(), dicom_knowledge()), order="sorted").decode()
    return f"labels-{_CODE_VERSION}-{stable_id('k', rules, model)[2:10]}"


def _implied(ballots: list[Ballot]) -> Iterator[Ballot]:
    """Yield the class that each vote for a category implies."""
    for ballot in ballots:
        if ballot.level == "category" and not ballot.rule.startswith(MODEL_RULE):
            implied = class_of(ballot.label)
            if implied is not DeviceClass.UNKNOWN:
                yield msgspec.structs.replace(ballot, level="class", label=implied.value)


def _verdicts(ballots: list[Ballot]) -> dict[str, Verdict]:
    by_level: dict[str, list[Ballot]] = {level: [] for level in LEVELS}
    for ballot in [*ballots, *_implied(ballots)]:
        by_level[ballot.level].append(ballot)
    by_level["model"] = _as_read(by_level["model"])
    verdicts = {"class": decide("class", by_level["class"])}
    if verdicts["class"].label == DeviceClass.IOMT:
        by_level["vendor"] = [
            msgspec.structs.replace(b, label=medical_name(b.label)) for b in by_level["vendor"]
        ]
    by_level["vendor"] = _without_hosts(by_level["vendor"], verdicts["class"].label)
    for level in LEVELS:
        if level not in ("class", "os_version"):
            verdicts[level] = decide(level, by_level[level])
    if verdicts["category"].label == "server":
        said = [b for b in by_level["vendor"] if not b.rule.startswith(MODEL_RULE)]
        if not said and (made := list(_machine_makers(ballots))):
            # No trained model can hear who made the hardware beneath a virtual machine.
            verdicts["vendor"] = decide("vendor", made)
    system = verdicts["os"].label
    kin = [] if system is None else [system, *lineage(system)]
    of_others = {b.rule for b in by_level["os"]} - {b.rule for b in by_level["os"] if b.label in kin}
    fitting = [b for b in by_level["os_version"] if b.rule not in of_others]
    verdicts["os_version"] = decide("os_version", fitting if system is not None else [])
    model = model_in_use()
    learnt = model.about.joint if model is not None else {}
    for level in LEARNT:
        if voted(verdicts[level]):
            verdicts[level] = as_often_right(verdicts[level], learnt)
    if _agreeing(verdicts):
        for level in LEARNT:
            if not voted(verdicts[level]):
                verdicts[level] = as_often_right(verdicts[level], learnt)
        _agreeing(verdicts)
    return verdicts


def _agreeing(verdicts: dict[str, Verdict]) -> bool:
    """Make class and category say the same, and tell whether they did by themselves."""
    kind = verdicts["category"]
    if kind.label is not None:
        # A category says its class, unless the class is something else with more certainty.
        implied = class_of(kind.label).value
        whole = verdicts["class"]
        if whole.label not in (None, implied) and whole.confidence > kind.confidence:
            verdicts["category"] = msgspec.structs.replace(kind, label=None)
            return False
        own = whole.confidence if whole.label == implied else 0.0
        verdicts["class"] = msgspec.structs.replace(
            whole, label=implied, confidence=max(own, kind.confidence)
        )
        return whole.label in (None, implied)
    return True


def _without_hosts(ballots: list[Ballot], device_class: str | None) -> list[Ballot]:
    """Return the votes for vendors with those of interfaces weakened where they name the computer inside.

    A computer of one maker in the scanner of another is the usual case, not a contradiction: what was
    said counts, and makers of office computers do not make medical devices, plant or switches.
    """
    no_host = device_class in _HOSTED
    said = {
        ballot_key("vendor", b.label)
        for b in ballots
        if b.rule != PREFIX_RULE and b.weight >= TRUST["likely"]
    }
    return [
        msgspec.structs.replace(b, weight=TRUST["faint"])
        if b.rule == PREFIX_RULE
        and (
            (said and ballot_key("vendor", b.label) not in said)
            or (no_host and (maker := known_maker(b.evidence_value)) is not None and maker.hosts)
        )
        else b
        for b in ballots
    ]


def _machine_makers(ballots: list[Ballot]) -> Iterator[Ballot]:
    """Yield a vote for the maker of the virtual machine that a server runs on, where it runs on one."""
    for ballot in ballots:
        if ballot.rule == "virtual-machine":
            maker = "Microsoft" if ballot.evidence_value.startswith("Microsoft") else ballot.evidence_value
            yield msgspec.structs.replace(ballot, level="vendor", label=maker, weight=TRUST["likely"])
            return


_HOSTED = frozenset({DeviceClass.IOMT.value, DeviceClass.OT.value, DeviceClass.NET.value})
"""Classes whose devices are built around computers and adapters of other makers."""

_RAW_MODELS = frozenset({"declared-model", "dicom-model"})
"""Rules that take a field word for word."""


def _as_read(ballots: list[Ballot]) -> list[Ballot]:
    """Return the votes without raw values that a fingerprint reads: it knows order numbers and prefixes."""
    read = {(b.evidence_field, b.evidence_value) for b in ballots if b.rule not in _RAW_MODELS}
    return [
        b for b in ballots if b.rule not in _RAW_MODELS or (b.evidence_field, b.evidence_value) not in read
    ]


_MANAGED = {"yes": True, "no": False}


def votes_on(device: Device, own: Device) -> list[Ballot]:
    """Return the votes of rules, with learnt trust, and those of the model in use.

    ``own`` is the device with its own words only.
    """
    model = model_in_use()
    votes = rule_votes(device, own)
    if model is not None:
        votes = [*model.trust.apply(votes), *model.judge(device, own)]
    return doubted(own, _one_system_only(_no_finer_kinds(_named_models_only(votes))))


def _no_finer_kinds(votes: list[Ballot]) -> list[Ballot]:
    """Return the votes with a trained model's for a finer kind counted for the kind that a rule says.

    A syringe pump and an infusion pump of one maker look alike from outside, and so do Windows and Windows
    Server: which one a model prefers is which one it met more often.
    """
    said: dict[str, list[str]] = {"category": [], "os": []}
    for vote in votes:
        if vote.level in said and not vote.rule.startswith(MODEL_RULE):
            said[vote.level].append(vote.label)
    found = []
    for vote in votes:
        heard = said.get(vote.level, []) if vote.rule.startswith(MODEL_RULE) else []
        if heard and vote.label not in heard:
            general = next((label for label in heard if _is_finer(vote, label)), vote.label)
            found.append(msgspec.structs.replace(vote, label=general))
        else:
            found.append(vote)
    return found


def _is_finer(vote: Ballot, label: str) -> bool:
    return label in lineage(vote.label) if vote.level == "os" else is_kind_of(vote.label, label)


def _one_system_only(votes: list[Ballot]) -> list[Ballot]:
    """Return the votes without a trained model's for a system where evidence names unrelated ones.

    What says that it is an iPhone and an Android speaks for others, as a proxy does. No device of the
    training is like that, so the model would only count once more what one of the others said.
    """
    named = {
        vote.label
        for vote in votes
        if vote.level == "os" and vote.weight >= TRUST["strong"] and not vote.rule.startswith(MODEL_RULE)
    }
    families = {([label, *lineage(label)])[-1] for label in named}
    if len(families) < 2:
        return votes
    return [vote for vote in votes if vote.level != "os" or not vote.rule.startswith(MODEL_RULE)]


def _named_models_only(votes: list[Ballot]) -> list[Ballot]:
    """Return the votes without models that only a trained model names.

    It knows the models it was trained on and takes the nearest of them for one it has never seen. So it may
    support the name of a model that the device or a fingerprint says, and never bring one in.
    """
    named = {
        ballot_key("model", vote.label)
        for vote in votes
        if vote.level == "model" and not vote.rule.startswith(MODEL_RULE)
    }
    return [
        vote
        for vote in votes
        if vote.level != "model"
        or not vote.rule.startswith(MODEL_RULE)
        or ballot_key("model", vote.label) in named
    ]


class Judged(msgspec.Struct, frozen=True):
    """A device with its verdicts, what others may conclude from it, and what company said of it for them.

    ``told`` is empty where nobody was asked.
    """

    device: Device
    member: Member
    told: tuple[Ballot, ...] = ()


def identify(device: Device, plan: Plan | None = None, company: Company | None = None) -> Device:
    """Return ``device`` with its verdicts and what follows from them, judged from its ledger and traffic.

    ``plan`` says which room its switch port, access point, station or subnet is in, ``company`` which devices
    use the same services: that counts for whatever is no computer or part of the network by its own words.
    """
    return judge(device, plan, company).device


def judge(device: Device, plan: Plan | None = None, company: Company | None = None) -> Judged:
    """Identify a device (:func:`identify`), and tell what its own evidence alone came to."""
    own = own_device(device)
    ballots = [*votes_on(device, own), *stated_ballots(device)]
    verdicts = _verdicts(ballots)
    member = member_by(_class_of(verdicts), verdicts["category"], verdicts["vendor"])
    told = tuple(company.votes(device)) if company is not None and member.asks else ()
    if told:
        ballots += doubted(own, list(told))
        verdicts = _verdicts(ballots)
    device_class = _class_of(verdicts)
    system = verdicts["os"].label
    heard = (ballot for ballot in ballots if ballot.level == "managed")
    verdicts["managed"] = managed_verdict(heard, own, device_class, system)
    place = place_of(own, plan)
    identified = msgspec.structs.replace(
        device,
        names=names_of(own),
        device_class=device_class,
        category=verdicts["category"].label,
        vendor=verdicts["vendor"].label,
        model=_without_vendor(verdicts["model"].label, verdicts["vendor"].label),
        os=system,
        os_version=verdicts["os_version"].label,
        firmware=verdicts["firmware"].label,
        serial=verdicts["serial"].label,
        managed=_MANAGED.get(verdicts["managed"].label or ""),
        location=None if place is None else place.label,
        place=place,
        subnet=subnet_of(device),
        phi=carries_patient_data(device),
        verdicts=tuple(verdicts[level] for level in LEVELS),
    )
    return Judged(identified, member, told)


def _class_of(verdicts: dict[str, Verdict]) -> DeviceClass:
    return DeviceClass(verdicts["class"].label or DeviceClass.UNKNOWN)


def _without_vendor(model: str | None, vendor: str | None) -> str | None:
    """Return a model without the vendor's name before it: people read both side by side."""
    if model is None or vendor is None or not model.lower().startswith(vendor.lower()):
        return model
    rest = model[len(vendor) :].lstrip(" -_,")
    return rest or model


_HELPFUL = (
    (
        "class",
        ("dhcp", "mdns", "ssdp", "lldp"),
        "a DHCP request of the device (the sensor must see its VLAN)",
    ),
    (
        "category",
        ("dicom", "hl7", "http", "snmp", "upnp"),
        "its clinical traffic, its web page or an SNMP description",
    ),
    ("vendor", ("upnp", "snmp", "dicom", "sdc", "wsd"), "a manufacturer field (UPnP, SNMP, DICOM or SDC)"),
    ("model", ("upnp", "snmp", "dicom", "sdc", "lldp"), "a model field (UPnP, SNMP, DICOM, SDC or LLDP)"),
    (
        "os",
        ("smb", "ntlmssp", "ssh", "http", "dhcp"),
        "a log-in (SMB, SSH), a user agent or a DHCP vendor class",
    ),
    (
        "serial",
        ("snmp", "upnp", "dicom", "sdc"),
        "a serial number field (SNMP ENTITY-MIB, UPnP, DICOM or SDC)",
    ),
)


def what_is_missing(device: Device) -> tuple[str, ...]:
    """Return in words which evidence would settle the levels that stayed open, most general first."""
    heard = heard_fields(device.ledger)
    missing = []
    if not device.macs:
        missing.append(
            "address: its MAC address, from a sensor on its own network segment or a DHCP or ARP log"
        )
    for level, protocols, words in _HELPFUL:
        verdict = device.verdict(level)
        if verdict is not None and verdict.label is None:
            seen = [protocol for protocol in protocols if protocol in heard]
            beyond = f" beyond what {', '.join(seen)} said" if seen else ""
            missing.append(f"{level}: {words}{beyond}")
    return tuple(missing)
