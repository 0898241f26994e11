"""Charts of the replay bench as inline SVG: calibration, time to identify, figures with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence

from medwarden.assessment.charts import chart
from medwarden.assessment.markup import Markup, element
from medwarden.model.score import Bin, Interval

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 640.0, 260.0, 52.0, 34.0, 12.0
_TIMES = (
    (1.0, "1 s"),
    (10.0, "10 s"),
    (60.0, "1 min"),
    (600.0, "10 min"),
    (3600.0, "1 h"),
    (86400.0, "1 day"),
)


def _label(words: str, x: float, y: float, anchor: str) -> Markup:
    return element("text", words, x=x, y=y, text_anchor=anchor, class_="tick")


def _shares(plot: float) -> list[Markup]:
    """Return the horizontal lines of a chart whose height is a share."""
    shapes = []
    for step in range(5):
        y = _TOP + plot * (1 - step / 4)
        shapes.append(element("line", x1=_LEFT, y1=y, x2=_WIDTH, y2=y, class_="grid"))
        shapes.append(_label(f"{step * 25} %", _LEFT - 8, y + 4, "end"))
    return shapes


def calibration(name: str, title: str, bins: Sequence[Bin]) -> Markup:
    """Return how often answers were right (height) by how sure they were (width); the diagonal is honest.

    The area of a point goes with how many answers stand behind it.
    """
    plot, width = _HEIGHT - _BOTTOM - _TOP, _WIDTH - _LEFT
    most = max((b.count for b in bins), default=1)
    shapes = _shares(plot)
    shapes.append(element("line", x1=_LEFT, y1=_TOP + plot, x2=_WIDTH, y2=_TOP, class_="diagonal"))
    for step in range(5):
        x = _LEFT + width * step / 4
        shapes.append(_label(f"{step * 25} %", x, _HEIGHT - 12, "end" if step == 4 else "middle"))
    for b in bins:
        x, y = _LEFT + width * b.confidence, _TOP + plot * (1 - b.right)
        shapes.append(element("circle", cx=x, cy=y, r=3 + 11 * math.sqrt(b.count / most), class_="dot"))
        shapes.append(
            _label(f"{b.count:,}", x, y - 18 if y > 40 else y + 28, "end" if b.confidence > 0.9 else "middle")
        )
    told = "; ".join(
        f"{b.count} answers with {b.confidence:.0%} confidence, right in {b.right:.0%}" for b in bins
    )
    return chart(name, title, told or "No answer was judged.", (_WIDTH, _HEIGHT), *shapes)


def identified_over_time(name: str, title: str, curve: Sequence[tuple[float, float]]) -> Markup:
    """Return the share of devices whose category was answered after a time, on a logarithmic scale."""
    plot, width = _HEIGHT - _BOTTOM - _TOP, _WIDTH - _LEFT
    longest = max([seconds for seconds, _ in curve] + [60.0])
    scale = math.log1p(longest)

    def x(seconds: float) -> float:
        return _LEFT + width * math.log1p(seconds) / scale

    shapes = _shares(plot)
    for seconds, words in _TIMES:
        if seconds <= longest:
            shapes.append(
                element("line", x1=x(seconds), y1=_TOP, x2=x(seconds), y2=_TOP + plot, class_="grid")
            )
            shapes.append(
                _label(words, x(seconds), _HEIGHT - 12, "end" if x(seconds) > _WIDTH - 30 else "middle")
            )
    path = "".join(
        f"{'M' if not number else 'H'}{x(s):.1f}{' ' if not number else 'V'}{_TOP + plot * (1 - share):.1f}"
        for number, (s, share) in enumerate(curve)
    )
    if path:
        shapes.append(element("path", d=f"{path}H{_WIDTH:.1f}", class_="line"))
    told = ", ".join(f"{share:.1%} after {seconds:g} s" for seconds, share in curve)
    return chart(name, title, told or "No device was identified.", (_WIDTH, _HEIGHT), *shapes)


def whiskers(name: str, title: str, rows: Sequence[tuple[str, float | None, Interval | None]]) -> Markup:
    """Return shares as dots on lines from 0 to 100 %; ``rows`` are (words, share, interval)."""
    row, left = 34.0, 250.0
    height = row * len(rows) + 34
    span = _WIDTH - left - 104
    shapes = []
    for step in range(5):
        at = left + span * step / 4
        shapes.append(element("line", x1=at, y1=4, x2=at, y2=height - 28, class_="grid"))
        shapes.append(_label(f"{step * 25} %", at, height - 10, "middle"))
    for number, (words, share, bounds) in enumerate(rows):
        y = row * number + row / 2 + 2
        shapes.append(_label(words, left - 12, y + 4, "end"))
        if share is None:
            shapes.append(_label("not measured", left + 8, y + 4, "start"))
            continue
        if bounds is not None:
            shapes.append(
                element(
                    "line", x1=left + span * bounds[0], y1=y, x2=left + span * bounds[1], y2=y, class_="span"
                )
            )
        shapes.append(element("circle", cx=left + span * share, cy=y, r=5, class_="dot firm"))
        shapes.append(_label(f"{share:.1%}", _WIDTH, y + 4, "end"))
    told = ", ".join(
        f"{words} {'not measured' if share is None else f'{share:.1%}'}" for words, share, _ in rows
    )
    return chart(name, title, told or "Nothing was measured.", (_WIDTH, height), *shapes)
