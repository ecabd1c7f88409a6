# SPDX-License-Identifier: Apache-2.0
"""Where URLs lead and hosts are: by the URL standard, by Python's clients, and by programs that look for a
URL.

Targets are `scheme://[user@]host[:port]/path[?query]`, and whole texts for schemes that contact no host.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import yarl
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from tests.adversary.consumers.hosts import on_the_wire
from tests.adversary.consumers.leaves import texts

Json = Any

PORTS = {"http": "80", "https": "443", "ftp": "21", "ws": "80", "wss": "443"}
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_FIRST = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s<>\"'`]+")
_BRACES = re.compile(r"\{([^{}]*,[^{}]*)\}")
_C0 = "".join(map(chr, range(0x21)))
Place = tuple[str, str, str, str, str]
"""Scheme, user info, host, port, and path with its query."""


def url(value: Json) -> set[str]:
    """Return all that some client would open."""
    out: set[str] = set()
    for text in texts(value):
        for one in _written(text):
            out |= _opened(one)
    return out


def host(value: Json) -> set[str]:
    """Return all hosts that some program would connect to, and options that it would take."""
    out: set[str] = set()
    for text in texts(value):
        bare = text.strip().partition("\x00")[0]
        for piece in {bare, *re.split(r"[\s,;]+", bare)}:
            if piece.startswith("-"):
                out.add(f"option {piece}")
            elif "://" in piece:
                out |= {named for _, _, named, _, _ in _places(piece)}
            elif piece:
                after = piece.rpartition("@")[2]
                at, _, port = after.rpartition(":")
                named = at if at and port.isdecimal() and ":" not in at else after
                out |= on_the_wire(named.partition("/")[0])
    return out


def _written(text: str) -> Iterator[str]:
    bare = text.partition("\x00")[0].strip(" \t\r\n")
    yield bare
    if "://" not in bare and not bare.lstrip().startswith(("/", "\\")):
        yield f"https://{bare.strip()}"
    stripped = bare.strip()
    if stripped[:1] == "<" and stripped[-1:] == ">":
        stripped = stripped[1:-1].strip()
        yield stripped
    if stripped[:4].casefold() == "url:":
        yield stripped[4:].strip()  # `urllib` takes this off
    yield from _FIRST.findall(bare)[:4]
    if (braces := _BRACES.search(bare)) is not None:
        for part in braces[1].split(","):  # curl goes through all of them
            yield bare[: braces.start()] + part + bare[braces.end() :]


def _opened(text: str) -> set[str]:
    out: set[str] = set()
    for scheme, user, named, port, path in _places(text):
        end = path if port in ("", PORTS.get(scheme, "")) else f":{port}{path}"
        begin = f"{scheme}://{user}@" if user else f"{scheme}://"
        out |= {f"{begin}{one}{end}" for one in on_the_wire(named)}
    scheme, colon, _ = text.strip(_C0).partition(":")
    if colon and scheme.lower() in ("javascript", "data", "file", "vbscript", "gopher", "jar", "view-source"):
        out.add(text.strip(_C0))
    return out


def _places(text: str) -> set[Place]:
    found = {_by_standard(text), _by_urllib(text), _by_urllib3(text), _by_yarl(text), _by_httpx(text)}
    return {one for one in found if one is not None and one[0] and one[2]}


def _by_standard(text: str) -> Place | None:
    """Read as the URL standard says (WHATWG URL, section 4.4), as far as the authority goes."""
    text = re.sub("[\t\n\r]", "", text.strip(_C0))
    if not (found := _SCHEME.match(text)):
        return None
    scheme, rest = found[0][:-1].lower(), text[found.end() :]
    special = scheme in PORTS
    if special:
        rest = re.sub(r"^[/\\]*", "", rest)
    elif rest.startswith("//"):
        rest = rest[2:]
    else:
        return None
    end = re.search(r"[/\\?#]" if special else "[/?#]", rest)
    place, path = (rest[: end.start()], rest[end.start() :]) if end else (rest, "")
    user, _, place = place.rpartition("@")
    named, port = _apart(place)
    path = path.replace("\\", "/") if special else path
    return scheme, user, named, port, _path(path)


def _apart(place: str) -> tuple[str, str]:
    if place.startswith("["):
        named, _, port = place.partition("]")
        return named + "]", port.removeprefix(":")
    named, colon, port = place.rpartition(":")
    return (named, port) if colon and (port.isdecimal() or not port) else (place, "")


def _by_urllib(text: str) -> Place | None:
    try:
        read = urlsplit(text)
        user = read.netloc.rpartition("@")[0]
        return (
            read.scheme,
            user,
            _bracketed(read.hostname or ""),
            str(read.port or ""),
            _path(read.path, read.query),
        )
    except ValueError:
        return None


def _by_urllib3(text: str) -> Place | None:
    try:
        read = parse_url(text)
    except (LocationParseError, ValueError):
        return None
    # Without a scheme it is read with one, as `_written` gives it.
    return (
        read.scheme or "",
        read.auth or "",
        read.host or "",
        str(read.port or ""),
        _path(read.path or "", read.query or ""),
    )


def _by_yarl(text: str) -> Place | None:
    try:
        read = yarl.URL(text)
        user = (read.raw_authority or "").rpartition("@")[0]
        return (
            read.scheme,
            user,
            _bracketed(read.host or ""),
            str(read.explicit_port or ""),
            _path(read.path, read.raw_query_string),
        )
    except (ValueError, TypeError):
        return None


def _by_httpx(text: str) -> Place | None:
    try:
        read = httpx.URL(text)
    except (httpx.InvalidURL, ValueError, TypeError):
        return None
    user = read.userinfo.decode("ascii", "replace")
    query = read.query.decode("ascii", "replace")
    return read.scheme, user, _bracketed(read.host), str(read.port or ""), _path(read.path, query)


def _bracketed(named: str) -> str:
    return f"[{named}]" if ":" in named else named


def _path(path: str, query: str = "") -> str:
    """Return path and query, without dot segments; what stands after `#` stays with the client."""
    path, marked, more = path.partition("#")[0].partition("?")
    query = query or more if marked or query else ""
    clean = posixpath.normpath(path.replace("%2e", ".").replace("%2E", ".")) if path else "/"
    clean = clean if clean.startswith("/") else "/"
    return f"{clean}?{query}" if query else clean
