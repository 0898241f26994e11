"""Charts as inline SVG. Each has a title and a description for screen readers; its numbers stand beside it.

No styles are inlined: colours come from classes of the page's style sheet, so that light, dark and
print need one drawing.
"""

from __future__ import annotations

from collections.abc import Sequence

from medwarden.assessment.markup import Markup, element, join

LEVEL_STEPS = (("low", 0), ("medium", 25), ("high", 50), ("critical", 75))


def chart(
    name: str, title: str, description: str, size: tuple[float, float], *shapes: Markup, kind: str = "chart"
) -> Markup:
    """Return an SVG image of ``size`` units that scales to its column. ``name`` is its id."""
    width, height = size
    return element(
        "svg",
        element("title", title, id=f"{name}-title"),
        element("desc", description, id=f"{name}-desc"),
        *shapes,
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
        class_=kind,
        preserveAspectRatio="xMidYMid meet",
    )


def bar(share: float, label: str, kind: str = "accent") -> Markup:
    """Return a thin horizontal bar filled to ``share`` (0 to 1), for a table cell or a card."""
    filled = max(0.0, min(share, 1.0)) * 100
    return element(
        "svg",
        element("rect", x=0, y=0, width=100, height=8, class_="track"),
        element("rect", x=0, y=0, width=filled, height=8, class_=f"fill-{kind}"),
        viewBox="0 0 100 8",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
        class_="bar",
    )


def waterfall(parts: Sequence[tuple[str, int]], label: str) -> Markup:
    """Return the points of a score as one stacked bar out of 100; ``parts`` are (group, points).

    Negative points (controls) are drawn hatched at the end of the bar, where they took points away.
    """
    shapes = [element("rect", x=0, y=0, width=100, height=8, class_="track")]
    at = 0.0
    total = sum(points for _, points in parts)
    for group, points in parts:
        if points > 0:
            width = max(0.0, min(float(points), 100 - at))
            shapes.append(
                element("rect", x=at, y=0, width=max(width - 0.4, 0.1), height=8, class_=f"part-{group}")
            )
            at += width
    if at > total:
        shapes.append(element("rect", x=total, y=0, width=at - total, height=8, class_="part-control"))
    return element(
        "svg",
        *shapes,
        viewBox="0 0 100 8",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
        class_="bar",
    )


def histogram(name: str, title: str, counts: Sequence[int]) -> Markup:
    """Return devices by score: ``counts`` of equal bins from 0 to 100, coloured by level, with its scale."""
    width, height, left, bottom, top = 640.0, 220.0, 36.0, 28.0, 20.0
    most = max([*counts, 1])
    plot = height - bottom - top
    step = (width - left) / len(counts)
    shapes: list[Markup] = []
    for value in _ticks(most):
        y = top + plot * (1 - value / most)
        shapes.append(element("line", x1=left, y1=y, x2=width, y2=y, class_="grid"))
        shapes.append(_label(str(value), left - 8, y + 4, "end"))
    for index, count in enumerate(counts):
        start = index * 100 / len(counts)
        level = [kind for kind, least in LEVEL_STEPS if start >= least][-1]
        if count:
            size = max(plot * count / most, 2.0)
            shapes.append(
                element(
                    "rect",
                    x=left + index * step + 1.5,
                    y=top + plot - size,
                    width=step - 3,
                    height=size,
                    rx=1.5,
                    class_=f"level-{level}",
                )
            )
            shapes.append(_label(str(count), left + (index + 0.5) * step, top + plot - size - 4, "middle"))
    shapes.append(element("line", x1=left, y1=top + plot, x2=width, y2=top + plot, class_="axis"))
    for value in (0, 25, 50, 75, 100):
        x = left + (width - left) * value / 100
        anchor = "end" if value == 100 else "middle" if value else "start"
        shapes.append(element("line", x1=x, y1=top + plot, x2=x, y2=top + plot + 4, class_="axis"))
        shapes.append(_label(str(value), x, height - 8, anchor))
    told = ", ".join(
        f"{round(i * 100 / len(counts))} to {round((i + 1) * 100 / len(counts)) - 1}: {n}"
        for i, n in enumerate(counts)
        if n
    )
    description = f"Number of devices per score from 0 to 100: {told}" if told else "No device has a score."
    return chart(name, title, description, (width, height), *shapes)


