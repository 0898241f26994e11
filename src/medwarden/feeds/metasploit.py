"""Modules of Metasploit: its metadata (``modules_metadata_base.json``)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, ClassVar

import msgspec

from medwarden.feeds.identifiers import cves_in
from medwarden.feeds.json_stream import Records, decoded
from medwarden.feeds.origin import provenance, rejected, text
from medwarden.model.feed import Entry, FeedManifest, Item, Kind
from medwarden.model.vulnerability import Exploitation, Provenance


class _Module(msgspec.Struct):
    fullname: str
    references: list[str] = []
    mod_time: str = ""
    type: str = ""


class Metasploit:
    """Reads the metadata; modules without a CVE are passed over."""

    manifest: ClassVar[FeedManifest] = FeedManifest(
        id="metasploit",
        title="Metasploit modules",
        publisher="Rapid7",
        licence="BSD-3-Clause",
        home="https://github.com/rapid7/metasploit-framework",
        brings="which vulnerabilities have a ready-made attack module",
        changes="every day",
        stale_after_h=168,
        kinds=(Kind.EXPLOITATION,),
        whole=True,
    )

    addresses: ClassVar[tuple[str, ...]] = (
        "https://raw.githubusercontent.com/rapid7/metasploit-framework/master/db/modules_metadata_base.json",
    )

    @staticmethod
    def recognises(name: str, head: bytes) -> bool:
        """Tell the metadata by the fields of its first module."""
        del name
        return head.lstrip()[:1] == b"{" and all(
            field in head
            for field in (b'"fullname"', b'"disclosure_date"', b'"autofilter_ports"', b'"ref_name"')
        )

    @staticmethod
    def read(stream: IO[bytes], origin: Provenance) -> Iterator[Item]:
        """Yield for each module the vulnerabilities that it uses."""
        for found in Records(stream, origin.reference, None):
            try:
                module = decoded(found.data, _Module)
            except ValueError as error:
                yield rejected(origin, f"byte {found.offset}", error)
                continue
            source = provenance(origin, module.mod_time, Metasploit.manifest.home)
            name = f"MSF:{module.fullname}"
            same = tuple((name, other) for other in _named(module.references))
            yield Entry(
                tuple(
                    Exploitation(id=cve, exploits=(name,), sources=(source,), stands_for=same)
                    for reference in module.references
                    for cve in cves_in(reference)
                )
            )


def _named(references: list[str]) -> Iterator[str]:
    """Yield the entries of the Exploit Database and the addresses that a module refers to."""
    for reference in references:
        kind, _, value = reference.partition("-")
        if kind == "EDB" and value.isdigit():
            yield f"EDB-{value}"
        elif kind == "URL" and value.startswith(("http://", "https://")):
            yield f"URL:{text(value, 500)}"


FEED = Metasploit
