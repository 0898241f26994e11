"""The Django application that holds medwarden's tables."""

from __future__ import annotations

from django.apps import AppConfig


class StoreConfig(AppConfig):
    """Application ``store``."""

    name = "medwarden.store"
    label = "store"
    default_auto_field = "django.db.models.BigAutoField"
