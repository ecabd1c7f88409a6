# SPDX-License-Identifier: Apache-2.0
"""Pictures that are drawn on the server, as SVG without script and style."""

from __future__ import annotations

from collections.abc import Sequence
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


def share_bar(part: float, whole: float) -> Markup:
    """Return a bar of a part of the largest value."""
    width = round(100 * part / whole, 1) if whole > 0 else 0
    return Markup(  # noqa: S704 - a number alone
        f'<svg class="bar-of" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="base" width="100" height="6"/><rect class="asked" width="{width}" height="6"/></svg>'
    )
