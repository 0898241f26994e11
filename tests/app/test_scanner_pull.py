"""Asking scanners: by one process, within bounds, for the connection that is, and without telling secrets."""

from __future__ import annotations

import html
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.connectors.scanners.contract import ACCOUNT, SECRET, Contract, case_files, serving
from tests.store.conftest import home, migrated, store  # noqa: F401 - fixtures

from medwarden.app import scanner_pull
from medwarden.app.scanner_pull import PullReport, is_running
from medwarden.app.scanners import Wanted, change, connect, disconnect
from medwarden.connectors.scanners.desk import Allowance, Asked, Brought, Credentials, Desk
from medwarden.connectors.scanners.registry import connector_named
from medwarden.kernel.clock import NANOSECONDS, wall_clock
from medwarden.kernel.errors import MalformedInput, RemoteServiceError
from medwarden.store.open import Store, ensure_site
from medwarden.transport.http import HttpSession
from medwarden.transport.kept import Kept

(CASE,) = [path for path in case_files("nessus") if path.name.startswith("two_scans")]
OWN = Credentials(ACCOUNT, SECRET)


def test_a_number_that_another_process_has_since_is_no_pull() -> None:
    now = wall_clock()
    assert is_running(os.getpid(), now, 0)
    assert not is_running(os.getpid(), now, now), "it ended"
    assert not is_running(os.getpid(), now - 365 * 86_400 * NANOSECONDS, 0), "begun before this process was"
    assert not is_running(2**22 + 1, now, 0), "there is no such process"


@pytest.fixture
def nessus() -> Iterator[Contract]:
    with serving(CASE) as server:
        yield server


Pull = Callable[..., PullReport]


@pytest.fixture
def pull(store: Store, nessus: Contract) -> Pull:  # noqa: F811
    """Pull from the server through the connection called Ward, which is made."""
    tenant, site = ensure_site(None, None)
    wanted = Wanted(interface="nessus", address=nessus.url, credentials=OWN, name="Ward")
    connect(store.home, tenant, site, wanted, actor="user:anna")

    def run(allowance: Allowance | None = None) -> PullReport:
        from medwarden.store.scanners import connection_called

        nessus.begin_anew()
        row = connection_called("default", "Ward")
        return scanner_pull._Pull(store.home, row, "", None, 0.0, allowance).run()

    return run


def remembered() -> dict[str, str]:
    from medwarden.store.models import ScannerConnection

    return dict(ScannerConnection.objects.get().state)


def kept(store: Store) -> list[str]:  # noqa: F811
    return sorted(file.name for file in (store.home / scanner_pull.FOLDER).rglob("*") if file.is_file())


@pytest.mark.parametrize(
    ("bound", "words"),
    [
        (Allowance(most_reports=1), "1 reports"),
        (Allowance(most_rows=1), "1 rows"),
        (Allowance(most_bytes=2_000), "0 MiB"),
    ],
    ids=["reports", "rows", "bytes"],
)
def test_a_pull_that_brings_more_than_one_may_ends_with_a_word_and_is_taken_up(
    pull: Pull,
    store: Store,  # noqa: F811
    bound: Allowance,
    words: str,
) -> None:
    from medwarden.store.models import Scan

    first = pull(bound)
    assert "more than one pull may bring" in first.error, first
    assert words in first.error
    assert (first.reports, len(remembered())) == (1, 1)
    assert not [name for name in kept(store) if name.endswith(".zst")], "what was taken in is let go of"
    second = pull()
    assert (second.error, second.reports) == ("", 1)
    assert (Scan.objects.count(), len(remembered())) == (2, 2)
    assert pull().reports == 0


def test_a_pull_without_time_ends_before_it_asks(pull: Pull, nessus: Contract) -> None:
    assert "0.0 hours" in pull(Allowance(most_seconds=0.0)).error
    assert nessus.asked == []


def test_what_is_held_of_pulls_before_is_bounded_too(pull: Pull, store: Store) -> None:  # noqa: F811
    assert "more than 0 GiB at once" in pull(Allowance(most_held=1_000)).error
    assert kept(store) == [], "it must not be taken up again"


def elsewhere(store: Store, url: str) -> None:  # noqa: F811
    change(store.home, "default", "Ward", Wanted(address=url, credentials=OWN), actor="user:bert")


