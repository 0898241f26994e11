"""What rules say of a device: the votes of fingerprints, declarations, images, interfaces and people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from medwarden.inventory.declared import declared_ballots
from medwarden.inventory.imaging import imaging_ballots, own_ledger
from medwarden.inventory.named_makers import named_maker_ballots
from medwarden.inventory.spoken_for import own_words
from medwarden.knowledge.fingerprints.index import index
from medwarden.knowledge.fingerprints.rules import TRUST
from medwarden.knowledge.makers import known_maker, module_maker, short_name
from medwarden.knowledge.oui import hypervisor_of, is_locally_administered, is_virtual_router, maker_of
from medwarden.model.device import Ballot, Device

PREFIX_RULE = "mac-prefix"
"""Rule of the votes that an interface's registered maker gives."""

Pair = tuple[str, str]

_MOST_DERIVED = 200


def own_device(device: Device) -> Device:
    """Return the device with what others said through it taken out of its ledger."""
    return msgspec.structs.replace(device, ledger=own_words(own_ledger(device)))


def rule_votes(device: Device, own: Device | None = None) -> list[Ballot]:
    """Return the votes of all rules on a device; ``own`` is :func:`own_device` of it, where known."""
    own = own_device(device) if own is None else own
    entries = [*((entry.field, entry.value) for entry in own.ledger), *derived_facts(device)]
    return [
        *_fingerprint_ballots(entries),
        *declared_ballots(device),
        *imaging_ballots(device),
        *named_maker_ballots(own.ledger),
        *_interface_ballots(device),
    ]


def derived_facts(device: Device) -> list[Pair]:
    """Return what follows from addresses and traffic, as fields that fingerprints can look at.

    ``oui.vendor`` and ``oui.registered`` (not for makers of modules), ``mac.hypervisor``,
    ``mac.virtual_router``, ``mac.private``; as ``tcp/104`` what it serves (``flow.serves``), as a client
    speaks to (``flow.talks_to``) and is answered by (``flow.client_of``).
    """
    facts: dict[Pair, None] = {}
    for mac in device.macs:
        maker = maker_of(mac)
        if maker is not None:
            facts["oui.registered", maker.registered] = None
            if not maker.module:
                facts["oui.vendor", maker.vendor] = None
        hypervisor = hypervisor_of(mac)
        if hypervisor is not None:
            facts["mac.hypervisor", hypervisor] = None
        if is_virtual_router(mac):
            facts["mac.virtual_router", "yes"] = None
    if device.macs and all(map(is_locally_administered, device.macs)):
        facts["mac.private", "yes"] = None
    for service in device.services:
        facts["flow.serves", f"{service.transport}/{service.port}"] = None
    for talk in device.conversations:
        if talk.role == "client" and talk.port:
            facts["flow.talks_to", f"{talk.transport}/{talk.port}"] = None
            if talk.established:
                facts["flow.client_of", f"{talk.transport}/{talk.port}"] = None
        if len(facts) >= _MOST_DERIVED:
            break
    return list(facts)


def _fingerprint_ballots(entries: Iterable[Pair]) -> Iterator[Ballot]:
    for match in index().match(entries):
        for level, label in match.labels:
            text = short_name(label) if level == "vendor" else label
            yield Ballot(level, text, match.rule.weight, match.rule.id, match.field, match.value)


def _interface_ballots(device: Device) -> Iterator[Ballot]:
    """Yield votes of the MAC prefixes: the weakest kind, and none at all from makers of modules."""
    for mac in device.macs:
        maker = None if is_locally_administered(mac) or hypervisor_of(mac) else maker_of(mac)
        if maker is None:
            continue
        if maker.module:
            module = module_maker(maker.registered)
            if module is not None and module.device_class is not None:
                yield _by_prefix("class", module.device_class.value, "likely", maker.registered)
            continue
        known = known_maker(maker.registered)
        if known is None:
            yield _by_prefix("vendor", maker.vendor, "hint", maker.registered)
            continue
        yield _by_prefix("vendor", maker.vendor, known.prefix, maker.registered)
        if known.device_class is not None:
            sure = "likely" if known.hosts else "strong"
            yield _by_prefix("class", known.device_class.value, sure, maker.registered)
        if known.category is not None:
            yield _by_prefix(
                "category", known.category, "likely" if known.only else "faint", maker.registered
            )


def _by_prefix(level: str, label: str, trust: str, registered: str) -> Ballot:
    return Ballot(level, label, TRUST[trust], PREFIX_RULE, "oui.registered", registered)
