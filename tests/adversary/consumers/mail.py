# SPDX-License-Identifier: Apache-2.0
"""The recipients of mail, as mail libraries read addresses and as programs with their own parsers read
them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.headerregistry import HeaderRegistry
from email.utils import getaddresses
from typing import Any
from urllib.parse import parse_qsl, unquote

from tests.adversary.consumers.hosts import on_the_wire
from tests.adversary.consumers.leaves import texts

Json = Any

_SIMPLE = re.compile(r"[^\s<>,;:\"()\[\]\\]+@[^\s<>,;:\"()\[\]\\@]+")
_LOCAL = re.compile(r"[^\s<>,;:\"()\[\]\\@\x00-\x1f]+")
_ANGLE = re.compile(r"<([^<>]+)>")
_HEADER = re.compile(r"(?im)^(?:to|cc|bcc)\s*:\s*(.*)$")
_REGISTRY = HeaderRegistry()


def mail(value: Json) -> set[str]:
    """Return all addresses to which some program would deliver."""
    out: set[str] = set()
    for text in texts(value):
        for address in _addresses(text):
            out |= _delivered(address)
    return out


def _addresses(text: str) -> Iterator[str]:
    text = text.partition("\x00")[0] if "\x00" in text else text
    # A program that builds a message from text: what comes after a line's end is another header.
    first, *more = re.split(r"\r\n|\r|\n", text)
    for line in more:
        if found := _HEADER.match(line):
            yield from _listed(found[1])
    yield from _listed(" ".join((first, *(one for one in more if one[:1] in (" ", "\t", "")))))
    if more:
        yield from _listed(text)
    bare = text.strip()
    if bare[:7].casefold() == "mailto:":
        path, _, query = bare[7:].partition("?")
        yield from _listed(unquote(path))
        for name, given in parse_qsl(query):
            if name.casefold() in ("to", "cc", "bcc"):
                yield from _listed(given)


def _listed(text: str) -> Iterator[str]:
    yield from (address for _, address in getaddresses([text.replace(";", ",")]))
    yield from _by_registry(text)
    yield from _ANGLE.findall(text)
    # Programs that look for the first thing that reads like an address, or take the whole.
    if (first := _SIMPLE.search(text)) is not None:
        yield first[0]
    for piece in re.split(r"[,;\s]+", text):
        yield piece.strip("<>\"'")
    yield text


def _by_registry(text: str) -> list[str]:
    try:
        header: Any = _REGISTRY("to", text.replace("\n", " ").replace("\r", " "))
        return [one.addr_spec for one in header.addresses]
    except (ValueError, IndexError, AttributeError, TypeError, UnicodeError):
        # The library fails so on headers that it cannot read; a program that uses it sends nothing.
        return []


def _delivered(address: str) -> set[str]:
    """Return the mailboxes of one address, its host as it is looked up."""
    local, at, domain = address.strip().strip("<>").rpartition("@")
    if local.startswith('"') and local.endswith('"') and len(local) > 2:
        local = local[1:-1].replace("\\", "")
    elif not _LOCAL.fullmatch(local):
        return set()
    if not at or not domain or len(local) > 320:
        return set()
    local = "".join(letter.lower() if letter.isascii() else letter for letter in local)
    hosts = on_the_wire(domain.rstrip(">"))
    return {f"{local}@{host}" for host in hosts if "." in host or "[" in host}
