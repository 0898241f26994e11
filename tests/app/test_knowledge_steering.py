"""What an operator sets: kept, audited, refused where it cannot hold."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django.plugin import DjangoDbBlocker

from medwarden.app.knowledge_settings import known_providers, read_settings
from medwarden.app.knowledge_steering import providers
from medwarden.cli.main import run
from medwarden.feeds.csaf_providers import metadata_url
from medwarden.feeds.download import Sources
from medwarden.store.open import open_store


@pytest.fixture(autouse=True)
def _database(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock():
        yield


@pytest.fixture
def home(tmp_path: Path, migrated: Path) -> Path:
    return Path(shutil.copytree(migrated, tmp_path / "home"))


def test_the_known_providers_hold_the_one_that_is_asked_by_default() -> None:
    known = known_providers()
    assert {one.address for one in known if one.on} == set(Sources().csaf)
    assert len({one.domain for one in known}) == len(known)
    assert all(metadata_url(one.address).startswith("https://") for one in known)


def test_a_provider_is_added_by_name_and_taken_away_by_domain(home: Path) -> None:
    assert run(["knowledge", "provider", "add", "Philips", "--home", str(home)]) == 0
    assert run(["knowledge", "provider", "add", "https://acme.example/p.json", "--home", str(home)]) == 0
    chosen = [one for one in providers(read_settings(home)) if one.asked]
    assert [one.name for one in chosen] == ["CISA", "Philips", "https://acme.example/p.json"]
    assert [one.published for one in chosen] == [True, False, True]
    assert run(["knowledge", "provider", "remove", "philips.com", "--home", str(home)]) == 0
    assert run(["knowledge", "provider", "remove", "philips.com", "--home", str(home)]) == 2
    assert run(["knowledge", "provider", "add", "ftp://x.example/", "--home", str(home)]) == 2
    with open_store(home, writer=False):
        from medwarden.store.models import AuditEntry

        rows = AuditEntry.objects.filter(action="knowledge.settings")
        assert [row.actor[:4] for row in rows] == ["cli:"] * 3
        assert "philips.com" in rows[0].after


def test_the_schedule_is_turned_on_and_its_first_look_lies_ahead(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["knowledge", "schedule", "--home", str(home)]
    assert run(command) == 0
    assert "off: nothing is looked for by itself" in capsys.readouterr().out
    assert run([*command, "--on", "--at", "04:00", "--feed", "kev", "--feed", "epss"]) == 0
    assert "every day from 04:00 (UTC), up to 45 minutes later: kev, epss; next 2" in capsys.readouterr().out
    assert run([*command, "--at", "4 o'clock"]) == 2
    assert read_settings(home).schedule.at == "04:00"
    assert run([*command, "--off"]) == 0
    assert not read_settings(home).schedule.on


def test_ages_and_ecosystems_are_set_and_taken_back(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["knowledge", "stale-after", "kev", "24", "--home", str(home)]) == 0
    assert run(["knowledge", "stale-after", "kev", "--home", str(home)]) == 0
    assert capsys.readouterr().out == "kev is stale after 24 hours\nkev is stale after 72 hours\n"
    assert run(["knowledge", "ecosystems", "PyPI", "Debian", "--home", str(home)]) == 0
    assert read_settings(home).osv == ("PyPI", "Debian")
    assert run(["knowledge", "ecosystems", "--none", "--home", str(home)]) == 0
    assert read_settings(home).osv is None
