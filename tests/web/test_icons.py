"""Every category has a drawing, and every drawing that is asked for exists."""

from __future__ import annotations

import re
from pathlib import Path

from medwarden.knowledge import taxonomy
from medwarden.web import icons, static_files

PACKAGE = Path(static_files.__file__).parent
SPRITE = (PACKAGE / "static/icons/sprite.svg").read_text()
SYMBOLS = set(re.findall(r'<symbol id="([^"]+)"', SPRITE))


def test_every_category_has_a_drawing_of_its_kind() -> None:
    for category in taxonomy.categories().values():
        assert icons.category_icon(category.id, category.device_class.value) in SYMBOLS, category.id


def test_categories_that_matter_do_not_fall_back() -> None:
    plain = {"cat-unknown", "cat-medical"}
    fallen = [c.id for c in taxonomy.categories().values() if icons.category_icon(c.id) in plain]
    assert len(fallen) < len(taxonomy.categories()) / 10, fallen


def test_no_drawing_is_named_for_a_category_that_does_not_exist() -> None:
    assert set(icons._BY_CATEGORY) <= set(taxonomy.categories())


def test_templates_ask_for_drawings_that_exist() -> None:
    asked = {
        name
        for template in (PACKAGE / "templates").rglob("*.html")
        for name in re.findall(r'{% icon "([^"]+)"', template.read_text())
    }
    assert asked
    assert asked <= SYMBOLS
