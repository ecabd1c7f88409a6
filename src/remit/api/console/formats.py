# SPDX-License-Identifier: Apache-2.0
"""How the console writes times, durations, sizes and texts that others wrote."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from markupsafe import Markup, escape

from remit.api.oauth.browser.rendering import lasts, sentence
from remit.core.json_value import Json
from remit.core.safe_text import escaped, plain

#: Characters of one value that a page shows.
MOST_SHOWN: Final = 20_000


def shown(value: object) -> object:
    """Return a value of a template with every hidden character written out."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return plain(value, lines=True)
    return value


def ago(at: datetime | None, now: datetime) -> str:
    """Return how long ago a moment was, in one unit; `never` for none."""
    if at is None:
        return "never"
    passed = max(0, int((now - at).total_seconds()))
    return "just now" if passed < 2 else f"{_unit(passed)} ago"


def left(at: datetime, now: datetime) -> str:
    """Return how much time is left until a moment, in one unit; `none` when it has passed."""
    seconds = int((at - now).total_seconds())
    return _unit(seconds) if seconds > 0 else "none"


def _unit(seconds: int) -> str:
    for size, word in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size or (size == 60 and seconds >= 60):
            return f"{seconds // size} {word}"
    return f"{seconds} s"


def clock(at: datetime | None, now: datetime | None = None) -> str:
    """Return a moment as time of day, with the date if that is not the day of `now`; UTC."""
    if at is None:
        return ""
    if now is not None and at.date() == now.date():
        return at.strftime("%H:%M:%S")
    return at.strftime("%d %b %Y %H:%M")


def share(at: datetime, start: datetime, end: datetime) -> int:
    """Return how much of a time span has passed at a moment, in percent."""
    whole = (end - start) / timedelta(seconds=1)
    return max(0, min(100, round(100 * ((at - start) / timedelta(seconds=1)) / whole))) if whole > 0 else 100


def value(what: Json) -> str:
    """Return an argument's value: a text as it is, anything else as JSON, at most `MOST_SHOWN` characters."""
    text = what if isinstance(what, str) else escaped(json.dumps(what, ensure_ascii=False, indent=1))
    if len(text) <= MOST_SHOWN:
        return text
    return f"{text[:MOST_SHOWN]}… ({len(text):,} characters in all)"


def many(count: int, noun: str, plural: str = "") -> str:
    """Return a count with its noun."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def marked(text: str) -> Markup:
    """Return a text of remit with its names in backticks as code; all else is escaped."""
    parts = plain(text, lines=True).split("`")
    if len(parts) % 2 == 0:
        return escape("`".join(parts))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else escape(part)
        for place, part in enumerate(parts)
    )


def segment(text: str) -> str:
    """Return a text as one segment of an address's path."""
    return quote(text, safe="")


def path(text: str) -> str:
    """Return a text as the rest of an address's path.

    Its slashes stay, unless a browser would take a part between them as a way up, to another page.
    """
    up = any(part in ("", ".", "..") for part in text.split("/"))
    return quote(text, safe="" if up else "/")


FILTERS: Final[dict[str, Any]] = {
    "ago": ago,
    "clock": clock,
    "lasts": lasts,
    "left": left,
    "many": many,
    "marked": marked,
    "path": path,
    "segment": segment,
    "sentence": sentence,
    "share": share,
    "value": value,
}
