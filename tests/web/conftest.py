"""A furnished data folder, copied for every test, and browsers signed in with any role."""

from __future__ import annotations

import importlib.util
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import Client
from pytest_django.plugin import DjangoDbBlocker
from tests.waiting import PATIENCE

from medwarden.kernel.clock import NANOSECONDS
from medwarden.model.role import Role
from medwarden.store.accounts import create_user
from medwarden.store.changes import Change
from medwarden.store.models import Device, User
from medwarden.store.open import Store, open_store

NOW = 1_790_000_000 * NANOSECONDS
PASSWORD = "correct-horse-battery"


def _fill(store: Store, scale: float) -> None:
    spec = importlib.util.spec_from_file_location(
        "medwarden_hospital", Path(__file__).with_name("hospital.py")
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.fill(store, NOW, scale)


def _person(role: Role, name: str, sites: tuple[str, ...] = (), factor: bool = True) -> User:
    with Change("test", "test") as change:
        user = create_user(change, name, PASSWORD, role, sites=sites)
    if role is Role.ADMINISTRATOR and factor:
        TOTP.activate(user, generate_totp_secret())
    return user


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker) -> Path:
    home = tmp_path_factory.mktemp("furnished") / "home"
    with django_db_blocker.unblock(), open_store(home, writer=True) as store:
        _fill(store, 0.1)
        for role in Role:
            _person(role, role.value)
    return home


def _counted() -> None:
    """Wait for what pages count beside the request: it needs the folder, and a slow machine counts long."""
    for thread in threading.enumerate():
        if thread.name == "recently":
            thread.join(PATIENCE)


@pytest.fixture
def store(furnished: Path, tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[Store]:
    home = Path(shutil.copytree(furnished, tmp_path / "home"))
    with django_db_blocker.unblock(), open_store(home, writer=True) as opened:
        yield opened
        _counted()


@pytest.fixture
def empty_store(tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[Store]:
    with django_db_blocker.unblock(), open_store(tmp_path / "empty", writer=True) as opened:
        yield opened
        _counted()


PersonMaker = Callable[..., User]


@pytest.fixture
def person(store: Store) -> PersonMaker:
    """Make a person; administrators get the second factor they need."""
    return _person


ClientMaker = Callable[..., Client]


@pytest.fixture
def signed_in(person: PersonMaker) -> ClientMaker:
    """Make a browser in which a person of some role is signed in."""

    def make(role: Role, name: str = "", sites: tuple[str, ...] = (), checks: bool = False) -> Client:
        client = Client(enforce_csrf_checks=checks)
        client.force_login(
            person(role, name, sites) if name else User.objects.get(username=role.value),
            backend="allauth.account.auth_backends.AuthenticationBackend",
        )
        return client

    return make


@pytest.fixture
def one(store: Store) -> Callable[..., Device]:
    """Return the first device that matches."""
    return lambda **wanted: Device.objects.filter(**wanted).order_by("pk")[0]
