"""Keep floods of made-up interfaces out of the inventory (macof and its like).

A switch or a sensor that is flooded sees hundreds of thousands of MAC addresses, each in one frame. A
real device that is heard only once is worth knowing, so many of them are taken in; but there is an end
to it, long before memory and database are full. Who is heard a second time, at another moment, comes in
whatever goes on around it. So does whoever stands in a list that somebody keeps: nobody makes up its rows,
and all of them are of one moment.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from medwarden.inventory.sightings import Fact, FactKey, Pair, Sighting
from medwarden.model.inventory_delta import DeviceChange, KeyKind

SAID_IN_A_FLOOD = "said in a flood of interfaces"
"""The reason under which a delta counts what such interfaces said."""
MOST_HEARD_ONCE = 16_384
"""Interfaces of a site taken in though they were heard at one moment only."""
MOST_INTERFACES = 250_000
"""Interfaces of a site taken in at all: two and a half times the largest house."""
LISTED = "inventory.mac"
"""The field under which a list says that there is such an interface."""


class Doorkeeper:
    """Decides which interfaces that are not known yet come in."""

    def __init__(self) -> None:
        self._heard_once = 0

    def restore(self, stored: DeviceChange, *, listed: bool) -> None:
        """Take over a device that was let in before; ``listed`` says that it stands in a list."""
        if stored.kind is KeyKind.MAC and not listed:
            self._heard_once += stored.first_seen == stored.last_seen

    def turn_away(
        self,
        sightings: dict[Pair, Sighting],
        facts: dict[Pair, dict[FactKey, Fact]],
        known: Collection[str],
    ) -> tuple[frozenset[str], int]:
        """Take out of one round what interfaces said that do not come in.

        ``known`` are the MAC addresses that are in already. Returns those that do not come in, and how
        much they said.
        """
        away = self._turned_away(sightings, facts, known)
        unheard = 0
        for pair in [pair for pair in sightings if pair[0] in away]:
            del sightings[pair]
            unheard += sum(fact.count for fact in facts.pop(pair, {}).values())
        return away, unheard

    def _turned_away(
        self,
        sightings: Mapping[Pair, Sighting],
        facts: Mapping[Pair, Mapping[FactKey, Fact]],
        known: Collection[str],
    ) -> frozenset[str]:
        """Return the interfaces of one round that do not come in: the latest of those heard once."""
        heard: dict[str, tuple[int, int]] = {}
        for (mac, _), sighting in sightings.items():
            if mac is not None and mac not in known:
                first, last = heard.get(mac, (sighting.first_seen, sighting.last_seen))
                heard[mac] = min(first, sighting.first_seen), max(last, sighting.last_seen)
        newcomers = sorted(heard, key=lambda mac: (heard[mac], mac))
        strange = {mac for mac in newcomers if heard[mac][0] == heard[mac][1]}
        if strange:  # of most rounds nobody is, and they are many facts
            strange -= {
                mac
                for (mac, _), said in facts.items()
                if mac in strange and any(field == LISTED for _, _, field, _ in said)
            }
        once = [mac for mac in newcomers if mac in strange]
        room = max(0, MOST_HEARD_ONCE - self._heard_once)
        away = set(once[room:])
        self._heard_once += min(room, len(once))
        admitted = [mac for mac in newcomers if mac not in away]
        away.update(admitted[max(0, MOST_INTERFACES - len(known)) :])
        return frozenset(away)
