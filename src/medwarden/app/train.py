"""Training a model: from simulated hospitals, labelled captures, and what the hospital's people confirmed.

The shipped model is trained by the same function from simulated hospitals and the examples of
fingerprints alone, so that everybody can make it again.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from medwarden.app.log_intake import take_in_log
from medwarden.app.simulate import Request, simulate, start_of
from medwarden.app.study import study
from medwarden.inventory.ballots import is_kind_of
from medwarden.inventory.book import Book
from medwarden.inventory.company import Company
from medwarden.inventory.identity import Resolver
from medwarden.inventory.joined import Gathered, in_company
from medwarden.inventory.labelling import identify
from medwarden.inventory.labels.calibration import Calibration
from medwarden.inventory.labels.example import LEARNT, Example, canonical, example_of
from medwarden.inventory.labels.from_rules import examples_of_rules
from medwarden.inventory.labels.in_use import model_in_use, shipped_model, use_model
from medwarden.inventory.labels.joint import calibration_name, fit_joint
from medwarden.inventory.labels.model import LabelModel
from medwarden.inventory.labels.training import Settings, train
from medwarden.inventory.labels.views import examples_in_time
from medwarden.inventory.score import comparable
from medwarden.kernel.errors import ConfigurationError
from medwarden.knowledge.fingerprints.rules import packaged
from medwarden.model.batch import Batch
from medwarden.model.device import Device
from medwarden.model.statement import Authority

Progress = Callable[[int, int, str], None]

MOMENT = "2026-03-02T09:00"
"""When the simulated hospitals begin: a Monday morning."""

_LOGS = ("zeek", "netflow", "dhcp")
_RECORD = struct.Struct("<IIII")
_FILE_HEADER, _FRAME_HEADERS = 24, 14 + 20 + 8
_AT_ONCE = 2000


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """Which hospitals are simulated to train on: one for each seed, each with another plan of names.

    ``logs`` adds what Zeek alone and NetFlow with DHCP logs alone would know of the same devices;
    ``rules`` adds the examples of the packaged fingerprints. On ``joint``, further hospitals that the model
    was not trained on, it is learnt how often rules and model together are right; they are larger, so that
    they have kinds of devices that training did not see.
    """

    seeds: tuple[int, ...] = ()
    devices: int = 400
    hours: float = 1.0
    logs: bool = True
    rules: bool = True
    joint: tuple[int, ...] = ()
    joint_devices: int = 400


SHIPPED = Recipe(seeds=tuple(range(1, 11)), devices=300, joint=(11, 12, 13))
"""What the shipped model is trained on. Seeds from 300 on are for measuring and never trained on."""

SHIPPED_SEED = 20260302

FIRST_MEASURED = 300


class Trained(msgspec.Struct, frozen=True):
    """A model and how many examples each source gave."""

    model: LabelModel
    sources: dict[str, int]


def train_model(
    recipe: Recipe,
    *,
    seed: int,
    labelled: Sequence[Example] = (),
    confirmed: Sequence[Example] = (),
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> Trained:
    """Return a model trained on a recipe's hospitals, on labelled and on confirmed devices.

    Without a recipe (no seeds) the labelled and confirmed devices are added to the shipped model.
    Raises ConfigurationError where there is nothing to learn from.
    """
    if any(number >= FIRST_MEASURED for number in (*recipe.seeds, *recipe.joint)):
        raise ConfigurationError(
            f"seeds from {FIRST_MEASURED} on are kept for measuring: train on smaller ones"
        )
    base = None if recipe.seeds else shipped_model()
    simulated: list[Example] = []
    for number, each in enumerate(recipe.seeds):
        if progress is not None:
            progress(number, len(recipe.seeds), f"hospital {each}")
        simulated += hospital_examples(each, recipe)
    rules = list(examples_of_rules(packaged())) if recipe.rules and base is None else []
    sources = {
        "simulated": len(simulated),
        "fingerprint examples": len(rules),
        "labelled": len(labelled),
        "confirmed": len(confirmed),
    }
    if progress is not None:
        progress(len(recipe.seeds), len(recipe.seeds), "fitting")
    card: dict[str, Any] = {"recipe": msgspec.to_builtins(recipe), "sources": sources}
    examples = [*simulated, *rules, *labelled, *confirmed]
    model = train(examples, seed=seed, base=base, settings=settings, card=card)
    if recipe.joint and base is None:
        model = model.calibrated(joint_calibrations(model, recipe))
    return Trained(model, sources)


def joint_calibrations(model: LabelModel, recipe: Recipe) -> dict[str, Calibration]:
    """Return how often rules and ``model`` together are right, by level, on a recipe's further hospitals.

    An infusion pump is right for a syringe pump: see :func:`~medwarden.inventory.ballots.is_kind_of`.
    """
    outcomes: dict[str, list[tuple[float, bool]]] = {}
    before = model_in_use()
    use_model(model.calibrated({}))
    try:
        for seed in recipe.joint:
            for device, truth, company in _simulated_devices(seed, recipe):
                found = identify(device, company=company)
                for level in LEARNT:
                    verdict, true = found.verdict(level), truth.get(level)
                    if true and verdict is not None and verdict.label is not None:
                        given = comparable(level, verdict.label, found.vendor)
                        wanted = comparable(level, true, truth.get("vendor"))
                        right = given == wanted or (level == "category" and is_kind_of(wanted, given))
                        named = outcomes.setdefault(calibration_name(verdict), [])
                        named.append((verdict.confidence, right))
    finally:
        use_model(None if before is shipped_model() else before)
    return fit_joint(outcomes)


def _simulated_devices(seed: int, recipe: Recipe) -> Iterator[tuple[Device, dict[str, str], Company]]:
    """Yield the devices of a joint hospital as every source shows them, what they are, and their company."""
    truths, sources = _simulated(seed, recipe.joint_devices, recipe)
    for seen in sources:
        for device, truth in _known(seen.devices, truths):
            said = canonical({level: getattr(truth, level, None) for level in LEARNT})
            yield device, said, seen.company


def hospital_examples(seed: int, recipe: Recipe) -> list[Example]:
    """Return the devices of one simulated hospital as examples, now and earlier, and as logs show them."""
    truths, sources = _simulated(seed, recipe.devices, recipe)
    group = f"hospital {seed}"
    return [
        example
        for seen in sources
        for device, truth in _known(seen.devices, truths)
        for example in examples_in_time(
            device, {level: getattr(truth, level) for level in LEARNT if level != "class"}, group=group
        )
    ]


def _simulated(seed: int, devices: int, recipe: Recipe) -> tuple[tuple[_TrueDevice, ...], list[Gathered]]:
    """Return what is true of a simulated hospital, and its devices as packets and, if wanted, logs show them.

    The logs are Zeek's by themselves, and NetFlow with the log of a DHCP server.
    """
    request = Request(
        devices=devices,
        hours=recipe.hours,
        seed=seed,
        start=start_of(MOMENT),
        logs=_LOGS if recipe.logs else (),
    )
    with tempfile.TemporaryDirectory(prefix="medwarden-train-") as name:
        folder = Path(name)
        written = simulate(request, folder)
        truths = msgspec.json.decode((folder / "truth.json").read_bytes(), type=_Truth).devices
        sources = [_studied(written.captures)]
        if recipe.logs:
            logs = folder / "logs" / "site-1"
            sources.append(_studied(sorted((logs / "zeek").glob("*.log"))))
            leases, exports = logs / "dhcp" / "dhcpd.log", logs / "netflow" / "netflow9.pcap"
            sources.append(in_company(exported_devices(exports, [leases]), identify))
    return truths, sources


def _studied(files: Iterable[Path]) -> Gathered:
    found = study(files)
    return Gathered(found.devices, found.company)


class _TrueDevice(msgspec.Struct, frozen=True):
    macs: tuple[str, ...]
    addresses: tuple[dict[str, Any], ...]
    category: str
    vendor: str
    model: str
    os: str | None


class _Truth(msgspec.Struct, frozen=True):
    devices: tuple[_TrueDevice, ...]


def _known(devices: Iterable[Device], truths: Iterable[_TrueDevice]) -> Iterator[tuple[Device, _TrueDevice]]:
    """Yield those devices that are in the truth with theirs, found by MAC address, else by IP address."""
    known = list(devices)
    by_mac = {mac: device for device in known for mac in device.macs}
    by_ip = {ip: device for device in known for ip in device.ips}
    for truth in truths:
        held = [str(address["ip"]) for address in truth.addresses]
        device = next((by_mac[mac] for mac in truth.macs if mac in by_mac), None)
        device = device or next((by_ip[ip] for ip in held if ip in by_ip), None)
        if device is not None:
            yield device, truth


def exported_devices(exports: Path, logs: Iterable[Path] = ()) -> list[Device]:
    """Return the devices that flow exports show, with what logs tell beside them; not identified yet.

    ``exports`` is a capture of the datagrams as the simulation writes it.
    """
    from medwarden.app.log_intake import setting_of
    from medwarden.sensors.flow_choice import flow_parser
    from medwarden.sensors.log_files import form_of
    from medwarden.sensors.reception import Reception

    setting = setting_of(b"t" * 32)
    resolver, book = Resolver("default"), Book("default")

    def take(batch: Batch) -> None:
        resolver.counted_evidence(((f.evidence, f.last_ns, f.count) for f in batch.facts), "netflow")
        resolver.flows(batch.flows)
        book.apply(resolver.delta())

    for path in logs:
        form = form_of(path)
        if form is not None:
            take_in_log(path, form, setting, lambda batch, _: take(batch))
    reception = Reception(flow_parser, setting)
    for moment, datagram in _datagrams(exports.read_bytes()):
        reception.receive("exporter", datagram, moment)
    take(reception.take(final=True))
    return list(book.devices())


def _datagrams(capture: bytes) -> Iterator[tuple[int, bytes]]:
    at = _FILE_HEADER
    while at < len(capture):
        seconds, nanoseconds, length, _ = _RECORD.unpack_from(capture, at)
        at += _RECORD.size
        yield seconds * 10**9 + nanoseconds, capture[at + _FRAME_HEADERS : at + length]
        at += length


def labelled_examples(
    captures: Iterable[str | Path], labels: Path, *, progress: Progress | None = None
) -> list[Example]:
    """Return the devices of captures and logs that a label table names, as ``medwarden score`` reads it.

    Raises ConfigurationError for labels that are malformed or name none of the captures.
    """
    from medwarden.app.score import score_captures

    scored = score_captures(captures, labels, progress=progress)
    examples: list[Example] = []
    for case in scored.cases:
        if case.device is not None:
            examples += examples_in_time(case.device, case.truth.labels, group=case.device.macs[0])
    return examples


def confirmed_examples(home: Path) -> list[Example]:
    """Return the devices of a data folder that people said something of, with what they said."""
    from medwarden.store.open import open_store

    with open_store(home, writer=False):
        from medwarden.store.models import Device as DeviceRow
        from medwarden.store.queries import complete_devices
        from medwarden.store.statements import statements_of

        ids = list(DeviceRow.objects.order_by("pk").values_list("pk", flat=True))
        spoken_of: list[str] = []
        for start in range(0, len(ids), _AT_ONCE):
            for device, said in statements_of(ids[start : start + _AT_ONCE]).items():
                if any(statement.authority is Authority.PERSON for statement in said):
                    spoken_of.append(device)
        return [confirmed(device) for device in complete_devices(sorted(spoken_of))]


def confirmed(device: Device) -> Example:
    """Return a device as an example of what people said it is; of one level the latest word counts."""
    labels: dict[str, str | None] = {}
    for said in sorted(device.statements, key=lambda s: (s.at_ns, s.by, s.label)):
        if said.authority is Authority.PERSON:
            labels[said.level] = said.label
    return example_of(device, labels)
