# SPDX-License-Identifier: Apache-2.0
"""Words about links: whether a sentence speaks of a link, and whether it asks to pass a link on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet

_LINKS = re.compile(r"\b(?:(?:hyper)?links?|linked|urls?|(?:web)?(?:page|site)s?|homepage|website|logs?)\b")
#: `with the link`, `and add its source`: the answer is to carry a link.
_WITH_LINK = re.compile(
    r"\b(?:with|include|including|add|attach|cite|citing|name|send|share|give|post|und|mit|avec|con)"
    r"(?: \w+){0,2}? (?:link|links|url|urls|source|sources|quelle|lien|enlace|fuente)\b"
)


def speak_of_link(sentences: Iterable[str], names: AbstractSet[str]) -> bool:
    """Return whether a sentence speaks of a link, and holds one of the names if there are any."""
    return any(
        _LINKS.search(one) is not None and (not names or any(name in one for name in names))
        for one in sentences
    )


def ask_for_link(sentences: Iterable[str]) -> bool:
    """Return whether a sentence asks to pass a link or a source on."""
    return any(_WITH_LINK.search(one) is not None for one in sentences)
