# SPDX-License-Identifier: Apache-2.0
"""Quotations: what a person repeats of somebody else's words, and does not say themselves.

A name in quotation marks is a name. A sentence in them, a line that is marked as quoted, or a block of text
set apart is most often what others wrote: an address in it is not where the person wants something to go.
"""

from __future__ import annotations

import re

MIN_WORDS = 4
"""Words of a quotation that is more than a name."""
_QUOTED = re.compile(
    "```.{1,8000}?```"
    "|^[ \\t]*>.*$"
    '|"[^"]{1,4000}"'
    "|\u201c[^\u201d]{1,4000}\u201d"
    "|\u201e[^\u201c\u201d]{1,4000}[\u201c\u201d]"
    "|\u00ab[^\u00bb]{1,4000}\u00bb"
    "|(?<!\\w)['\u2018][^\\n]{1,300}?['\u2019](?!\\w)",
    re.MULTILINE | re.DOTALL,
)


def unquoted(text: str) -> str:
    """Give a text without what it quotes at length."""

    def left(at: re.Match[str]) -> str:
        return at[0] if len(at[0].split()) < MIN_WORDS else " . "

    return _QUOTED.sub(left, text)
