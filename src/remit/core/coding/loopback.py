# SPDX-License-Identifier: Apache-2.0
"""Web requests that stay on this machine: a command line whose only addresses are those of loopback.

A port of this machine may still lead elsewhere, by a tunnel or a proxy that a person has set up. So what it
answers counts as written by others, and a command that reads secrets is not taken for one that stays here.
Nothing is concluded from a word that is not understood: an unknown option, a spelling of an address that
programs read in different ways, a redirect that is followed. Addresses of cloud metadata are no loopback.
"""

from __future__ import annotations

import re
from typing import Final

#: Programs of which each word can be understood.
_CLIENTS: Final = frozenset({"curl", "wget"})
_ADDRESS: Final = re.compile(
    r"(?:https?://)?(?:localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(?::\d{1,5})?(?:[/?][\w\-./~%?&=+,:;!*]*)?"
)
#: Options without a value, alone or together in one word (`-sSf`).
_FLAGS: Final = frozenset("sSfiIvkGN#46")
_LONG_FLAGS: Final = frozenset(
    {"--silent", "--show-error", "--fail", "--fail-with-body", "--include", "--head", "--verbose",
     "--insecure", "--get", "--no-buffer", "--compressed", "--quiet", "--spider", "--ipv4", "--ipv6"}
)  # fmt: skip
#: Options with a value that names no other place.
_VALUED: Final = frozenset(
    {"-X", "--request", "-H", "--header", "-d", "--data", "--data-raw", "--data-urlencode", "--json", "-m",
     "--max-time", "--connect-timeout", "-w", "--write-out", "--retry", "--retry-delay", "--retry-max-time",
     "-A", "--user-agent", "-o", "--output"}
)  # fmt: skip
#: For wget these options mean something else.
_WGET_FLAGS: Final = frozenset("qSvdc46")
_WGET_VALUED: Final = frozenset({"-O", "-T", "-t", "--timeout", "--tries", "--header", "--output-document"})


def stays_here(name: str, words: list[tuple[str, bool]]) -> bool:
    """Return whether a program with these words (each with whether it is literal) asks this machine alone."""
    if name not in _CLIENTS or not all(literal for _, literal in words):
        return False
    flags, valued = (_FLAGS, _VALUED) if name == "curl" else (_WGET_FLAGS, _WGET_VALUED)
    found, rest = False, [text for text, _ in words]
    while rest:
        word = rest.pop(0)
        option, _, value = word.partition("=")
        if word in valued and rest:
            rest.pop(0)
        elif word.startswith("-"):
            known = word in _LONG_FLAGS or (option in valued and bool(value) and option.startswith("--"))
            if name == "wget" and word in ("-qO-", "-O-"):
                known = True
            if not known and (word.startswith("--") or len(word) < 2 or not flags.issuperset(word[1:])):
                return False
        elif _ADDRESS.fullmatch(word):
            found = True
        else:
            return False
    return found
