"""Charts of the evaluation report as inline SVG that follows the page's colours, light or dark.

Pure: numbers in, markup out. Every word that enters a chart is escaped by ``Markup.format``.
Colours are classes (``right``, ``wrong``, ``unknown``, ...) that the report's style sheet defines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

WIDTH, HEIGHT = 560, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 14, 34, 46


@dataclass(frozen=True)
class Series:
    """Values of one kind of query.

    Attributes:
        name: Style class: ``right``, ``wrong`` or ``unknown``.
        values: Shape ``(N,)``.
    """

    name: str
    values: NDArray[np.float64]


@dataclass(frozen=True)
class Cut:
    """A threshold drawn as a vertical line.

    Attributes:
        label: Its short name.
        at: Where.
    """

    label: str
    at: float


@dataclass(frozen=True)
class Dot:
    """A point of the embedding map.

    Attributes:
        x: In 0..1, to the right.
        y: In 0..1, upwards.
        hue_deg: Colour; ``None`` for unknown products.
        wrong: Whether it was taken for another product.
        title: Shown under the pointer.
    """

    x: float
    y: float
    hue_deg: float | None
    wrong: bool
    title: str


@dataclass(frozen=True)
class _Frame:
    """Data ranges of a chart and where they lie on it."""

    x_low: float
    x_high: float
    y_high: float

    def x(self, value: float) -> float:
        share = (value - self.x_low) / (self.x_high - self.x_low)
        return _LEFT + min(max(share, 0.0), 1.0) * (WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        share = min(max(value / self.y_high, 0.0), 1.0)
        return HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)

    def points(self, xs: Sequence[float], ys: Sequence[float]) -> str:
        return " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in zip(xs, ys, strict=True))


def histogram(series: Sequence[Series], cuts: Sequence[Cut], x_label: str, title: str) -> Markup:
    """Distributions over each other, each as a share of its own kind, with thresholds drawn in."""
    filled = [each for each in series if len(each.values)]
    if not filled:
        return Markup("")
    together = np.concatenate([each.values for each in filled])
    # The far ends hold single queries: what lies beyond is counted in the outermost bins.
    low, high = np.percentile(together, [0.5, 99.5])
    drawn = [cut.at for cut in cuts if low - 1 <= cut.at <= high + 1]
    low, high = min([low, *drawn]), max([high, *drawn])
    pad = max((high - low) * 0.04, 1e-3)
    bins = int(np.clip(1.4 * np.sqrt(min(len(each.values) for each in filled)), 14, 40))
    edges = np.linspace(low - pad, high + pad, bins + 1)
    shares = [
        np.histogram(np.clip(each.values, edges[0], edges[-1]), edges)[0] / len(each.values)
        for each in filled
    ]
    frame = _Frame(edges[0], edges[-1], 1.1 * max(float(share.max()) for share in shares))
    areas = [
        Markup('<polygon class="area {}" points="{}"/>').format(
            each.name,
            frame.points(
                [edges[0], *np.repeat(edges, 2)[1:-1], edges[-1]], [0, *np.repeat(share, 2), 0]
            ),
        )
        for each, share in zip(filled, shares, strict=True)
    ]
    return _chart(
        title,
        frame,
        [*areas, *_cut_lines(cuts, frame)],
        x_label,
        "share of each kind",
        _plain,
    )


def curve(
    xs: NDArray[np.float64],
    ys: NDArray[np.float64],
    *,
    title: str,
    x_label: str,
    y_label: str,
    y_high: float = 1.0,
    level: Cut | None = None,
    diagonal: bool = False,
    mark: tuple[float, float, str] | None = None,
) -> Markup:
    """A curve over 0..1.

    Args:
        xs: Shape ``(N,)``, in 0..1, ascending.
        ys: Shape ``(N,)``.
        title: What a screen reader says.
        x_label: Under the horizontal axis.
        y_label: Beside the vertical axis.
        y_high: Top of the vertical axis.
        level: A horizontal line with its name.
        diagonal: Whether to draw what chance would give.
        mark: A point to point out: x, y and its name.
    """
    if not len(xs):
        return Markup("")
    frame = _Frame(0.0, 1.0, y_high)
    parts = []
    if diagonal:
        parts.append(
            Markup('<polyline class="guide" points="{}"/>').format(frame.points([0, 1], [0, 1]))
        )
    if level is not None:
        guide = Markup('<polyline class="guide" points="{}"/>')
        parts.append(guide.format(frame.points([0, 1], [level.at] * 2)))
    parts.append(
        Markup('<polyline class="line" points="{}"/>').format(
            frame.points(xs.tolist(), ys.tolist())
        )
    )
    if level is not None:  # over the curve, which it may meet
        name = Markup('<text class="note" x="{}" y="{}" text-anchor="end">{}</text>')
        parts.append(name.format(WIDTH - _RIGHT - 4, f"{frame.y(level.at) - 6:.1f}", level.label))
    if mark is not None:
        x, y, label = frame.x(mark[0]), frame.y(mark[1]), mark[2]
        at_end = mark[0] > 0.75
        parts.append(
            Markup(
                '<circle class="mark" cx="{}" cy="{}" r="5"/>'
                '<text class="note strong" x="{}" y="{}" text-anchor="{}">{}</text>'
            ).format(
                f"{x:.1f}",
                f"{y:.1f}",
                f"{x + (-10 if at_end else 10):.1f}",
                f"{y - 9:.1f}",
                "end" if at_end else "start",
                label,
            )
        )
    return _chart(title, frame, parts, x_label, y_label, lambda value: f"{value:.0%}")


def scatter(dots: Sequence[Dot], labels: Sequence[tuple[float, float, str]], title: str) -> Markup:
    """The embedding map: a dot a query, with names above some of them.

    Args:
        dots: The queries.
        labels: Place (x, y in 0..1) and name, the most important first.
        title: What a screen reader says.
    """
    if not dots:
        return Markup("")
    width, height, margin = 1120, 640, 24

    def place(x: float, y: float) -> tuple[str, str]:
        return (
            f"{margin + x * (width - 2 * margin):.1f}",
            f"{height - margin - y * (height - 2 * margin):.1f}",
        )

    parts = []
    for dot in sorted(dots, key=lambda dot: (dot.hue_deg is not None, dot.wrong)):
        x, y = place(dot.x, dot.y)
        known = dot.hue_deg is not None
        shape = (
            Markup('<circle class="dot{}" style="--hue:{}" cx="{}" cy="{}" r="{}">').format(
                " miss" if dot.wrong else "", f"{dot.hue_deg:.0f}", x, y, 6 if dot.wrong else 4
            )
            if known
            else Markup('<circle class="dot stranger" cx="{}" cy="{}" r="3">').format(x, y)
        )
        parts.append(shape + Markup("<title>{}</title></circle>").format(dot.title))
    taken: list[tuple[float, float, float]] = []
    for at_x, at_y, name in labels:
        x, y = place(at_x, at_y)
        middle, base, half = float(x), float(y) - 9, 3.4 * len(name) + 3
        middle = min(max(middle, half), width - half)
        # A name that would cover another is left out; the pointer still tells it.
        if all(abs(base - b) > 14 or abs(middle - m) > half + h for m, b, h in taken):
            taken.append((middle, base, half))
            parts.append(
                Markup('<text class="place" x="{}" y="{}" text-anchor="middle">{}</text>').format(
                    f"{middle:.1f}", f"{base:.1f}", name
                )
            )
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        width, height, title, Markup("").join(parts)
    )


def interval_bar(value: float, low: float, high: float) -> Markup:
    """A share and its interval on a line from 0 to 1."""
    return Markup(
        '<svg class="interval" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="rail" x="0" y="3" width="100" height="2" rx="1"/>'
        '<rect class="range" x="{}" y="2" width="{}" height="4" rx="2"/>'
        '<rect class="value" x="{}" y="0" width="1.2" height="8"/></svg>'
    ).format(
        f"{100 * low:.2f}",
        f"{max(100 * (high - low), 0.6):.2f}",
        f"{min(max(100 * value - 0.6, 0), 98.8):.2f}",
    )


def _cut_lines(cuts: Sequence[Cut], frame: _Frame) -> list[Markup]:
    drawn = []
    for row, cut in enumerate(sorted(cuts, key=lambda cut: cut.at)):
        if not frame.x_low <= cut.at <= frame.x_high:
            continue
        x = frame.x(cut.at)
        drawn.append(
            Markup(
                '<line class="cut" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>'
                '<text class="note strong" x="{0}" y="{3}" text-anchor="{4}">{5}</text>'
            ).format(
                f"{x:.1f}",
                _TOP - 4 - 12 * (row % 2),
                HEIGHT - _BOTTOM,
                _TOP - 8 - 12 * (row % 2),
                "end" if x > WIDTH - 90 else "start" if x < _LEFT + 60 else "middle",
                cut.label,
            )
        )
    return drawn


def _round_values(low: float, high: float, at_most: int) -> list[float]:
    """Round numbers from low to high, at least two and about ``at_most``."""
    rough = (high - low) / at_most
    scale = 10.0 ** np.floor(np.log10(rough))
    step = scale * next(nice for nice in (1, 2, 2.5, 5, 10) if nice * scale >= rough * 0.999)
    first, last = int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9))
    return [round(count * step, 10) for count in range(first, last + 1)]


def _plain(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".").replace("-", "\N{MINUS SIGN}")


def _chart(
    title: str,
    frame: _Frame,
    parts: Sequence[Markup],
    x_label: str,
    y_label: str,
    x_format: Callable[[float], str],
) -> Markup:
    base = HEIGHT - _BOTTOM
    ticks = [
        Markup('<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>').format(
            f"{frame.x(value):.1f}", base + 17, x_format(value)
        )
        for value in _round_values(frame.x_low, frame.x_high, 7)
    ]
    levels = _round_values(0.0, frame.y_high, 5)
    digits = 1 if levels[1] < 0.0099 or round(100 * levels[1], 6) % 1 else 0
    for value in levels:
        y = frame.y(value)
        ticks.append(
            Markup(
                '<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>'
                '<text class="tick" x="{}" y="{}" text-anchor="end">{}</text>'
            ).format(
                _LEFT,
                WIDTH - _RIGHT,
                f"{y:.1f}",
                f"{y:.1f}",
                _LEFT - 7,
                f"{y + 4:.1f}",
                f"{value:.{digits}%}",
            )
        )
    return Markup(
        '<svg viewBox="0 0 {w} {h}" role="img" aria-label="{title}">{ticks}{parts}'
        '<line class="axis" x1="{left}" x2="{right}" y1="{base}" y2="{base}"/>'
        '<text class="axis-name" x="{middle}" y="{foot}" text-anchor="middle">{x_label}</text>'
        '<text class="axis-name" transform="translate(12 {centre}) rotate(-90)" '
        'text-anchor="middle">{y_label}</text></svg>'
    ).format(
        w=WIDTH,
        h=HEIGHT,
        title=title,
        ticks=Markup("").join(ticks),
        parts=Markup("").join(parts),
        left=_LEFT,
        right=WIDTH - _RIGHT,
        base=base,
        middle=(_LEFT + WIDTH - _RIGHT) / 2,
        foot=HEIGHT - 8,
        centre=(_TOP + base) / 2,
        x_label=x_label,
        y_label=y_label,
    )
