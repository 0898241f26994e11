"""How signing in goes where django-allauth leaves it to the product."""

from __future__ import annotations

import time

from allauth.account import app_settings
from allauth.account.authentication import get_authentication_records

from medwarden.store.signup import ClosedSignup


class ConsoleAccounts(ClosedSignup):
    """Account adapter: nobody signs up, and who has just signed in is not asked to prove it again."""

    def is_reauthentication_required(self, **asked: str) -> bool:
        """Tell whether the password or a factor is to be asked again before a change of sign-in.

        Within ``ACCOUNT_REAUTHENTICATION_TIMEOUT`` (300 s) of signing in it is not.
        """
        if not super().is_reauthentication_required(**asked):
            return False
        records = get_authentication_records(self.request, self.request.user)
        return not records or time.time() - records[-1]["at"] >= app_settings.REAUTHENTICATION_TIMEOUT
