"""How likely a device stores or transmits patient data, and data of others, from what it was heard to do.

Three questions are answered apart, because a leak and a theft are different things: whether patient data
pass over the network from or to the device, whether they rest on it, and whether it handles data of other
persons (staff, visitors). Each answer is a probability with its reasons; a reason is a piece of evidence
with the share of devices with it for which it holds. What was seen is certain; what follows from a role or
a kind of device is a judgement (taxonomy). Probabilities combine as independent reasons do (noisy or).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from medwarden.knowledge.taxonomy import categories
from medwarden.model.device import Device
from medwarden.model.mds2 import Disclosure

CERTAIN, STRONG, LIKELY, HINT = 0.99, 0.9, 0.7, 0.4


class Reason(msgspec.Struct, frozen=True):
    """One thing that speaks for it: words, and the evidence they rest on."""

    words: str
    field: str
    value: str
    probability: float


class Likelihood(msgspec.Struct, frozen=True):
    """A probability with its reasons, strongest first; ``seen``: patient data themselves were recognised."""

    probability: float
    seen: bool
    reasons: tuple[Reason, ...]

    @property
    def word(self) -> str:
        """Return the probability in a word: seen, likely, possible or no sign."""
        if self.seen:
            return "seen"
        return (
            "likely" if self.probability >= LIKELY else "possible" if self.probability >= HINT else "no sign"
        )


class PatientData(msgspec.Struct, frozen=True):
    """Whether a device transmits and stores patient data, and handles data of other persons.

    ``in_clear`` tells whether patient data were read on the wire, that is without encryption.
    """

    transmits: Likelihood
    stores: Likelihood
    personal: Likelihood
    in_clear: bool


_STORING_ROLES = {
    "storage_scp": (CERTAIN, "receives DICOM images"),
    "query_scp": (CERTAIN, "answers queries for studies"),
    "move_scp": (CERTAIN, "sends studies on request"),
    "get_scp": (CERTAIN, "hands out studies"),
    "worklist_scp": (CERTAIN, "answers with patients of the worklist"),
    "mpps_scp": (STRONG, "receives performed procedures"),
    "storage_commitment_scp": (STRONG, "commits to keep studies"),
}
_SENDING_ROLES = {
    "storage_scu": (CERTAIN, "sends DICOM images"),
    "worklist_scu": (STRONG, "asks for patients of the worklist"),
    "query_scu": (STRONG, "asks for studies"),
    "move_scu": (STRONG, "has studies sent"),
    "get_scu": (STRONG, "fetches studies"),
    "mpps_scu": (STRONG, "reports performed procedures"),
}
_SEEN = ".patient_data"
_CLINICAL = {
    "hl7.message_type": (LIKELY, "speaks HL7"),
    "fhir.resource": (LIKELY, "speaks FHIR"),
    "astm.role": (LIKELY, "sends or receives results of a laboratory"),
    "poct1a.role": (LIKELY, "speaks POCT1-A"),
    "dicomweb.role": (STRONG, "speaks DICOMweb"),
    "ecg.format": (STRONG, "sends electrocardiograms"),
    "intellivue.role": (LIKELY, "sends or receives a monitor's parameters"),
    "sdc.mds_type": (HINT, "speaks SDC"),
}
_KINDS = {"high": STRONG, "medium": HINT}
_STORES_BY_KIND = frozenset(
    {"pacs", "vna", "ehr_server", "lis", "mwl_ris", "interface_engine", "device_gateway", "central_station"}
)
_DISCLOSED_SENDING = (
    ("phi_on_network", "sends patient data over the network", STRONG),
    ("phi_exchanged", "exchanges patient data with other systems", LIKELY),
    ("phi_handled", "handles patient data", HINT),
)
_DISCLOSED_KEEPING = (
    ("phi_kept", "keeps patient data", STRONG),
    ("phi_handled", "handles patient data", HINT),
)
_PERSONAL = {
    "badge_reader": (STRONG, "reads badges of staff"),
    "time_clock": (STRONG, "records working times"),
    "ip_camera": (LIKELY, "films people"),
    "nvr": (STRONG, "keeps recordings of people"),
    "voip_phone": (LIKELY, "carries calls"),
    "domain_controller": (CERTAIN, "keeps accounts of staff"),
    "smartphone": (LIKELY, "is somebody's own"),
    "rtls": (LIKELY, "follows where people are"),
    "clinical_comm_badge": (LIKELY, "carries calls of staff"),
    "payment_terminal": (STRONG, "takes payments"),
    "kiosk": (LIKELY, "is used by visitors"),
}


def patient_data(device: Device, disclosed: Disclosure | None = None) -> PatientData:
    """Return the likelihoods for a device that was identified before.

    ``disclosed`` is what its maker says (MDS2). A yes of the maker is a strong reason. A no takes weight from
    what is judged by the kind of device alone, never from what was heard.
    """
    seen = [entry for entry in device.ledger if entry.field.endswith(_SEEN) and entry.value == "yes"]
    return PatientData(
        transmits=_likelihood(
            _as_disclosed(_transmitting(device), disclosed, _DISCLOSED_SENDING),
            seen=bool(seen) or device.phi is True,
        ),
        stores=_likelihood(_as_disclosed(_storing(device), disclosed, _DISCLOSED_KEEPING), seen=False),
        personal=_likelihood(_of_persons(device), seen=False),
        in_clear=bool(seen),
    )


def _as_disclosed(
    reasons: Iterator[Reason], disclosed: Disclosure | None, claims: tuple[tuple[str, str, float], ...]
) -> Iterator[Reason]:
    """Yield reasons with what the maker says; its first claim that is a yes or no counts."""
    claim = next(
        (
            c
            for name, _, _ in claims
            if disclosed and (c := disclosed.claims.get(name)) and c.holds is not None
        ),
        None,
    )
    for reason in reasons:
        denied = claim is not None and claim.holds is False and reason.field == "category"
        yield _weaker(_weaker(_weaker(reason))) if denied else reason
    if claim is not None and claim.holds:
        words, probability = next((w, p) for name, w, p in claims if name == claim.name)
        yield Reason(
            f"{words}, by its maker's form", f"mds2.{claim.question}", claim.written[:80], probability
        )


def _transmitting(device: Device) -> Iterator[Reason]:
    found: set[str] = set()
    for entry in device.ledger:
        if entry.field.endswith(_SEEN) and entry.value == "yes":
            yield Reason("patient data were recognised in what it sent", entry.field, entry.value, CERTAIN)
        elif entry.field == "dicom.role" and entry.value in (known := _SENDING_ROLES | _STORING_ROLES):
            probability, words = known[entry.value]
            yield Reason(words, entry.field, entry.value, probability)
        elif entry.field in _CLINICAL and entry.field not in found:
            found.add(entry.field)
            probability, words = _CLINICAL[entry.field]
            yield Reason(words, entry.field, entry.value, probability)
    yield from _by_kind(device, "devices of this kind handle patient data")


def _storing(device: Device) -> Iterator[Reason]:
    for entry in device.ledger:
        if entry.field == "dicom.role" and entry.value in _STORING_ROLES:
            probability, words = _STORING_ROLES[entry.value]
            yield Reason(words, entry.field, entry.value, probability)
        elif entry.field == "dicom.role" and entry.value == "storage_scu":
            yield Reason("holds the images it sends", entry.field, entry.value, STRONG)
        elif entry.field == "hl7.message_type" and entry.value.startswith("ACK"):
            yield Reason("takes in HL7 messages", entry.field, entry.value, LIKELY)
    if device.category in _STORES_BY_KIND:
        yield Reason("systems of this kind keep patient data", "category", device.category or "", STRONG)
    else:
        yield from (
            _weaker(reason) for reason in _by_kind(device, "devices of this kind often keep patient data")
        )


def _by_kind(device: Device, words: str) -> Iterator[Reason]:
    kind = categories().get(device.category or "")
    verdict = device.verdict("category")
    if kind is not None and kind.phi in _KINDS:
        sure = 1.0 if verdict is None else verdict.confidence
        yield Reason(words, "category", kind.id, round(_KINDS[kind.phi] * sure, 4))


def _weaker(reason: Reason) -> Reason:
    return msgspec.structs.replace(reason, probability=round(reason.probability * LIKELY, 4))


def _of_persons(device: Device) -> Iterator[Reason]:
    known = _PERSONAL.get(device.category or "")
    if known is not None:
        probability, words = known
        yield Reason(words, "category", device.category or "", probability)
    for entry in device.ledger:
        if entry.field == "ldap.role" and entry.value == "server":
            yield Reason("answers for a directory of people", entry.field, entry.value, STRONG)
        elif entry.field == "smtp.banner":
            yield Reason("handles mail of people", entry.field, entry.value, LIKELY)


def _likelihood(reasons: Iterable[Reason], *, seen: bool) -> Likelihood:
    ordered = sorted(dict.fromkeys(reasons), key=lambda r: (-r.probability, r.field, r.value))
    without = 1.0
    for reason in ordered:
        without *= 1.0 - reason.probability
    return Likelihood(CERTAIN if seen else round(min(1.0 - without, CERTAIN), 4), seen, tuple(ordered))
