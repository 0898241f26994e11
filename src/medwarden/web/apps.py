"""The Django application of the console and the HTTP API."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig


class WebConfig(AppConfig):
    """Pages, HTTP API, log-in."""

    name = "medwarden.web"
    label = "web"
    verbose_name = "Console"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Connect the receivers of sign-in events."""
        import_module("medwarden.web.accounts")
