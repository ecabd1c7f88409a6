# SPDX-License-Identifier: Apache-2.0
"""Words of commands and addresses without their secrets, for declarations and reports."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from remit.core.coding.client_servers import looks_secret_to
from remit.core.credentials.known_secrets import has_known_secret
from remit.core.json_value import Json

MAX_WORDS: Final = 200
HIDDEN: Final = "…"


def shown_words(words: Json) -> tuple[str, ...]:
    """Return the words of a command; a secret is replaced by `…`."""
    out: list[str] = []
    before = ""
    for word in words[:MAX_WORDS] if isinstance(words, list) else ():
        text = str(word)[:1000] if isinstance(word, str | int | float) else ""
        start = looks_secret_to(text, before, _is_secret)
        if "://" in text:
            out.append(shown_address(text))
        else:
            out.append(text if start is None else f"{text[:start]}{HIDDEN}")
        before = text
    return tuple(out)


def shown_command(command: Json) -> str:
    """Return a command without its secrets: some clients write a whole line there."""
    if not isinstance(command, str):
        return ""
    return " ".join(shown_words(list(command[:1000].split(" "))))


def shown_address(url: str) -> str:
    """Return an address without its login, the values of its query, and secrets in its path."""
    url = url[:2000]
    try:
        parts = urlsplit(url)
        if not parts.scheme or not parts.netloc:
            start = looks_secret_to(url, "", _is_secret)
            return url if start is None else f"{url[:start]}{HIDDEN}"
        path = "/".join(HIDDEN if _is_secret(one) else one for one in parts.path.split("/"))
        pairs = parts.query.split("&") if parts.query else []
        query = "&".join(f"{pair.partition('=')[0]}={HIDDEN}" for pair in pairs)
        netloc = parts.netloc.rpartition("@")[2]
        return parts._replace(netloc=netloc, path=path, query=query, fragment="").geturl()
    except ValueError:
        return "an unreadable address"


def _is_secret(text: str) -> bool:
    """Return whether a word has the form of a known secret, or is a long word of letters and digits."""
    if has_known_secret(text):
        return True
    word = text.rpartition("=")[2]
    parts = word.replace("_", "-").split("-")
    return (
        len(word) >= 24
        and all(part.isalnum() for part in parts if part)
        and sum(one.isdigit() for one in word) >= 4
        and any(one.isalpha() for one in word)
        and not any(len(part) > 3 and part.isalpha() for part in parts)
    )
