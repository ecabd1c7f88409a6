# SPDX-License-Identifier: Apache-2.0
"""Pictures that are drawn on the server, as SVG without script and style."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Final

from markupsafe import Markup

from remit.services.inspection.activity import CallMinute

_HEIGHT: Final = 32


def call_bars(minutes: Sequence[CallMinute]) -> Markup:
    """Return stacked bars of the decisions of each minute, with a text for those who do not see them."""
    most = max((one.permitted + one.refused + one.asked for one in minutes), default=0)
    parts = []
    for place, one in enumerate(minutes):
        base = _HEIGHT - 1.0
        for name, count in (("permitted", one.permitted), ("asked", one.asked), ("refused", one.refused)):
            if not count:
                continue
            height = max(1.5, count / most * (_HEIGHT - 3))
            base -= height
            at = f'x="{place * 5}" y="{base:.1f}" width="4" height="{height:.1f}" rx="1"'
            parts.append(f'<rect class="{name}" {at}/>')
    calls = sum(one.permitted + one.refused + one.asked for one in minutes)
    says = f"{calls:,} calls in {len(minutes)} minutes, at most {most:,} in one minute"
    width = len(minutes) * 5
    size = f'viewBox="0 0 {width} {_HEIGHT}" preserveAspectRatio="none"'
    return Markup(  # noqa: S704 - numbers and fixed words alone
        f'<svg class="bars" {size} role="img" aria-label="{says}">'
        f'<rect class="base" y="{_HEIGHT - 1}" width="{width}" height="1"/>{"".join(parts)}</svg>'
    )


def part_bar(part: float, whole: float) -> Markup:
    """Return a bar of a part of the largest value."""
    width = round(100 * part / whole, 1) if whole > 0 else 0
    return Markup(  # noqa: S704 - a number alone
        f'<svg class="bar-of" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="base" width="100" height="6"/><rect class="asked" width="{width}" height="6"/></svg>'
    )


_DAY_HEIGHT: Final = 90
_DAYS: Final = 62


def day_bars(days: Mapping[str, tuple[int, int, int]]) -> Markup:
    """Return stacked bars of the calls of each day (ISO date): permitted, asked about, refused.

    At most the last 62 days are drawn, days without calls between them, too.
    """
    if not days:
        return Markup("")
    last = date.fromisoformat(max(days))
    first = max(date.fromisoformat(min(days)), last - timedelta(days=_DAYS - 1))
    count = max((last - first).days + 1, 7)
    first = last - timedelta(days=count - 1)
    shown = [(first + timedelta(days=place)) for place in range(count)]
    most = max((sum(days.get(one.isoformat(), ())) for one in shown), default=0) or 1
    step = 720 / count
    parts = []
    for place, one in enumerate(shown):
        base = float(_DAY_HEIGHT)
        counts = days.get(one.isoformat(), (0, 0, 0))
        title = (
            f"<title>{one:%d %b}: {counts[0]:,} permitted, {counts[2]:,} refused, {counts[1]:,} asked</title>"
        )
        bars = []
        for name, calls in zip(("permitted", "asked", "refused"), counts, strict=True):
            if calls:
                height = max(1.5, calls / most * (_DAY_HEIGHT - 14))
                base -= height
                at = f'x="{place * step + step * 0.1:.1f}" y="{base:.1f}" width="{step * 0.8:.1f}"'
                bars.append(f'<rect class="{name}" {at} height="{height:.1f}"/>')
        parts.append(f"<g>{title}{''.join(bars)}</g>")
    for place in range(0, count, max(1, count // 7)):
        at = f'x="{place * step + step / 2:.1f}" y="{_DAY_HEIGHT + 15}"'
        parts.append(f'<text {at} text-anchor="middle">{shown[place]:%d %b}</text>')
    says = f"Calls by day from {shown[0]:%d %B} to {last:%d %B %Y}, at most {most:,} on one day"
    return Markup(  # noqa: S704 - numbers, dates and fixed words alone
        f'<svg class="bars days" viewBox="0 0 720 {_DAY_HEIGHT + 20}" role="img" aria-label="{says}">'
        f'<rect class="base" y="{_DAY_HEIGHT}" width="720" height="1"/>{"".join(parts)}</svg>'
    )


def share_bar(counts: tuple[int, int, int], most: int) -> Markup:
    """Return one line of permitted, asked and refused calls, as long as its part of `most`."""
    at, parts = 0.0, []
    for name, calls in zip(("permitted", "asked", "refused"), counts, strict=True):
        width = calls / most * 100 if most else 0
        if calls:
            parts.append(f'<rect class="{name}" x="{at:.2f}" width="{max(width, 0.5):.2f}" height="6"/>')
        at += width
    return Markup(  # noqa: S704 - numbers and fixed words alone
        f'<svg class="bars line" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        f"{''.join(parts)}</svg>"
    )


def span_bar(start: datetime, end: datetime | None, first: datetime, last: datetime, look: str) -> Markup:
    """Return one row of a waterfall: a bar from `start` to `end`, or a mark, between `first` and `last`."""
    whole = max((last - first) / timedelta(milliseconds=1), 1.0)
    at = (start - first) / timedelta(milliseconds=1) / whole * 1000
    width = 0.0 if end is None else (end - start) / timedelta(milliseconds=1) / whole * 1000
    width = max(width, 6.0)
    at = min(max(at, 0.0), 1000 - width)
    return Markup(
        '<svg class="bars fall" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="base" y="4.5" width="1000" height="1"/>'
        '<rect class="{}" x="{:.1f}" width="{:.1f}" height="10"/></svg>'
    ).format(look, at, width)


_TREND_HEIGHT: Final = 48


def trend_line(days: Sequence[tuple[str, float]], unit: str) -> Markup:
    """Return a line of one value for each day (ISO date), with a text for those who do not see it."""
    most = max((value for _, value in days), default=0.0)
    if len(days) < 2 or most <= 0:
        return Markup("")
    step = 720 / (len(days) - 1)
    points = [
        f"{place * step:.1f},{_TREND_HEIGHT - 2 - value / most * (_TREND_HEIGHT - 6):.1f}"
        for place, (_, value) in enumerate(days)
    ]
    (first, early), (last, late) = days[0], days[-1]
    says = f"From {first} to {last}: {early:,.1f}, at most {most:,.1f}, {late:,.1f} {unit} a day"
    return Markup(
        '<svg class="trend" viewBox="0 0 720 {height}" preserveAspectRatio="none" role="img" '
        'aria-label="{says}"><title>{says}</title><polygon points="0,{height} {line} 720,{height}"/>'
        '<polyline points="{line}"/></svg>'
    ).format(height=_TREND_HEIGHT, says=says, line=" ".join(points))
