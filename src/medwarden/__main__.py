"""``python -m medwarden`` is the ``medwarden`` command."""

from __future__ import annotations

from medwarden.cli.main import main

main()
