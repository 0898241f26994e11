"""HTML and SVG as values: whatever is not markup is escaped, so that no host name can become a tag."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

NO_BREAK = "\u00a0"
VOID = frozenset({"br", "hr", "img", "meta", "link", "input", "col"})


class Markup(str):
    """Text that is markup already. Only :func:`element` and :func:`join` make it."""

    __slots__ = ()


def text(value: str) -> Markup:
    """Return ``value`` escaped; what is not printable (controls, direction marks) becomes a blank."""
    if not value.isprintable():
        value = "".join(c if c.isprintable() or c == NO_BREAK else " " for c in value)
    return Markup(escape(value, quote=True))


def join(*children: object) -> Markup:
    """Return children one after the other: markup as it is, other text and numbers escaped, None as nothing.

    Raises TypeError for anything else, so that no object's ``repr`` reaches a page.
    """
    return Markup("".join(_rendered(children)))


def element(tag: str, *children: object, **attributes: str | float | bool | None) -> Markup:
    """Return an element. ``class_`` is class; other underscores in attribute names become hyphens.

    An attribute that is None or False is left out, one that is True has no value.
    """
    parts = [f"<{tag}"]
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        name = name.rstrip("_").replace("_", "-")
        parts.append(f" {name}" if value is True else f' {name}="{_attribute(value)}"')
    parts.append(">")
    if tag not in VOID:
        parts += [join(*children), f"</{tag}>"]
    return Markup("".join(parts))


def _attribute(value: str | float) -> str:
    if isinstance(value, str):
        return text(value)
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _rendered(children: Iterable[object]) -> Iterable[str]:
    for child in children:
        if child is None:
            continue
        if isinstance(child, Markup):
            yield child
        elif isinstance(child, str):
            yield text(child)
        elif isinstance(child, int) and not isinstance(child, bool):
            yield f"{child:,}"
        elif isinstance(child, Iterable):
            yield from _rendered(child)
        else:
            raise TypeError(f"a page cannot show a {type(child).__name__}")
