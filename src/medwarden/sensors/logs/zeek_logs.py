"""Which of Zeek's logs something is made of, and what each field says of whom.

Field names after the Zeek manual ("Log files") and the published ``#fields`` of the packages named at each
log. A user's name is never among them: accounts, mail addresses and cookies that carry one are not read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import Annotated, Any, NamedTuple

import msgspec

from medwarden.model.log_source import Tells

Text = str
Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Count = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
Seconds = float
Time = float | str
Names = list[str | None]
Form = Callable[[str], str | None]

Vlan = Annotated[int, msgspec.Meta(ge=0, le=4095)]


class Said(NamedTuple):
    """One field of a log as a fact: of the originator, the responder or the host that a record is about."""

    column: str
    field: str
    whose: str
    form: Form | None = None


class Log(NamedTuple):
    """One of Zeek's logs: the columns that are read with their types, and the facts made of them."""

    columns: Mapping[str, Any]  # type forms, as msgspec takes them
    said: tuple[Said, ...]
    tells: frozenset[Tells]
    needed: tuple[str, ...] = ("ts",)
    signature: frozenset[str] = frozenset()


_ENDS = {"ts": Time, "id.orig_h": Text, "id.resp_h": Text}

_CONN = Log(
    {
        **_ENDS,
        "id.orig_p": Port,
        "id.resp_p": Port,
        "proto": Text,
        "service": Text,
        "duration": Seconds,
        "orig_bytes": Count,
        "resp_bytes": Count,
        "conn_state": Text,
        "history": Text,
        "orig_pkts": Count,
        "orig_ip_bytes": Count,
        "resp_pkts": Count,
        "resp_ip_bytes": Count,
        "orig_l2_addr": Text,
        "resp_l2_addr": Text,
        "vlan": Vlan,
        "ip_proto": Count,
    },
    (),
    frozenset({Tells.PEERS, Tells.VOLUME, Tells.SERVICES, Tells.APPLICATION}),
    ("ts", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto"),
    frozenset({"conn_state", "history"}),
)

LOGS: dict[str, Log] = {"conn": _CONN}


@cache
def _signatures() -> tuple[tuple[str, frozenset[str]], ...]:
    """Return the logs with the fields that tell them from others, the most particular first."""
    found = [(kind, log.signature) for kind, log in LOGS.items() if log.signature]
    return tuple(sorted(found, key=lambda item: -len(item[1])))


def kind_of_fields(fields: Collection[str]) -> str | None:
    """Return which log a record with these fields is of, or None."""
    if "ts" not in fields:
        return None
    for kind, signature in _signatures():
        if signature <= set(fields):
            return kind
    return None