def curve(
    name: str, title: str, points: Sequence[tuple[int, int]], start: int, end: int, ends: tuple[str, str]
) -> Markup:
    """Return a step line of (ns, running total) between ``start`` and ``end``; ``ends`` name both times."""
    width, height, left, bottom, top = 640.0, 180.0, 44.0, 28.0, 16.0
    most = max([n for _, n in points] + [1])
    plot = height - bottom - top
    span = max(end - start, 1)

    def x(ts: int) -> float:
        return left + (width - left - 2) * min(max(ts - start, 0), span) / span

    def y(number: int) -> float:
        return top + plot * (1 - number / most)

    shapes = []
    for value in _ticks(most):
        shapes.append(element("line", x1=left, y1=y(value), x2=width, y2=y(value), class_="grid"))
        shapes.append(_label(str(value), left - 8, y(value) + 4, "end"))
    path = [f"M{x(start):.1f} {y(0):.1f}"]
    for ts, number in points:
        path.append(f"H{x(ts):.1f}V{y(number):.1f}")
    path.append(f"H{x(end):.1f}")
    line = "".join(path)
    shapes.append(element("path", d=f"{line}V{y(0):.1f}Z", class_="area"))
    shapes.append(element("path", d=line, class_="line"))
    shapes.append(element("line", x1=left, y1=y(0), x2=width, y2=y(0), class_="axis"))
    shapes.append(_label(ends[0], left, height - 8, "start"))
    shapes.append(_label(ends[1], width, height - 8, "end"))
    last = points[-1][1] if points else 0
    return chart(name, title, f"{last} devices were seen by {ends[1]}.", (width, height), *shapes)


def treemap(name: str, title: str, cells: Sequence[tuple[str, int, str]]) -> Markup:
    """Return areas in proportion to counts; ``cells`` are (label, count, class of the style sheet)."""
    width, height = 640.0, 300.0
    ordered = sorted((c for c in cells if c[1] > 0), key=lambda c: (-c[1], c[0]))
    shapes = []
    for (label, count, kind), (x, y, w, h) in zip(
        ordered, squarified([c[1] for c in ordered], width, height), strict=True
    ):
        shapes.append(
            element(
                "rect",
                x=x + 1,
                y=y + 1,
                width=max(w - 2, 0.5),
                height=max(h - 2, 0.5),
                rx=2,
                class_=f"cell-{kind}",
            )
        )
        room = int((w - 16) / 6.4)
        if h >= 24 and room >= 3:
            shown = label if len(label) <= room else label[: room - 1].rstrip() + "…"
            shapes.append(_label(shown, x + 9, y + 18, "start", f"on-{kind}"))
            if h >= 40:
                shapes.append(_label(f"{count:,}", x + 9, y + 34, "start", f"on-{kind} number"))
    description = ", ".join(f"{label}: {count}" for label, count, _ in ordered)
    return chart(name, title, description or "No device.", (width, height), *shapes, kind="chart areas")


def squarified(
    values: Sequence[float], width: float, height: float
) -> list[tuple[float, float, float, float]]:
    """Return rectangles (x, y, width, height) with areas in proportion to ``values``, largest first.

    Squarified treemap of Bruls, Huizing and van Wijk (2000): rows along the shorter side, each as long
    as the worst aspect ratio improves.
    """
    total = sum(values)
    if total <= 0:
        return []
    areas = [value * width * height / total for value in values]
    result: list[tuple[float, float, float, float]] = []
    x = y = 0.0
    start = 0
    while start < len(areas):
        side = min(width, height)
        end = start + 1
        while end < len(areas) and _worst(areas[start : end + 1], side) <= _worst(areas[start:end], side):
            end += 1
        row = areas[start:end]
        depth = sum(row) / side if side > 0 else 0.0
        at = 0.0
        for area in row:
            length = area / depth if depth > 0 else 0.0
            if width >= height:
                result.append((x, y + at, depth, length))
            else:
                result.append((x + at, y, length, depth))
            at += length
        if width >= height:
            x, width = x + depth, max(width - depth, 0.0)
        else:
            y, height = y + depth, max(height - depth, 0.0)
        start = end
    return result


def _worst(row: Sequence[float], side: float) -> float:
    total = sum(row)
    if total <= 0 or side <= 0:
        return float("inf")
    return max(side * side * max(row) / (total * total), total * total / (side * side * min(row)))


def _ticks(most: int) -> list[int]:
    """Return two to five round values up to ``most``, 0 left out."""
    size = 1
    while most / size > 5:
        size = size * 5 // 2 if str(size).startswith("2") else size * 2
    return list(range(size, most + 1, size))


def _label(words: str, x: float, y: float, anchor: str, kind: str = "") -> Markup:
    return element("text", words, x=x, y=y, text_anchor=anchor, class_=f"tick {kind}".strip())


def legend(items: Sequence[tuple[str, str]]) -> Markup:
    """Return the key of a chart: (class of the style sheet, words)."""
    return element(
        "ul",
        (
            element(
                "li",
                element("svg", element("rect", width=10, height=10, rx=2, class_=kind), viewBox="0 0 10 10",
                        aria_hidden="true", class_="key"),
                join(" ", words),
            )
            for kind, words in items
        ),
        class_="legend",
    )  # fmt: skip
