from __future__ import annotations

from collections.abc import Callable

import pytest

from medwarden.dissect.sadp import SadpDissector
from medwarden.kernel.errors import MalformedInput

Converse = Callable[..., set[tuple[str, str, str]]]

HEAD = b'<?xml version="1.0" encoding="utf-8"?>'


def test_a_search_says_nothing(datagram: Converse) -> None:
    assert (
        datagram(SadpDissector, "client", HEAD + b"<Probe><Uuid>1</Uuid><Types>inquiry</Types></Probe>")
        == set()
    )


def test_a_brand_of_its_own(datagram: Converse) -> None:
    told = datagram(
        SadpDissector, "server", HEAD + b"<ProbeMatch><OEMInfo>ACME</OEMInfo><MAC>broken</MAC></ProbeMatch>"
    )
    assert told == {("sadp.brand", "ACME", "server")}


@pytest.mark.parametrize("payload", [b"<ProbeMatch>", HEAD + b"<!DOCTYPE x><ProbeMatch/>"])
def test_broken_documents(datagram: Converse, payload: bytes) -> None:
    with pytest.raises(MalformedInput):
        datagram(SadpDissector, "server", payload)
