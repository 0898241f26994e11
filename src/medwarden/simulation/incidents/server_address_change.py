"""The archive gets another address: names are changed and everybody follows."""

from __future__ import annotations

from medwarden.simulation.incidents.staging import Incident, Staging


def _prepare(staging: Staging) -> None:
    server = staging.role("pacs")
    stay = server.stays[0]
    staging.actors = [server]
    server.settle(staging.start, stay.place, stay.network, stay.network.next_address(), dhcp=False)


INCIDENT = Incident("server_address_change", "A server gets another address", True, _prepare)
