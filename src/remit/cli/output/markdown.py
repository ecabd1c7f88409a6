# SPDX-License-Identifier: Apache-2.0
"""Texts of others in Markdown: they stay text."""

from __future__ import annotations

import re
from typing import Final

from remit.core.safe_text import plain

_LONGEST: Final = 600
#: ASCII punctuation that Markdown gives a meaning to; each may be escaped (CommonMark 2.4). `@` and `#` are
#: mentions and references at code hosts.
_MARKED: Final = re.compile(r"([\\`*_{}\[\]()<>#!|~@&$])")
#: What code hosts make a link of by itself.
_LINK: Final = re.compile(r"(?i)(https?|ftp|www)(?=[:.])")


def escaped(text: str) -> str:
    """Return a text that Markdown shows as it is: no markup, link, mention or HTML."""
    cut = plain(text)[:_LONGEST]
    return _LINK.sub(lambda found: f"{found[0][:1]}&#8203;{found[0][1:]}", _MARKED.sub(r"\\\1", cut))


def code(text: str) -> str:
    """Return a text as a code span."""
    safe = plain(text)[:_LONGEST].replace("`", "'")
    return f"`{safe or ' '}`"
