"""Nobody signs up by himself: an administrator makes the accounts."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class ClosedSignup(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """Account adapter of django-allauth with the sign-up page closed."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:  # noqa: ARG002 (allauth's signature)
        """Return False: accounts are made with ``medwarden user`` or on the settings page."""
        return False
