"""Every dissector is found by itself; a wrong manifest is named."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import msgspec
import pytest

from medwarden.dissect.registry import check_manifests, dissectors
from medwarden.kernel.errors import InternalError
from medwarden.model.evidence import Evidence
from medwarden.model.segment import Dissector, DissectorManifest, Segment, Transport

GOOD = DissectorManifest(
    name="toy",
    title="Toy",
    transports=(Transport.TCP,),
    reference="none",
    ports=(1,),
    fields=("toy.name",),
)


def dissector_with(manifest_: DissectorManifest) -> type[Dissector]:
    class Toy:
        manifest: ClassVar[DissectorManifest] = manifest_

        def __init__(self) -> None: ...

        @staticmethod
        def recognises(payload: bytes, from_client: bool) -> bool:
            return False

        def feed(self, segment: Segment) -> Iterator[Evidence]:
            yield from ()

    return Toy


def test_the_medical_ones_are_there_and_come_first() -> None:
    names = [d.manifest.name for d in dissectors()]
    assert {"dicom", "hl7", "sdc"} <= set(names)
    medical = [d.manifest.medical for d in dissectors()]
    assert medical == sorted(medical, reverse=True)


def test_found_manifests_obey_the_rules() -> None:
    check_manifests(dissectors())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "Not Snake"}, "snake case"),
        ({"title": ""}, "title and reference"),
        ({"transports": ()}, "no transport"),
        ({"fields": ()}, "no field"),
        ({"fields": ("name",)}, "<protocol>.<name>"),
        ({"fields": ("toy.a", "toy.a")}, "named twice"),
        ({"ports": (70000,)}, "port lies outside"),
        ({"ethertypes": (0x88CC,)}, "go together"),
        ({"transports": (Transport.ETHERNET,), "ports": ()}, "go together"),
        ({"starts": (b"",)}, "empty start"),
        ({"stream_bytes": -1}, "negative"),
        ({"ports": ()}, "bring it a payload"),
    ],
)
def test_wrong_manifest_is_named(change: dict[str, object], words: str) -> None:
    wrong = msgspec.structs.replace(GOOD, **change)
    with pytest.raises(InternalError, match=words):
        check_manifests([dissector_with(wrong)])


def test_two_of_a_name_are_refused() -> None:
    with pytest.raises(InternalError, match="share the name"):
        check_manifests([dissector_with(GOOD), dissector_with(GOOD)])
