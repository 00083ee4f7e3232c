"""Plots as SVG without a library: bars with their values, and lines over a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, LABELS, BAR, GAP = 720, 220, 22, 10
COLOURS = ("#2563a8", "#8a8f98", "#b5651d", "#4b7f52", "#7a4b8c", "#a83232")
_HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
    'font-family="sans-serif" font-size="13" role="img" aria-label="{title}">\n'
    '<rect width="100%" height="100%" fill="#ffffff"/>\n'
    '<text x="10" y="22" font-size="15">{title}</text>\n'
)


def bars(title: str, values: Mapping[str, float]) -> str:
    """One bar a label, as long as its value."""
    most = max(values.values(), default=1.0) or 1.0
    height = 40 + len(values) * (BAR + GAP)
    drawn = [_HEAD.format(width=WIDTH, height=height, title=escape(title))]
    for place, (label, value) in enumerate(values.items()):
        top, length = 36 + place * (BAR + GAP), (WIDTH - LABELS - 90) * value / most
        drawn.append(f'<text x="{LABELS - 8}" y="{top + 16}" text-anchor="end">{escape(label)}</text>\n')
        drawn.append(f'<rect x="{LABELS}" y="{top}" width="{length:.1f}" height="{BAR}" fill="{COLOURS[0]}"/>\n')
        drawn.append(f'<text x="{LABELS + length + 6:.1f}" y="{top + 16}">{value:g}</text>\n')
    return "".join([*drawn, "</svg>\n"])


def lines(title: str, series: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """A line a label through its points (x, y); both axes begin at 0."""
    points = [point for each in series.values() for point in each]
    right, top = max((x for x, _ in points), default=1) or 1, max((y for _, y in points), default=1) or 1
    height, left, bottom = 300 + 20 * len(series), 60, 260

    def at(x: float, y: float) -> tuple[float, float]:
        return left + (WIDTH - left - 60) * x / right, bottom - (bottom - 50) * y / top

    drawn = [_HEAD.format(width=WIDTH, height=height, title=escape(title))]
    drawn.append(f'<path d="M{left} 40 V{bottom} H{WIDTH - 40}" fill="none" stroke="#444444"/>\n')
    drawn.append(f'<text x="{left - 6}" y="54" text-anchor="end">{top:g}</text>\n')
    drawn += [
        f'<text x="{at(x, 0)[0]:.0f}" y="{bottom + 18}" text-anchor="middle">{x:,.0f}</text>\n'
        for x in sorted({x for x, _ in points})
    ]
    for place, (label, found) in enumerate(series.items()):
        colour, way = COLOURS[place % len(COLOURS)], [at(*point) for point in found]
        drawn.append(
            f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in way)}" fill="none" stroke="{colour}"'
            ' stroke-width="2"/>\n'
        )
        for (x, y), (_, value) in zip(way, found, strict=True):
            drawn.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>\n')
            drawn.append(f'<text x="{x + 5:.1f}" y="{y - 6:.1f}" font-size="11">{value:g}</text>\n')
        below = bottom + 40 + 20 * place
        drawn.append(f'<rect x="{left}" y="{below - 10}" width="14" height="10" fill="{colour}"/>\n')
        drawn.append(f'<text x="{left + 20}" y="{below}">{escape(label)}</text>\n')
    return "".join([*drawn, "</svg>\n"])
