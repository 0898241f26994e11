"""Colours: text and marks reach WCAG 2.2 AA on every surface they stand on, light and dark."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from medwarden.web import static_files

CSS = (Path(static_files.__file__).parent / "static/css/tokens.css").read_text()
LEVELS = ("ok", "low", "medium", "high", "critical")


def block(start: str) -> dict[str, str]:
    text = CSS[CSS.index(start) :]
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", text[: text.index("}")]))


LIGHT = block(":root {")
DARK = block(':root[data-theme="dark"]')
AUTO = block(':root:not([data-theme="light"]')


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, two: str) -> float:
    """Return the contrast ratio of WCAG 2.2, section 1.4.3."""
    high, low = sorted((luminance(one), luminance(two)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_dark_and_automatic_dark_are_the_same() -> None:
    assert DARK == AUTO


def test_both_themes_name_the_same_colours() -> None:
    assert set(DARK) == set(LIGHT)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_reaches_4_5(theme: dict[str, str]) -> None:
    surfaces = ("page", "surface", "sunken", "hover", "selected")
    pairs = [(t, s) for t in ("text", "text-soft") for s in surfaces]
    pairs += [("text-faint", s) for s in ("page", "surface", "sunken", "hover")]
    pairs += [("accent", s) for s in ("page", "surface", "hover", "selected")]
    pairs += [("accent-strong", "accent-soft"), ("on-accent", "accent"), ("text-soft", "none-soft")]
    pairs += [(level, f"{level}-soft") for level in LEVELS] + [(level, "surface") for level in LEVELS]
    weak = {
        p: round(contrast(theme[p[0]], theme[p[1]]), 2)
        for p in pairs
        if contrast(theme[p[0]], theme[p[1]]) < 4.5
    }
    assert weak == {}


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_marks_and_edges_of_controls_reach_3(theme: dict[str, str]) -> None:
    names = ["control-edge", "focus", *(f"mark-{i}" for i in range(1, 9))]
    weak = {
        n: round(contrast(theme[n], theme["surface"]), 2)
        for n in names
        if contrast(theme[n], theme["surface"]) < 3
    }
    assert weak == {}


def test_there_are_five_sizes_of_type() -> None:
    assert len(re.findall(r"--size-\d: ", CSS)) == 5
    other = Path(static_files.__file__).parent / "static/css"
    for path in other.glob("*.css"):
        sizes = re.findall(r"font-size: ([^;]+);", path.read_text())
        assert all(s.startswith("var(--size-") or s in ("100%", "0.9286em") for s in sizes), path.name
