"""From a form to what is disclosed: claims, ports, operating systems, and needs of the network."""

from __future__ import annotations

from types import MappingProxyType

from medwarden.knowledge.mds2 import claims_of
from medwarden.knowledge.mds2_answers import systems_in
from medwarden.model.mds2 import DeclaredSystem, Disclosure, Form, NetworkNeeds, Stance

_OF_SYSTEMS = ("14-1", "CSUP-2", "DOC-11.1", "DOC-11.2", "CSUP-2.1")
"""Questions in whose words operating systems are named."""


def disclosure_of(identifier: str, form: Form, imported_ns: int = 0, attached: str = "") -> Disclosure:
    """Return what a form discloses. ``attached`` says why it counts for a device."""
    claims, _ = claims_of(form.edition, form.answers)
    return Disclosure(
        form=identifier,
        edition=form.edition,
        vendor=form.header.vendor,
        model=form.header.model,
        document=form.header.document,
        released=form.header.released,
        imported_ns=imported_ns,
        claims=MappingProxyType(claims),
        ports=form.ports,
        systems=_systems(form),
        attached=attached,
    )


def _systems(form: Form) -> tuple[DeclaredSystem, ...]:
    found: dict[tuple[str, str], DeclaredSystem] = {}
    for key in _OF_SYSTEMS:
        answer = form.answer(key)
        if answer is None or answer.stance in (Stance.NO, Stance.EMPTY):
            continue
        for system in systems_in(f"{answer.written} {answer.note}", key):
            found.setdefault((system.family, system.version), system)
    return tuple(found.values())


def needs_of(disclosure: Disclosure) -> NetworkNeeds:
    """Return what a form says that its device needs of the network."""
    says = disclosure.says
    return NetworkNeeds(
        form=disclosure.form,
        title=disclosure.title,
        ports=disclosure.ports,
        ports_listed=says("ports_listed"),
        remote_service=says("remote_service"),
        remote_monitoring=says("remote_monitoring"),
        external_communication=says("external_communication"),
        internet=says("internet_needed"),
        fixed_destinations=says("fixed_destinations"),
        wireless=says("wireless"),
        time_server=says("time_server"),
        directory=says("external_authentication"),
    )
