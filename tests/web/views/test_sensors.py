"""The sensors page accounts for every packet and names what went wrong."""

from __future__ import annotations

import re
from collections.abc import Callable

from django.test import Client

from medwarden.model.role import Role
from medwarden.store.models import InputLedger

SignedIn = Callable[..., Client]


def test_the_line_of_all_adds_up(signed_in: SignedIn) -> None:
    page = signed_in(Role.VIEWER).get("/sensors/").content.decode()
    line = page[page.index("<strong>All</strong>") :]
    read, parsed, rejected, dropped = (
        int(n.replace(",", "")) for n in re.findall(r"<strong>([\d,]+)</strong>", line)[:4]
    )
    assert read == parsed + rejected + dropped == 184_220
    assert rejected == 30


def test_errors_and_reasons_are_named(signed_in: SignedIn) -> None:
    page = signed_in(Role.VIEWER).get("/sensors/?status=failed").content.decode()
    assert "ward-7.pcap, byte 0: this is text, not a capture" in page
    assert "core-2.pcap" not in page
    page = signed_in(Role.VIEWER).get("/sensors/").content.decode()
    assert "30 × IPv4 header longer than the packet" in page
    assert "2 × malformed dicom" in page


def test_a_count_that_does_not_add_up_is_said_so(signed_in: SignedIn) -> None:
    row = InputLedger.objects.get(path="core-2.pcap")
    row.report["packets"]["parsed"] -= 1
    row.save()
    assert "Does not add up" in signed_in(Role.VIEWER).get("/sensors/").content.decode()
