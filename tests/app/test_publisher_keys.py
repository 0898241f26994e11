"""A key that was compared with one publisher's proves nothing of what another is said to say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from tests.app.test_vex import saying, statement
from tests.app.test_vulnerabilities import states
from tests.app.test_work import prepared, queue  # noqa: F401 - fixtures
from tests.feeds import making
from tests.store.conftest import migrated  # noqa: F401 - a fixture

from medwarden.app.knowledge import import_files
from medwarden.app.knowledge_settings import (
    Schedule,
    SyncSettings,
    read_settings,
    with_provider,
    write_settings,
)
from medwarden.app.knowledge_steering import set_ecosystems, set_provider, set_schedule, set_stale_after
from medwarden.app.publisher_keys import bind_known, distrust, trust, vouchers
from medwarden.app.vex import Checked, TakenIn, take_in, weigh
from medwarden.kernel.errors import ConfigurationError
from medwarden.model.vulnerability import MatchState
from medwarden.store.open import Store

KEY = "AB" * 20
PROVIDER = "https://psirt.example/provider-metadata.json"


def taken(store: Store, document: bytes, fingerprint: str = KEY) -> TakenIn:
    checked = Checked("signed", fingerprint, "somebody", tuple(
        name for one in vouchers(store.home) if one.id == fingerprint for name in one.publishers
    ))  # fmt: skip
    return take_in(store.home, "default", document, "it.json", actor="user:anna", checked=checked)


def test_a_key_trusted_for_another_publisher_does_not_vouch(queue: Store) -> None:  # noqa: F811
    trust(queue.home, KEY, "Baxter", actor="user:anna", reason="called Baxter")
    done = taken(queue, saying("B. Braun"))
    assert done.states == {"waiting": 1}
    assert "not for B. Braun: who signs for one does not speak for another" in done.checked
    assert states()["d-main-1"] is MatchState.CONFIRMED
    trust(queue.home, KEY, "B.  BRAUN", actor="user:anna", reason="Baxter signs for B. Braun")
    weigh(queue.home, "default")
    assert statement().state == "counts"
    assert states()["d-main-1"] is MatchState.NOT_AFFECTED
    distrust(queue.home, KEY, "b. braun", actor="user:anna", reason="it does not")
    weigh(queue.home, "default")
    assert statement().state == "waiting"
    assert states()["d-main-1"] is MatchState.CONFIRMED, "what nobody vouches for hides nothing"
    assert vouchers(queue.home)[0].publishers == ("Baxter",)


def test_a_key_trusted_before_is_bound_to_the_publisher_it_was_met_with(queue: Store) -> None:  # noqa: F811
    taken(queue, saying("B. Braun"))
    assert statement().state == "waiting"
    write_settings(queue.home, SyncSettings(openpgp=(KEY.lower(), "CD" * 20)))  # as it was kept before
    weigh(queue.home, "default")
    assert statement().state == "counts"
    assert read_settings(queue.home).vouches == {KEY: ("B. Braun",), "CD" * 20: ()}
    foreign = taken(queue, saying("Baxter"))
    assert "not for Baxter" in foreign.checked
    bind_known(queue.home)
    assert read_settings(queue.home).vouches == {KEY: ("B. Braun",), "CD" * 20: ()}


def test_no_document_names_whom_its_own_key_is_for(queue: Store) -> None:  # noqa: F811
    write_settings(queue.home, SyncSettings(openpgp=(KEY,)))
    assert taken(queue, saying("B. Braun")).states == {"waiting": 1}
    weigh(queue.home, "default")
    assert read_settings(queue.home).vouches == {KEY: ()}
    assert statement().state == "waiting"


def test_a_statement_that_counted_by_a_key_of_somebody_else_counts_no_longer(queue: Store) -> None:  # noqa: F811
    from medwarden.store.models import VexDocument

    taken(queue, saying("Baxter"))
    trust(queue.home, KEY, "B. Braun", actor="user:anna", reason="as every key was trusted once")
    taken(queue, saying("B. Braun", "fixed"))
    assert states()["d-main-1"] is MatchState.FIXED
    assert VexDocument.objects.count() == 2
    write_settings(queue.home, SyncSettings(openpgp=(KEY,)))
    weigh(queue.home, "default")
    assert read_settings(queue.home).vouches == {KEY: ("Baxter",)}, "the first document it was met with"
    assert states()["d-main-1"] is MatchState.CONFIRMED


def test_a_maker_whose_key_is_known_is_not_believed_without_it(queue: Store) -> None:  # noqa: F811
    trust(queue.home, KEY, "B. Braun Melsungen AG", actor="user:anna", reason="called them")
    assert taken(queue, saying("B. Braun"), "").states == {"waiting": 1}
    assert states()["d-main-1"] is MatchState.CONFIRMED


def test_what_counted_before_the_makers_key_was_known_stays(queue: Store) -> None:  # noqa: F811
    assert taken(queue, saying("B. Braun"), "").states == {"counts": 1}
    trust(queue.home, KEY, "B. Braun", actor="user:anna", reason="called them")
    weigh(queue.home, "default")
    assert statement().state == "counts"
    assert states()["d-main-1"] is MatchState.NOT_AFFECTED


def test_trust_names_a_publisher_a_reason_and_what_there_is(queue: Store) -> None:  # noqa: F811
    home = queue.home
    with pytest.raises(ConfigurationError, match="say for which publisher"):
        trust(home, KEY, " ", actor="user:anna", reason="x")
    with pytest.raises(ConfigurationError, match="say how you compared"):
        trust(home, KEY, "Acme", actor="user:anna", reason=" ")
    with pytest.raises(ConfigurationError, match="no fingerprint of an OpenPGP key"):
        trust(home, "psirt.example", "Acme", actor="user:anna", reason="x")
    with pytest.raises(ConfigurationError, match="no fingerprint"):
        trust(home, "ABCD", "Acme", actor="user:anna", reason="x")
    with pytest.raises(ConfigurationError, match="no key that is trusted"):
        distrust(home, KEY, actor="user:anna", reason="x")
    write_settings(home, with_provider(read_settings(home), PROVIDER, asked=True))
    trust(home, PROVIDER, "Acme", actor="user:anna", reason="it publishes for Acme")
    assert read_settings(home).vouches == {PROVIDER: ("Acme",)}
    trust(home, KEY, "Acme", actor="user:anna", reason="x")
    with pytest.raises(ConfigurationError, match="does not speak for"):
        distrust(home, KEY, "Bcme", actor="user:anna", reason="x")
    distrust(home, KEY, actor="user:anna", reason="x")
    assert [one.id for one in vouchers(home) if one.kind == "key"] == []


Decision = Callable[[Path], object]


def _turned_off(held: Schedule) -> Schedule:
    return msgspec.structs.replace(held, at="04:30")


@pytest.mark.parametrize(
    "decision",
    [
        lambda home: trust(home, "CD" * 20, "Baxter", actor="user:bert", reason="called Baxter"),
        lambda home: distrust(home, PROVIDER, "Acme", actor="user:bert", reason="it does not"),
        bind_known,
        lambda home: set_provider(home, "philips.com", asked=True, actor="user:bert", reason="x"),
        lambda home: set_ecosystems(home, ["PyPI"], actor="user:bert", reason="x"),
        lambda home: set_stale_after(home, "kev", 24, actor="user:bert", reason="x"),
        lambda home: set_schedule(home, _turned_off, actor="user:bert", reason="x"),
    ],
    ids=["trust", "distrust", "bind", "provider", "ecosystems", "age", "schedule"],
)
def test_a_key_that_is_ended_while_something_else_is_decided_stays_ended(
    queue: Store,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    decision: Decision,
) -> None:
    """Two decide at once: what the first ended must not come back with what the second had read before."""
    from medwarden.store.changes import Change

    home = queue.home
    before = SyncSettings(
        csaf=(PROVIDER,), openpgp=(KEY, "EF" * 20), vouches={KEY: ("B. Braun",), PROVIDER: ("Acme",)}
    )
    write_settings(home, before)
    enter = Change.__enter__
    ended: list[str] = []

    def after_the_other(self: Change) -> Change:
        if not ended:
            ended.append(KEY)
            distrust(home, KEY, actor="user:anna", reason="its owner lost it")
        return enter(self)

    monkeypatch.setattr(Change, "__enter__", after_the_other)
    decision(home)
    assert ended
    after = read_settings(home)
    assert KEY not in after.openpgp
    assert KEY not in after.vouches
    without = msgspec.structs.replace(before, openpgp=("EF" * 20,), vouches={PROVIDER: ("Acme",)})
    assert after != without, "both decisions hold"


@pytest.mark.parametrize(
    "author", ["B. Braun\u00a0Melsungen", "B.\u200bBraun", "B. \u202eBraun", "B.\nBraun"]
)
def test_a_key_that_was_met_with_a_name_nobody_can_have_is_bound_to_nobody(
    queue: Store,  # noqa: F811
    author: str,
) -> None:
    """A person typed it before names were cleaned: nothing may stand still for it."""
    from medwarden.store.models import VexDocument

    taken(queue, saying("B. Braun"))
    VexDocument.objects.update(author=author)
    write_settings(queue.home, SyncSettings(openpgp=(KEY,)))
    weigh(queue.home, "default")
    assert read_settings(queue.home).vouches == {KEY: ()}
    assert taken(queue, saying("Baxter")).states == {"waiting": 1}


def test_keys_are_bound_before_files_of_publishers_are_taken_in(queue: Store, tmp_path: Path) -> None:  # noqa: F811
    taken(queue, saying("B. Braun"))
    write_settings(queue.home, SyncSettings(openpgp=(KEY,)))
    (tmp_path / "kev.json").write_bytes(making.kev("CVE-2026-10001"))
    assert import_files(queue.home, [tmp_path / "kev.json"], unsigned=True).errors == ()
    assert read_settings(queue.home).vouches == {KEY: ("B. Braun",)}
