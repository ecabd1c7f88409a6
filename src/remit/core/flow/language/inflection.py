# SPDX-License-Identifier: Apache-2.0
"""Words without their inflection: `orders`, `ordered` and `ordering` are one."""

from __future__ import annotations

import functools


@functools.lru_cache(8192)
def stem(word: str) -> str:
    """Return a word without the commonest English endings; words with digits stay as they are."""
    if len(word) < 4 or not word.isalpha():
        return word
    word = word.removesuffix("'s")
    if word.endswith("ies") and len(word) > 4:
        word = word[:-3] + "y"
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-2] if word.endswith(("ches", "shes", "sses", "xes", "zes")) else word[:-1]
    for ending in ("ment", "ing", "ed"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "ls":
                word = word[:-1]
            break
    return word[:-1] if word.endswith("e") and len(word) > 3 else word
