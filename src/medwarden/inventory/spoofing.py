"""A stack that contradicts the identity: somebody else may speak under a device's hardware address.

An interface that was known as one thing for a while and then speaks as another is a finding, unless it
has an explanation that hospitals see every week: a computer that boots two systems or hosts virtual
machines, a network boot, an update within a family, a gateway that others speak through, an adapter that
moves between laptops, an address that DHCP gave to somebody else. What cannot be told from these by
what was heard is not called spoofing; so a computer that poses as a computer is out of reach here.

Contradictions add up: no single one suffices, and they must come from two protocols at least.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from medwarden.inventory.ballots import MODEL_RULE, lineage
from medwarden.inventory.identifiers import SERIAL, short_name
from medwarden.inventory.spoken_for import own_words
from medwarden.inventory.votes import PREFIX_RULE
from medwarden.kernel.ids import stable_id
from medwarden.knowledge.fingerprints.rules import TRUST
from medwarden.knowledge.taxonomy import class_of
from medwarden.model.device import Ballot, Device, DeviceClass
from medwarden.model.evidence import LedgerEntry
from medwarden.model.finding import Finding, FindingEvidence, FindingKind, Severity

RULES = "spoofing-1"
TYPE = "identity_contradiction"

ESTABLISHED_NS = 30 * 60 * 1_000_000_000
"""How long a device must have been known as what it was before something can contradict it."""
ENOUGH = 4.0
"""Sum of contradictions from which a finding is raised."""
FEWEST_PROTOCOLS = 2

_SYSTEM, _MAKER, _CLASS, _SERIAL, _STACK, _NAME = 3.0, 3.0, 2.0, 2.0, 1.5, 1.0
_DHCP_FIELDS = ("dhcp.parameter_request_list", "dhcp.vendor_class", "dhcpv6.option_request")
_TCP_FIELD = "tcp.stack"  # hop limit, window, segment size, options
_NAME_FIELDS = ("dhcp.host_name", "dhcp.fqdn", "ntlmssp.workstation", "kerberos.host", "nbns.name")
_ASKED = "dhcp.parameter_request_list"
_BOOTING = ("PXEClient", "HTTPClient", "U-Boot", "iPXE", "anaconda", "d-i", "udhcp-initramfs")
"""How a machine calls itself in DHCP before its system runs."""
_DESKTOPS = frozenset({"windows", "macos"})
_WITHOUT_DESKTOP = frozenset(
    {
        *("infusion_pump", "syringe_pump", "pca_pump", "enteral_pump", "insulin_pump"),
        *("pulse_oximeter", "wearable_patch", "smart_bed", "smart_scale", "clinical_comm_badge"),
        *("ip_camera", "voip_phone", "label_printer", "wifi_ap", "ups", "plc", "badge_reader"),
        *("env_sensor", "smart_lighting", "smart_plug", "iot_sensor", "power_meter"),
    }
)
"""Categories whose devices are built without a desktop system: no update gives them one."""
_MOST_SHOWN = 6
_DIGITS = re.compile(r"[0-9.]+")


class Contradiction(msgspec.Struct, frozen=True):
    """One way in which later facts contradict earlier ones; ``before`` and ``after`` are the facts."""

    said: str
    weight: float
    before: tuple[LedgerEntry, ...]
    after: tuple[LedgerEntry, ...]


class Spoof(msgspec.Struct, frozen=True):
    """That from ``at_ns`` on a device speaks as something else."""

    device: str
    at_ns: int
    contradictions: tuple[Contradiction, ...]

    @property
    def weight(self) -> float:
        """Return the sum of what contradicts."""
        return sum(each.weight for each in self.contradictions)


class _Said(msgspec.Struct, frozen=True):
    """A fact with the label it votes for."""

    label: str
    weight: float
    entry: LedgerEntry


def contradicted(
    device: Device, *, gateway: bool = False, identities: int = 1, settled_ns: int = 0
) -> Spoof | None:
    """Return how what a device says now contradicts what it was, or None where it does not.

    ``device`` needs its verdicts with ballots and its ledger. ``gateway``: it forwards for others;
    ``identities``: of how many interfaces it is made, since each may speak for itself. What began before
    ``settled_ns`` is the device's own, because somebody looked and closed the finding.
    """
    if settled_ns:
        device = msgspec.structs.replace(device, first_seen=settled_ns + 1 - ESTABLISHED_NS)
    if gateway or identities > 1 or not device.macs:
        return None
    ledger = [e for e in own_words(device.ledger) if not _booting(e)]
    if not ledger or max(e.first_seen for e in ledger) < device.first_seen + ESTABLISHED_NS:
        return None
    voted = _votes(device, ledger)
    known = _known_classes(device, voted)
    if not known or max(known, key=lambda label: known[label]) == DeviceClass.IT.value:
        return None  # never known as anything, or a computer, on which systems come and go
    found = [
        *_labels(device, voted),
        *_classes(device, voted, set(known)),
        *_desktop(device, voted),
        *_serials(device, ledger),
        *_stack(device, ledger),
        *_names(device, ledger),
    ]
    if not found:
        return None
    protocols = {entry.field.partition(".")[0] for each in found for entry in each.after}
    spoof = Spoof(device.id, min(e.first_seen for each in found for e in each.after), tuple(found))
    if spoof.weight < ENOUGH or len(protocols) < FEWEST_PROTOCOLS:
        return None
    return spoof


def _booting(entry: LedgerEntry) -> bool:
    return entry.field in ("dhcp.vendor_class", "dhcp.user_class") and entry.value.startswith(_BOOTING)


def _early(device: Device, entry: LedgerEntry) -> bool:
    return entry.first_seen < device.first_seen + ESTABLISHED_NS


def _votes(device: Device, ledger: Iterable[LedgerEntry]) -> dict[str, list[_Said]]:
    """Return the votes of what was heard, by level; those of the hardware address and of models left out."""
    entries: dict[tuple[str, str], LedgerEntry] = {}
    for entry in ledger:
        known = entries.get((entry.field, entry.value))
        if known is None or entry.first_seen < known.first_seen:
            last = entry.last_seen if known is None else max(entry.last_seen, known.last_seen)
            entries[entry.field, entry.value] = msgspec.structs.replace(entry, last_seen=last)
    voted: dict[str, list[_Said]] = {}
    for ballot in _ballots(device):
        heard = entries.get((ballot.evidence_field, ballot.evidence_value))
        if heard is not None and ballot.rule != PREFIX_RULE:
            level = "class" if ballot.level == "category" else ballot.level
            voted.setdefault(level, []).append(_Said(_family(ballot), ballot.weight, heard))
            if ballot.level == "category":
                voted.setdefault("kind", []).append(_Said(ballot.label, ballot.weight, heard))
    return voted


def _ballots(device: Device) -> Iterable[Ballot]:
    for verdict in device.verdicts:
        for ballot in verdict.ballots:
            if ballot.weight >= TRUST["likely"] and not ballot.rule.startswith(MODEL_RULE):
                yield ballot


def _family(ballot: Ballot) -> str:
    """Return what may not change: of a system its oldest ancestor, of a category its class."""
    if ballot.level == "os":
        return [ballot.label, *lineage(ballot.label)][-1].casefold()
    if ballot.level == "category":
        return class_of(ballot.label).value
    return ballot.label if ballot.level == "class" else ballot.label.casefold()


def _known_classes(device: Device, voted: dict[str, list[_Said]]) -> dict[str, float]:
    """Return what the device was at first, by weight; what its hardware address says holds at any time."""
    known: dict[str, float] = {}
    for ballot in _ballots(device):
        if ballot.rule == PREFIX_RULE and ballot.level in ("class", "category"):
            label = _family(ballot)
            known[label] = max(known.get(label, 0.0), ballot.weight)
    for vote in voted.get("class", ()):
        if _early(device, vote.entry):
            known[vote.label] = known.get(vote.label, 0.0) + vote.weight
    return known


def _classes(device: Device, voted: dict[str, list[_Said]], known: set[str]) -> Iterable[Contradiction]:
    late = [v for v in voted.get("class", ()) if v.label not in known and not _early(device, v.entry)]
    if late:
        labels = ", ".join(sorted({v.label for v in late}))
        before = tuple(v.entry for v in voted.get("class", ()) if _early(device, v.entry))
        said = f"it was {', '.join(sorted(known))} equipment and behaves as {labels}"
        yield Contradiction(said, _CLASS, before, tuple(v.entry for v in late))


def _labels(device: Device, voted: dict[str, list[_Said]]) -> Iterable[Contradiction]:
    """Yield levels at which facts that began late say what no early fact says, and the other way round."""
    for level, weight, words in (
        ("os", _SYSTEM, "its operating system"),
        ("vendor", _MAKER, "its maker"),
    ):
        early = [v for v in voted.get(level, ()) if _early(device, v.entry)]
        known = {v.label for v in early}
        late = [v for v in voted.get(level, ()) if v.label not in known and not _early(device, v.entry)]
        if level == "vendor":
            late = [v for v in late if v.weight >= TRUST["strong"] and not _kin(v.label, known)]
        if not early or not late:
            continue
        labels = sorted({v.label for v in late})
        protocols = {v.entry.field.partition(".")[0] for v in late}
        yield Contradiction(
            f"{words} was {', '.join(sorted(known))} and is now {', '.join(labels)}",
            weight + min(len(protocols) - 1, 2) * 0.5,
            tuple(v.entry for v in early),
            tuple(v.entry for v in late),
        )


def _desktop(device: Device, voted: dict[str, list[_Said]]) -> Iterable[Contradiction]:
    """Yield that a device whose kind has no desktop system, and that showed none, speaks as one."""
    systems = voted.get("os", ())
    kinds = [v for v in voted.get("kind", ()) if _early(device, v.entry)]
    if not kinds or any(v.label not in _WITHOUT_DESKTOP for v in kinds):
        return
    late = [v for v in systems if v.label in _DESKTOPS and not _early(device, v.entry)]
    if len({v.entry.field.partition(".")[0] for v in late}) < FEWEST_PROTOCOLS:
        return
    if any(_early(device, v.entry) for v in systems):
        return  # then its systems contradict each other, which is counted, or they do not
    said = f"a device of its kind ({kinds[0].label}) runs no {late[0].label}"
    yield Contradiction(said, _SYSTEM, tuple(v.entry for v in kinds), tuple(v.entry for v in late))


def _kin(maker: str, known: Iterable[str]) -> bool:
    """Tell whether two names are of one maker, long and short."""
    return any(maker in other or other in maker for other in known)


def _serials(device: Device, ledger: Sequence[LedgerEntry]) -> Iterable[Contradiction]:
    by_field: dict[str, list[LedgerEntry]] = {}
    for entry in ledger:
        if entry.field.endswith(("serial_number", "_serial", ".serial")) and ".source_" not in entry.field:
            by_field.setdefault(entry.field, []).append(entry)
    for field, entries in sorted(by_field.items()):
        swap = _swap(device, entries)
        if swap is not None:
            yield Contradiction(f"its {SERIAL} changed ({field})", _SERIAL, *swap)


def _stack(device: Device, ledger: Sequence[LedgerEntry]) -> Iterable[Contradiction]:
    """Yield at most one contradiction of DHCP, whose fields change together, and one of TCP."""
    before: list[LedgerEntry] = []
    after: list[LedgerEntry] = []
    for field in _DHCP_FIELDS:
        swap = _swap(device, [e for e in ledger if e.field == field])
        if swap is not None:
            before += swap[0]
            after += swap[1]
    if after:
        yield Contradiction("it asks for an address in another way", _STACK, tuple(before), tuple(after))
    swap = _swap(device, [e for e in ledger if e.field == _TCP_FIELD])
    if swap is not None:
        yield Contradiction("it opens connections in another way", _STACK, *swap)


def _names(device: Device, ledger: Sequence[LedgerEntry]) -> Iterable[Contradiction]:
    entries = [e for e in ledger if e.field in _NAME_FIELDS]
    before = tuple(e for e in entries if _early(device, e))
    early = {short_name(e.value) for e in before}
    late = tuple(e for e in entries if not _early(device, e) and short_name(e.value) not in early)
    asked = tuple(e for e in ledger if e.field == _ASKED and _early(device, e))
    if late and before:
        yield Contradiction("it calls itself by another name", _NAME, before, late)
    elif late and asked:
        yield Contradiction("it gave no name and now has one", _NAME, asked, late)


def _manner(entry: LedgerEntry) -> str:
    """Return what of a value belongs to the stack: not versions, windows and segment sizes."""
    if entry.field == _TCP_FIELD:
        hops, _, rest = entry.value.partition(":")
        return f"{hops}:{rest.rpartition(':')[2]}"
    return _DIGITS.sub("", entry.value) if entry.field == "dhcp.vendor_class" else entry.value


def _swap(
    device: Device, entries: Sequence[LedgerEntry]
) -> tuple[tuple[LedgerEntry, ...], tuple[LedgerEntry, ...]] | None:
    """Return the early values of one field and the late ones that came in their place."""
    early = [e for e in entries if _early(device, e)]
    manners = {_manner(e) for e in early}
    late = [e for e in entries if not _early(device, e) and _manner(e) not in manners]
    if not early or not late:
        return None
    begun = min(e.first_seen for e in late)
    # Who says both by turns has two ways of asking, as with a boot loader and a system.
    if any(e.last_seen > begun for e in early):
        return None
    return tuple(early), tuple(late)


def spoofing_finding(device: Device, spoof: Spoof) -> Finding:
    """Return the finding about a contradicted identity, with the facts of both sides."""
    words = "; ".join(each.said for each in spoof.contradictions)
    evidence: dict[tuple[str, str], FindingEvidence] = {}
    for each in spoof.contradictions:
        for entry in (*each.before[:_MOST_SHOWN], *each.after[:_MOST_SHOWN]):
            evidence.setdefault(
                (entry.field, entry.value),
                FindingEvidence(entry.field, entry.value, entry.first_seen, entry.last_seen, entry.count),
            )
    return Finding(
        id=stable_id("f", device.site, device.id, TYPE, str(spoof.at_ns)),
        kind=FindingKind.THREAT,
        type=TYPE,
        severity=Severity.HIGH,
        device=device.id,
        title=f"Something else speaks under the hardware address of this device: {device.label}",
        detail=f"Under the same interface {words}. Updates, network boot, virtual machines, docks and "
        "forwarding do not explain it.",
        fix="Go to the switch port or access point where the address is heard now; look what is connected. "
        "If the device was replaced or reinstalled, say so and close this finding; if not, shut the port.",
        evidence=tuple(sorted(evidence.values(), key=lambda e: (e.first_seen, e.field, e.value))),
        mitre=("T1036", "T0848"),
        first_seen=spoof.at_ns,
        last_seen=max(e.last_seen for each in spoof.contradictions for e in each.after),
        rule_version=RULES,
    )
