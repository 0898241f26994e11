"""Settings: people and roles, sites, the audit chain."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client

from medwarden.model.role import Permission, Role
from medwarden.store.models import AuditEntry, Site, User
from medwarden.store.open import ensure_site
from medwarden.web.models import FirstPassword
from medwarden.web.views.settings import PERMISSION_WORDS

SignedIn = Callable[..., Client]


def test_a_new_person_gets_a_first_password_that_is_shown_once(signed_in: SignedIn) -> None:
    admin = signed_in(Role.ADMINISTRATOR)
    admin.post("/settings/people/new/", {"username": "jo", "role": "biomedical_engineer"})
    page = admin.get("/settings/people/").content.decode()
    shown = re.search(r'id="new-password">([^<]+)<', page)
    assert shown is not None
    assert "new-password" not in admin.get("/settings/people/").content.decode()
    assert User.objects.get(username="jo").role == "biomedical_engineer"
    client = Client()
    client.post("/account/login/", {"login": "jo", "password": shown[1]})
    assert client.get("/")["Location"] == "/account/password/"


@pytest.mark.parametrize(
    "body",
    [{"username": ""}, {"username": "viewer"}, {"username": "x", "role": "god"}, {"username": "VIEWER"}],
)
def test_a_person_without_name_or_with_a_taken_one_is_refused(
    body: dict[str, str], signed_in: SignedIn
) -> None:
    before = User.objects.count()
    signed_in(Role.ADMINISTRATOR).post("/settings/people/new/", {"role": "viewer", **body})
    assert User.objects.count() == before


def test_a_role_is_changed_and_audited(signed_in: SignedIn) -> None:
    other = User.objects.get(username="viewer")
    signed_in(Role.ADMINISTRATOR).post(f"/settings/people/{other.pk}/", {"act": "role", "role": "analyst"})
    other.refresh_from_db()
    assert other.role == "analyst"
    entry = AuditEntry.objects.latest("sequence")
    assert (entry.actor, entry.subject) == ("user:administrator", "user:viewer")


def test_the_last_administrator_stays(signed_in: SignedIn) -> None:
    admin = signed_in(Role.ADMINISTRATOR)
    me = User.objects.get(username="administrator")
    for body in ({"act": "role", "role": "viewer"}, {"act": "off"}):
        page = admin.post(f"/settings/people/{me.pk}/", body, follow=True).content.decode()
        assert "last administrator" in page
    me.refresh_from_db()
    assert (me.role, me.is_active) == ("administrator", True)


def test_a_new_first_password_removes_the_factors(signed_in: SignedIn, person: Callable[..., User]) -> None:
    other = person(Role.ADMINISTRATOR, "second")
    assert Authenticator.objects.filter(user=other).exists()
    signed_in(Role.ADMINISTRATOR).post(f"/settings/people/{other.pk}/", {"act": "password"})
    assert not Authenticator.objects.filter(user=other).exists()
    assert FirstPassword.objects.filter(owner=other).exists()


def test_a_site_is_renamed_and_its_id_stays(signed_in: SignedIn) -> None:
    site = Site.objects.get()
    admin = signed_in(Role.ADMINISTRATOR)
    admin.post(f"/settings/sites/{site.pk}/", {"name": "St. Anna"})
    assert Site.objects.get().name == "St. Anna"
    admin.post(f"/settings/sites/{site.pk}/", {"name": " "})
    assert Site.objects.get().name == "St. Anna"


def test_a_site_claims_vlans_that_no_other_has(signed_in: SignedIn) -> None:
    ensure_site(None, "clinic")
    client = signed_in(Role.ADMINISTRATOR)
    page = client.post("/settings/sites/clinic/vlans/", {"vlans": "100-199"}, follow=True).content.decode()
    assert 'value="100-199"' in page
    page = client.post("/settings/sites/main/vlans/", {"vlans": "150"}, follow=True).content.decode()
    assert "VLAN 150 belongs to clinic" in page
    assert client.post("/settings/sites/nowhere/vlans/", {"vlans": "1"}).status_code == 404
    assert AuditEntry.objects.filter(subject="setting:vlans").count() == 1


def test_the_audit_page_finds_what_was_tampered_with(signed_in: SignedIn) -> None:
    auditor = signed_in(Role.AUDITOR)
    assert "The chain is whole" in auditor.get("/settings/audit/?check=yes").content.decode()
    middle = AuditEntry.objects.count() // 2
    AuditEntry.objects.filter(sequence=middle).update(reason="nothing to see here")
    page = auditor.get("/settings/audit/?check=yes").content.decode()
    assert f"The chain is broken at entry {middle:,}" in page


def test_the_audit_chain_is_paged_and_filtered(signed_in: SignedIn) -> None:
    auditor = signed_in(Role.AUDITOR)
    page = auditor.get("/settings/audit/").content.decode()
    entries = [int(n) for n in re.findall(r'<td data-label="Entry"[^>]*>(\d+)</td>', page)]
    assert entries == sorted(entries, reverse=True)
    assert f"before={entries[-1]}" in page
    older = auditor.get(f"/settings/audit/?before={entries[-1]}").content.decode()
    assert f">{entries[-1] - 1}</td>" in older
    opened = auditor.get("/settings/audit/?action=finding.opened").content.decode()
    assert "Finding opened" in opened
    assert "Device identified" not in opened


def test_settings_lead_to_what_the_role_includes(signed_in: SignedIn) -> None:
    targets = {role: signed_in(role).get("/settings/")["Location"] for role in Role}
    assert targets[Role.ADMINISTRATOR] == "/settings/people/"
    assert targets[Role.AUDITOR] == "/settings/audit/"
    assert targets[Role.VIEWER] == "/settings/about/"


def test_every_permission_is_said_in_words_of_its_own(signed_in: SignedIn) -> None:
    assert set(PERMISSION_WORDS) == set(Permission)
    page = signed_in(Role.ADMINISTRATOR).get("/settings/about/").content.decode()
    assert "Say what a device is" in page
    assert "Correct identity" not in page
