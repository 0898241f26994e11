"""The demonstration's advisories: documents that feeds read whole, with the scores of their vectors."""

from __future__ import annotations

import json
from pathlib import Path

from cvss import CVSS3

from medwarden.app.demo.advisories import write_advisories
from medwarden.app.knowledge import import_files
from medwarden.app.knowledge_status import DEMONSTRATION, standing
from medwarden.store.knowledge import Knowledge


def test_every_document_is_read_by_its_feed(tmp_path: Path) -> None:
    folder, home = tmp_path / "documents", tmp_path / "home"
    folder.mkdir()
    write_advisories(folder)
    brought = import_files(home, [folder], unsigned=True)
    assert brought.errors == () and brought.unknown == ()
    kept = {feed.feed: (feed.kept, feed.seen) for feed in brought.feeds}
    assert kept == {"csaf": (10, 10), "kev": (2, 2)}
    with Knowledge(home) as knowledge:
        known = {flaw.id for advisory in knowledge.advisories() for flaw in advisory.vulnerabilities}
    assert {"CVE-2017-0144", "CVE-2019-12256", "CVE-2020-6961"} <= known


def test_every_score_is_that_of_its_vector(tmp_path: Path) -> None:
    write_advisories(tmp_path)
    told = 0
    for path in tmp_path.glob("*.json"):
        for flaw in json.loads(path.read_text())["vulnerabilities"]:
            for score in flaw.get("scores", ()):
                said = score["cvss_v3"]
                computed = CVSS3(said["vectorString"])
                assert said["baseScore"] == float(computed.scores()[0])
                assert said["baseSeverity"] == computed.severities()[0].upper()
                told += 1
    assert told > 15


def test_a_demonstration_does_not_call_its_own_facts_too_old(tmp_path: Path) -> None:
    folder, home = tmp_path / "documents", tmp_path / "home"
    folder.mkdir()
    write_advisories(folder)
    import_files(home, [folder], unsigned=True, proof=DEMONSTRATION)
    now = standing(home)
    assert now.shown and not now.stale
    assert all("demonstration" in sentence for sentence in now.sentences)
    brought = tmp_path / "brought"
    import_files(brought, [folder], unsigned=True)  # the same files as a person brings them
    now = standing(brought)
    assert not now.shown and set(now.stale) == {"csaf", "kev"}