def test_a_pull_of_before_leaves_nothing_at_a_connection_that_asks_elsewhere_now(
    pull: Pull,
    store: Store,  # noqa: F811
    nessus: Contract,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from medwarden.store.models import Scan, ScannerConnection

    honest = scanner_pull._Pull._take

    def and_then_moved(self: scanner_pull._Pull, *report: object) -> None:
        honest(self, *report)  # type: ignore[arg-type]  # handed on as they came
        elsewhere(store, nessus.url.replace("127.0.0.1", "localhost"))

    with monkeypatch.context() as patch:
        patch.setattr(scanner_pull._Pull, "_take", and_then_moved)
        report = pull()
    assert "was changed or ended while its scanner was asked" in report.error
    row = ScannerConnection.objects.get()
    assert (row.state, row.error, row.tries, row.brought) == ({}, "", 0, 0)
    assert row.ended_ns > row.begun_ns
    assert kept(store) == []
    assert Scan.objects.count() == 1, "what had come before is a report of whom was asked then"
    assert pull().error == ""
    assert len(remembered()) == 2


def test_new_credentials_at_the_old_address_begin_a_pull_of_their_own(
    pull: Pull,
    store: Store,  # noqa: F811
    nessus: Contract,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """There and back again while a pull is under way: the account may be another one, which sees others."""
    honest = scanner_pull._Pull._take

    def there_and_back(self: scanner_pull._Pull, *report: object) -> None:
        honest(self, *report)  # type: ignore[arg-type]  # handed on as they came
        elsewhere(store, nessus.url.replace("127.0.0.1", "localhost"))
        elsewhere(store, nessus.url)

    with monkeypatch.context() as patch:
        patch.setattr(scanner_pull._Pull, "_take", there_and_back)
        assert "was changed" in pull().error
    assert remembered() == {}


def test_a_connection_that_was_ended_while_others_were_asked_is_not_asked(
    pull: Pull,
    store: Store,  # noqa: F811
    nessus: Contract,
) -> None:
    from medwarden.store.models import ScannerConnection

    row = ScannerConnection.objects.get()
    disconnect("default", "Ward", actor="user:bert", reason="replaced")
    report = scanner_pull._Pull(store.home, row, "", None, 0.0).run()
    assert "was ended" in report.error
    assert nessus.asked == []


def test_a_scanner_that_repeats_what_it_was_told_is_not_repeated(
    pull: Pull, nessus: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medwarden.store.models import AuditEntry, ScannerConnection

    def tell(self: scanner_pull._Pull, *_: object) -> None:
        raise MalformedInput("report", f"the key {SECRET} of {ACCOUNT} is unknown")

    monkeypatch.setattr(scanner_pull._Pull, "_take", tell)
    report = pull()
    assert report.failures
    row = ScannerConnection.objects.get()
    told = f"{report} {row.error} {row.failures} {[each.__dict__ for each in AuditEntry.objects.all()]}"
    assert SECRET not in told
    assert ACCOUNT not in told
    assert "the key … of … is unknown" in told


@pytest.mark.parametrize("half", ["p&ss<w>rd/ +ü", "wörter mit blanks", "plain-secret"])
def test_a_secret_is_left_out_however_it_is_written(half: str) -> None:
    from xml.sax.saxutils import escape

    held = Credentials("reader", half)
    basic = held.basic()["Authorization"].removeprefix("Basic ")
    for written in (half, quote(half, safe=""), quote_plus(half), escape(half), basic):
        assert held.without(f"it says {written}!") == "it says …!"
    assert held.without("it says nothing") == "it says nothing"


_HARD = "p\"ä&ss<w>rd/ '+\\x😀"


@pytest.mark.parametrize(
    "written",
    [
        json.dumps(_HARD)[1:-1],
        json.dumps(_HARD, ensure_ascii=False)[1:-1],
        json.dumps(_HARD).replace("/", "\\/").replace("&", "\\u0026").replace("<", "\\u003C")[1:-1],
        json.dumps(json.dumps(_HARD)[1:-1])[1:-1],
        html.escape(_HARD),
        html.escape(html.escape(_HARD)),
        html.escape(_HARD, quote=False).replace('"', "&#34;").replace("'", "&apos;").replace("ä", "&auml;"),
        repr(_HARD)[1:-1],
        ascii(_HARD)[1:-1],
        repr(_HARD.encode())[2:-1],
        quote(_HARD, safe="").lower(),
        quote(quote(_HARD, safe=""), safe=""),
        json.dumps(quote_plus(_HARD))[1:-1],
    ],
)
def test_a_secret_is_left_out_however_it_is_escaped(written: str) -> None:
    held = Credentials("reader", _HARD)
    assert held.without(f"it says {written}!") == "it says …!"
    assert held.without(f'{{"said":"{written}"}}') == '{"said":"…"}'


_ANY = st.characters(exclude_categories=("C", "Z"))
_AWKWARD = st.sampled_from("\\\"'&;%+# amp25xä😀")


@given(st.text(_ANY, min_size=4, max_size=30) | st.text(_AWKWARD, min_size=4, max_size=30))
@example("00\\\\")
def test_no_secret_survives_an_escape(half: str) -> None:
    held = Credentials("a", half)
    for written in (
        half, json.dumps(half)[1:-1], json.dumps(half, ensure_ascii=False)[1:-1], html.escape(half),
        quote(half), quote_plus(half), repr(half)[1:-1], ascii(half)[1:-1],
    ):  # fmt: skip
        assert set(held.without(f"({written})")) <= {"(", ")", "…", *"\\"}, written


def test_no_answer_makes_a_secret_take_long_to_be_left_out() -> None:
    """With every run of backslashes taken in any of its ways this would not end."""
    held = Credentials("reader", '"\\' * 40 + "end")
    answer = ('"' + "\\" * 12) * 40 + "other"
    assert held.without(answer) == answer


def test_an_account_is_left_out_where_it_is_a_word() -> None:
    held = Credentials("admin", "hunter2!")
    assert held.without("the administrator knows superadmin") == "the administrator knows superadmin"
    for around in ("user {} said", '"{}"', "{}@host", "user%3A{}%20", "a\\n{}\\nb", "{}"):
        assert held.without(around.format("admin")) == around.format("…")
    key = "0123456789abcdef" * 4
    assert Credentials(key, "hunter2!").without(f"accessKey{key}x") == "accessKey…x", "a key is no word"


def test_a_defect_is_logged_where_it_is_and_without_the_secret(
    pull: Pull, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(self: scanner_pull._Pull, *_: object) -> None:
        try:
            raise KeyError(SECRET)
        except KeyError as error:
            raise ValueError(f"{json.dumps(SECRET)} of {ACCOUNT}") from error

    monkeypatch.setattr(scanner_pull._Pull, "_take", fail)
    assert "its log says where" in pull().error
    logged = caplog.text
    assert SECRET not in logged
    assert ACCOUNT not in logged
    assert "ValueError" in logged
    assert "test_scanner_pull.py" in logged


def test_what_is_cut_is_cleaned_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a secret at the end of a sentence that was cut is no word anybody would find."""
    held = Credentials("reader", "correct-horse-battery")
    desk = Desk(
        Asked("Nessus", "https://scanner.example", held),
        HttpSession(), tmp_path, Kept(tmp_path / "kept"), {}, now_s=0.0,
    )  # fmt: skip

    def refuse(*_: object, **__: object) -> object:
        raise msgspec.ValidationError("x" * 150 + held.secret)

    monkeypatch.setattr(Desk, "file", lambda *_, **__: _laid(tmp_path))
    monkeypatch.setattr(msgspec.json, "decode", refuse)
    with pytest.raises(RemoteServiceError) as raised:
        desk.answer("/scans", dict, {})
    assert "correct-ho" not in str(raised.value)
    assert "…" in str(raised.value)


def _laid(folder: Path) -> Path:
    (folder / "answer").write_bytes(b"{}")
    return folder / "answer"


def test_a_pull_tells_how_far_it_is_without_the_secret(pull: Pull, monkeypatch: pytest.MonkeyPatch) -> None:
    from medwarden.store.models import ScannerConnection

    honest = connector_named("nessus").pull

    def telling(desk: Desk) -> Iterator[Brought]:
        yield from honest(desk)
        desk.tell(1, 2, "x" * 155 + SECRET)

    monkeypatch.setattr(connector_named("nessus"), "pull", staticmethod(telling))
    monkeypatch.setattr(scanner_pull, "_WRITE_SECONDS", -1.0)
    told = list[str]()
    monkeypatch.setattr("medwarden.store.scanners.note_progress", lambda *how: told.append(how[-1][:160]))
    assert pull().reports == 2
    assert told[-1] == "x" * 155 + "…"
    assert ScannerConnection.objects.get().error == ""


def test_an_empty_folder_is_where_nothing_was_kept(tmp_path: Path) -> None:
    held = Kept(tmp_path / "kept")
    (tmp_path / "report").write_bytes(b"report " * 10_000)
    held.store("one", tmp_path / "report")
    assert held.restore("one", tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == b"report " * 10_000
    packed = tmp_path / "kept" / "one.zst"
    whole = packed.read_bytes()
    for damaged in (b"", whole[:3], whole[:-5], whole[:-1] + b"x", b"no frame of zstd at all, but as long"):
        packed.write_bytes(damaged)
        assert not held.restore("one", tmp_path / "again"), damaged
        assert not packed.exists()
        assert not (tmp_path / "again").exists()
    held.store("two", tmp_path / "report")
    held.drop("two")
    held.drop("three")
    assert list((tmp_path / "kept").iterdir()) == []
    (tmp_path / "kept").rmdir()
    held.clear()
