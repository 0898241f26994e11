"""Makers that are named at the start of what a device says of its product."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from medwarden.knowledge.fingerprints.rules import TRUST
from medwarden.knowledge.makers import known_maker
from medwarden.model.device import Ballot
from medwarden.model.evidence import LedgerEntry

NAMED_RULE = "maker-named"

_FIELDS = frozenset(
    {
        *("snmp.sys_descr", "lldp.system_description", "cdp.platform", "http.title", "http.www_authenticate"),
        *("mqtt.client_id", "sip.user_agent", "ssdp.server", "telnet.banner", "ftp.banner", "pjl.info_id"),
        *("bacnet.model_name", "upnp.friendly_name", "dpws.friendly_name", "rtsp.server"),
    }
)
_LEAST = 4
_AUTHENTICATE = re.compile(r'\brealm="?([^",]+)', re.IGNORECASE)


def named_maker_ballots(entries: Iterable[LedgerEntry]) -> Iterator[Ballot]:
    """Yield a vote for the maker whose name, of four letters or more, a product text begins with.

    ``entries`` are the device's own words. A page or a client id may be anybody's, so the vote is likely
    and no declaration.
    """
    for entry in entries:
        if entry.field not in _FIELDS:
            continue
        text = entry.value
        if entry.field == "http.www_authenticate":
            realm = _AUTHENTICATE.search(text)
            text = realm.group(1) if realm else ""
        maker = known_maker(text.strip(' "'))
        if maker is not None and len(maker.name) >= _LEAST:
            yield Ballot("vendor", maker.name, TRUST["likely"], NAMED_RULE, entry.field, entry.value)
