"""Log parsers are found and held to the rules of their manifests."""

from __future__ import annotations

from typing import ClassVar

import msgspec
import pytest

from medwarden.kernel.errors import InternalError
from medwarden.model.log_source import LogManifest, LogParser
from medwarden.sensors.logs.registry import check_manifests, parser_named, parsers, recognise
from medwarden.sensors.logs.zeek import Zeek


def with_manifest(**changes: object) -> type[LogParser]:
    class Changed(Zeek):
        manifest: ClassVar[LogManifest] = msgspec.structs.replace(Zeek.manifest, **changes)

    return Changed


def test_all_are_found_by_name() -> None:
    names = [parser.manifest.name for parser in parsers()]
    assert names == sorted(names)
    assert {"zeek", "suricata_eve", "nmap_xml", "inventory_table"} <= set(names)
    zeek: type[LogParser] = Zeek
    assert parser_named("zeek") is zeek
    with pytest.raises(InternalError, match="no log parser"):
        parser_named("nobody")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "Zeek"}, "snake case"),
        ({"title": ""}, "title"),
        ({"tells": frozenset()}, "tells nothing"),
        ({"fields": ("dns.query", "dns.query")}, "named twice"),
        ({"fields": ("Query",)}, "must read"),
        ({"fields": ("dns.invented",)}, "not among those that dissectors state"),
        ({"ports": (0,)}, "outside 1 to 65535"),
    ],
)
def test_what_a_manifest_may_not_say(changes: dict[str, object], words: str) -> None:
    with pytest.raises(InternalError, match=words):
        check_manifests([with_manifest(**changes)])


def test_two_of_one_name() -> None:
    with pytest.raises(InternalError, match="share the name"):
        check_manifests([Zeek, with_manifest()])


def test_what_nobody_knows() -> None:
    assert recognise(b"hello world\n") is None
    assert recognise(b"") is None
