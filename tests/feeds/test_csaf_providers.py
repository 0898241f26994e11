"""Providers of CSAF documents that publish nonsense: a look ends with a sentence, and what stood stays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.feeds import making
from tests.feeds.upstream import PROVIDER, Upstream, csaf_files, upstream

NOWHERE = "https://[acme.example/csaf"
CHANGES = "https://acme.example/csaf/white/changes.csv"
ROLIE = "https://acme.example/csaf/rolie.json"


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Upstream]:
    with upstream(tmp_path) as told:
        told.files = csaf_files({"acme-1": making.csaf("ACME-1")})
        yield told


def rolie(web: Upstream, entry: dict[str, object], url: str = ROLIE) -> None:
    """Let the provider list its documents in a feed."""
    metadata = json.loads(web.files[PROVIDER])
    metadata["distributions"] = [{"rolie": {"feeds": [{"url": url, "tlp_label": "WHITE"}]}}]
    web.files[PROVIDER] = json.dumps(metadata).encode()
    whole = {"id": "ACME-1", "updated": "2026-01-01T00:00:00Z", **entry}
    web.files[ROLIE] = json.dumps({"feed": {"entry": [whole]}}).encode()


def test_a_directory_at_no_address_is_said(web: Upstream) -> None:
    metadata = json.loads(web.files[PROVIDER])
    metadata["distributions"] = [{"directory_url": NOWHERE}]
    web.files[PROVIDER] = json.dumps(metadata).encode()
    assert web.sync("csaf").error == f"{PROVIDER} names what is no address: nothing was changed"


def test_a_feed_at_no_address_is_said(web: Upstream) -> None:
    rolie(web, {}, NOWHERE)
    assert web.sync("csaf").error == f"{PROVIDER} names what is no address: nothing was changed"


@pytest.mark.parametrize(
    "entry",
    [
        {"content": {"src": NOWHERE}},
        {"link": [{"rel": "self", "href": NOWHERE}]},
        {"content": {"src": "a.json"}, "link": [{"rel": "hash", "href": NOWHERE}]},
        {"content": {"src": "a.json"}, "link": [{"rel": "signature", "href": NOWHERE}]},
    ],
    ids=["content", "self", "hash", "signature"],
)
def test_a_document_at_no_address_is_said(web: Upstream, entry: dict[str, object]) -> None:
    rolie(web, entry)
    assert web.sync("csaf").error == f"{ROLIE} names what is no address: nothing was changed"


def test_a_list_with_no_address_is_said(web: Upstream) -> None:
    web.files[CHANGES] = f'"{NOWHERE}/a.json","2026-01-01T00:00:00Z"\n'.encode()
    assert "names what is no address" in web.sync("csaf").error


@pytest.mark.parametrize("date", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_document_of_a_day_that_no_calendar_has_is_said(web: Upstream, date: str) -> None:
    web.files[CHANGES] = f'"2026/acme-1.json","{date}"\n'.encode()
    assert f"dates a document '{date}'" in web.sync("csaf").error


def test_a_list_that_is_no_table_is_said(web: Upstream) -> None:
    web.files[CHANGES] = b'"' + b"x" * 140_000 + b'","2026-01-01T00:00:00Z"\n'
    assert "changes.csv cannot be read" in web.sync("csaf").error


@pytest.mark.parametrize("key", [NOWHERE, "https://\u2100/key.asc"])
def test_a_key_at_no_address_is_said(web: Upstream, key: str) -> None:
    web.files = csaf_files({"acme-1": making.csaf("ACME-1")}, keys=[{"url": key, "fingerprint": "0" * 40}])
    assert web.sync("csaf").error == f"{PROVIDER} names what is no address: nothing was changed"
