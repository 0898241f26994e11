"""ASGI entry point: ``uvicorn medwarden.web.asgi:application``."""

from __future__ import annotations

import os
from importlib import import_module
from typing import cast

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "medwarden.app.django_settings")

from django.core.asgi import get_asgi_application

from medwarden.web.static_files import Application, with_static_files

application = with_static_files(cast(Application, get_asgi_application()))

# After Django is set up: it reads the store's models.
import_module("medwarden.web.warming").begin()
