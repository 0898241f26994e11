"""Scopes of SDC devices in WS-Discovery: where a device stands and of which kind it is.

IEEE 11073-20701 section 9.4: ``sdc.ctxt.loc:/root/extension?fac=..&bldng=..&flr=..&poc=..&rm=..&bed=..`` for
the location and ``sdc.cdc.type:/system/version/code`` for the type, whose system and version are left out for
11073-10101. Scopes that name patients, encounters, workflows or operators are nobody's business here.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, unquote, urlsplit

from medwarden.dissect.mdc import device_type
from medwarden.model.evidence import clean

_PLACES = {
    "fac": "sdc.facility",
    "bldng": "sdc.building",
    "flr": "sdc.floor",
    "poc": "sdc.location",
    "rm": "sdc.room",
    "bed": "sdc.bed",
}
FIELDS = (*_PLACES.values(), "sdc.mds_type", "sdc.role")
_PROVIDER = "sdc.mds.pkp:1.2.840.10004.20701.1.1"
_MAX_SCOPE = 1024


def facts_of_scope(scope: str) -> list[tuple[str, str]]:
    """Return (field, value) pairs that one scope states; none for scopes of other kinds."""
    scope = scope[:_MAX_SCOPE]
    scheme = scope.partition(":")[0].lower()
    if scope == _PROVIDER:
        return [("sdc.role", "provider")]
    if scheme == "sdc.cdc.type":
        code = clean(unquote(scope.rpartition("/")[2]))
        return [("sdc.mds_type", device_type(code))] if code else []
    if scheme != "sdc.ctxt.loc":
        return []
    try:
        query = parse_qsl(urlsplit(scope).query, max_num_fields=16)
    except ValueError:
        return []  # a scope is opaque where its form is not known (WS-Discovery 1.1 section 5.1)
    stated = ((_PLACES[name], clean(value)) for name, value in query if name in _PLACES)
    return [(field, value) for field, value in stated if value]
