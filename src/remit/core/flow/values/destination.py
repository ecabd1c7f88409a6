# SPDX-License-Identifier: Apache-2.0
"""Destinations in normal form, independent of their notation.

An e-mail address, a URL, a host, an IBAN or a telephone number is the same destination in capitals, with
spaces, in an encoding (`core.flow.values.encodings`), with a display name around it or with an invisible
character in it. `whole` reads a text that is one destination, `within` finds every destination in a text.
Everything else is compared as `plain` text.

Limits:

- more than three nested encodings are not decoded;
- an encoding that makes a destination longer than `LAP` is not found in a text longer than `PIECE`;
- look-alike letters stay different destinations, as do addresses with and without a `+tag`, and telephone
  numbers with and without their country code;
- values that are spread over several texts are not found.

INVARIANT: all of it takes time linear in the length of the text. The search first finds, in C, the few
positions where a destination is possible; no pattern starts elsewhere, and each covers only a bounded piece.
`searching` runs in steps, each of which takes little time on any text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from remit.core.cooperative_steps import PIECE, SLICE, STEP, Steps, pieces, weight
from remit.core.flow.values.encodings import MAX_DEPTH, decoded, enclosing
from remit.core.flow.values.fast_path import SHORT, FastPath, glance
from remit.core.flow.values.hosts import host_of, numbered_host
from remit.core.flow.values.kinds import KindOfValue
from remit.core.flow.values.normal_text import folded as fold
from remit.core.flow.values.normal_text import folding, plain
from remit.core.flow.values.numbers import (
    MIN_ACCOUNT_DIGITS,
    MIN_NUMBER,
    account_of,
    accounts_at,
    international,
    phone_of,
    phones_in,
)

MAX_WHOLE = 2_048
"""Most characters of a text that can be one destination, or is compared as a whole."""
MAX_NESTED = 4
"""Nested URLs that are read to their end."""


class Destination(msgspec.Struct, frozen=True, gc=False):
    """A destination in normal form. Two destinations are the same if and only if they are equal."""

    kind: KindOfValue
    normal: str


Wholes = dict[str, Destination]
"""The destination that each text is as a whole."""
# Module-level names: each attribute lookup on an enum class costs the interpreter a search.
_URL, _HOST = KindOfValue.URL, KindOfValue.HOST
_EMAIL, _PHONE, _TEXT = KindOfValue.EMAIL, KindOfValue.PHONE, KindOfValue.TEXT
_KINDS = {FastPath.ADDRESS: KindOfValue.EMAIL, FastPath.TEXT: KindOfValue.TEXT}
# Characters that can surround a destination in a sentence or a structured text, and never belong to it.
_CUT = "<>()[]{}\"'`|,;\\"
_CUT_BEYOND_ASCII = "\u00ab\u00bb\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u3001\u3002\ufffd"
_STOP_IN_NAME = re.compile("(?<=[a-z0-9-])\u3002(?=[a-z0-9])")  # RFC 3490 section 3.1
_EDGE = ".:!?*_~\u2026"
_BULLETS = "-+"
# What can stand directly beside an address: all beyond ASCII but the letters of alphabets with two cases.
_BESIDE = re.compile(
    "[^\x00-\x7f\u00b7\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u052f\u0531-\u0587\u10a0-\u10ff\u1e00-\u1fff]+"
)
_LOCAL = re.compile(r"[^\s@,;:/()<>\[\]\"\\]{1,64}")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{1,30}")
_SCHEME_AT_END = re.compile(r"[a-z][a-z0-9+-]{1,30}$")
_SHOWN = re.compile(r"[^<>@\x00]*<")
_MOMENT = re.compile(r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}t[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?z?")
_JOINTS = re.compile("[=:/?&#]")
_OF_URLS = re.compile(r"[/?#\\]")
_SPECIAL = frozenset(("http", "https", "ftp", "ws", "wss"))
# Most URLs: no part has a second form or another reading.
PLAIN_URL = re.compile(
    r"(?:https?|ftp)://((?:[a-z0-9_-]{1,63}\.){1,20}[a-z]{2,24})(?:/[a-z0-9._~-]{1,200}){0,20}/?"
)
# A dot with a character after it; characters beyond ASCII are question marks there.
_DOT = re.compile(rb"\.[^ .:!*_~]")
# No dot follows up to the end of the piece, or to the next colon, so that nothing is read twice.
_WITHOUT_DOT = re.compile(rb"://[^ .:]*(?:[ :]|\Z)")
_BRACKETED = re.compile(r"(?:[^\s/@\[\]]{0,64}@)?\[[0-9a-f:.]{2,45}\][^\s<>()\"'|\\]{0,1024}")


# Maps letters to `a`, numerals to `0`, cutting characters to blanks; other characters stay unchanged.
_OF_TEXTS = (
    bytes(
        32 if one in _CUT or one.isspace() else 97 if one.isalpha() else 48 if one.isdecimal() else ord(one)
        for one in map(chr, range(128))
    )
    + b"?" * 128
)


def at_a_glance(text: str) -> KindOfValue | None:
    """Return the kind of a short and plain text: an address, or words without a destination; None otherwise.

    The normal form of such a text is its `plain` form. A text with None must be read.
    """
    return _KINDS.get(glance(text)) if len(text) <= SHORT else None


def whole(text: str) -> Destination:
    """Return the one destination that a text is; of kind `text` where it is of no known kind."""
    kind = at_a_glance(text)
    return Destination(kind, plain(text)) if kind else _whole(text)


def _whole(text: str) -> Destination:
    folded = plain(decoded(text if len(text) <= MAX_WHOLE else text[:MAX_WHOLE]))
    if folded.endswith(">") and _SHOWN.match(folded):
        # RFC 5322 section 3.4: the display name does not determine the destination, unless it is an address,
        # too.
        folded = folded[folded.index("<") + 1 : -1].strip()
    return _known(folded) or Destination(_TEXT, folded)


def both(text: str) -> tuple[Destination, tuple[Destination, ...]]:
    """Return what a text is as a whole, and every other destination in it."""
    kind = at_a_glance(text)
    return (Destination(kind, plain(text)), ()) if kind else looked_into(text)


def looked_into(text: str) -> tuple[Destination, tuple[Destination, ...]]:
    """Return the same as `both`, for a text that `at_a_glance` does not recognise."""
    found, inside = _whole(text), _inside(text)
    return found, tuple([one for one in inside if one != found]) if inside else ()


def within(text: str) -> Iterator[Destination]:
    """Return every destination in a text, some more than once."""
    if kind := at_a_glance(text):
        return iter((Destination(kind, plain(text)),) if kind is _EMAIL else ())
    return iter(_inside(text)) if len(text) <= PIECE else _piece_by_piece(text)


def _piece_by_piece(text: str) -> Iterator[Destination]:
    for piece in pieces(text):
        yield from _inside(piece)


def plainly_in(text: str, kind: KindOfValue | None) -> Sequence[Destination]:
    """Return what `within` returns for a text that the native reader took in: of a kind, or (None) prose."""
    if kind is _URL:
        folded = text.lower()
        return Destination(_HOST, folded.partition("://")[2].partition("/")[0]), Destination(_URL, folded)
    if kind is _PHONE:
        return [Destination(_PHONE, one) for one in international(text)]
    return list(within(text)) if kind is None else (Destination(kind, text.lower()),)


def _inside(text: str) -> list[Destination]:
    found: list[Destination] = []
    for _ in searching(text, found):
        pass
    return found


def searching(
    text: str, found: list[Destination], depth: int = 0, read: list[str] | None = None
) -> Steps[None]:
    """Add every destination in a text to `found`, in steps; `depth` encodings are already removed.

    The texts that are read are added to `read`, in pieces and folded, with the decoded texts inside them.
    """
    for piece in pieces(text) if len(text) > PIECE else (text,):
        if piece.isascii():
            yield from _places(piece, found)
            if read is not None:
                read.append(piece.lower())
        else:
            yield from _standing(piece, found, read)
        if depth < MAX_DEPTH and (inner := (yield from enclosing(piece))):
            yield from searching(inner, found, depth + 1, read)
        if len(piece) < len(text):
            yield


def _standing(text: str, found: list[Destination], read: list[str] | None) -> Steps[None]:
    """Add the destinations in a text with characters beyond ASCII, without decoding it."""
    text = fold(text) if weight(text) <= SLICE else (yield from folding(text))
    # Folding can make the text much longer.
    for piece in pieces(text) if len(text) > 2 * PIECE else (text,):
        plain = piece if piece.isascii() else _cut(piece)
        yield from _places(plain, found)
        # A dash, a sign, or a letter of another script may follow an address, or be a part of it.
        if not plain.isascii() and (apart := _BESIDE.sub(" ", plain)) != plain:
            yield
            yield from _places(apart, found)
        if read is not None:
            read.append(piece)
        if len(piece) < len(text):
            yield


def _cut(text: str) -> str:
    """Return a folded text with blanks for cutting characters, and with plain dots in names."""
    text = _STOP_IN_NAME.sub(".", text) if "\u3002" in text else text
    for char in _CUT_BEYOND_ASCII:
        text = text.replace(char, " ")
    return text


def _places(text: str, found: list[Destination]) -> Steps[None]:
    """Find the positions in a text where a destination is possible, and add the destinations there."""
    # One byte for each character, so that positions are the same.
    raw = text.encode("ascii", "replace")
    cut = raw.translate(_OF_TEXTS)
    scheme, dot, digits = cut.find(b"://"), _DOT.search(cut), cut.count(b"0")
    if scheme < 0 and dot is None and digits < MIN_NUMBER:
        return
    folded = text.lower() if text.isascii() else text
    if dot is not None:
        yield from _addresses(folded, cut, dot, found)
    if scheme >= 0 and (_WITHOUT_DOT.search(cut, scheme) or b"[" in raw):
        yield from _named_by_scheme(folded, raw, cut, scheme, found)
    if digits >= MIN_ACCOUNT_DIGITS:
        at, pause = cut.find(b"aa00"), STEP
        while at >= 0:
            if at == 0 or cut[at - 1] not in b"a0":
                accounts = accounts_at(" ".join(folded[at : at + 80].split()))
                found.extend([Destination(KindOfValue.IBAN, one) for one in accounts])
            if at > pause:
                # The end of the groups is not marked: each beginning has many readings.
                pause = at + STEP // 8
                yield
            at = cut.find(b"aa00", at + 1)
    if digits >= MIN_NUMBER:
        found.extend([Destination(_PHONE, one) for one in (yield from phones_in(folded, raw, cut))])


def _addresses(folded: str, cut: bytes, dot: re.Match[bytes] | None, found: list[Destination]) -> Steps[None]:
    """Add the destinations with a dot, from the first dot on: addresses, hosts, URLs."""
    seen: set[str] = set()
    done, pause = 0, STEP
    while dot is not None:
        at = dot.start()
        left = cut.rfind(b" ", done, at) + 1 or done
        done = cut.find(b" ", at)
        done = len(cut) if done < 0 else done
        piece = folded[left:done].strip(_EDGE)
        if piece not in seen:
            seen.add(piece)
            if len(piece) <= MAX_WHOLE:
                _in_piece(piece, found)
            else:
                yield from _in_long_piece(piece, found)
        if done > pause:
            pause = done + STEP
            yield
        dot = _DOT.search(cut, done)


def _named_by_scheme(folded: str, raw: bytes, cut: bytes, at: int, found: list[Destination]) -> Steps[None]:
    """Add URLs whose host has no dot: a local host name, or an IPv6 address."""
    seen: set[str] = set()
    done, pause, behind, count = 0, STEP, 0, 0
    while at >= 0:
        if at >= done:
            left = cut.rfind(b" ", done, at) + 1 or done
            done = cut.find(b" ", at)
            done = len(cut) if done < 0 else done
            if cut.find(b".", left, done) < 0 and done - left <= MAX_WHOLE:
                piece = folded[left:done].strip(_EDGE)
                if piece not in seen:
                    seen.add(piece)
                    _in_piece(piece, found)
        after = raw.find(b"://", at + 3)
        nested = at < behind
        # Of many nested URLs, the first ones are read to their end, the others to where the next one begins.
        limit = after if nested and count >= MAX_NESTED and after >= 0 else len(folded)
        if b"[" in raw[at + 3 : at + 68] and (address := _BRACKETED.match(folded, at + 3, limit)):
            end, count = address.end(), count + 1 if nested else 1
            behind = max(behind, end)
            scheme = _SCHEME_AT_END.search(folded[max(0, at - 31) : at])
            url = f"{scheme[0] if scheme else 'https'}://{folded[at + 3 : end].rstrip(_EDGE)}"
            if url not in seen:
                seen.add(url)
                _of_url(url, found)
        if at > pause:
            pause = at + STEP
            yield
        at = after


def _in_piece(piece: str, found: list[Destination]) -> None:
    """Add what one piece without spaces holds: the piece itself, and the parts that punctuation joins."""
    if plain_url := PLAIN_URL.fullmatch(piece):
        found.append(Destination(_URL, piece.rstrip("/")))
        found.append(Destination(_HOST, plain_url[1]))
        return
    if _MOMENT.fullmatch(piece):
        return
    if not _JOINTS.search(piece):
        found.extend(filter(None, (_named(piece),)))
        return
    if "//" in piece:
        _urls(piece, found)
    elif (known := _known(piece)) is not None:
        found.append(known)
        if known.kind is _URL:
            return
    # A name in the path of a URL is usually a file name.
    hosts = "//" not in piece
    if not hosts and "@" not in piece:
        return
    for part in _JOINTS.split(piece):
        if "." in part and (hosts or "@" in part[1:]):
            _joined(part, found)


def _in_long_piece(piece: str, found: list[Destination]) -> Steps[None]:
    """Add the parts that punctuation joins in a piece that is too long to be a destination itself."""
    gone = 0
    for part in dict.fromkeys(_JOINTS.split(piece)):
        if "." in part:
            _joined(part, found)
        if (gone := gone + len(part) + 8) > STEP:
            gone = 0
            yield


def _joined(part: str, found: list[Destination]) -> None:
    """Add the address or host that a part of a piece is."""
    found.extend(filter(None, (_named(part.strip(_EDGE)),)))


def _named(piece: str) -> Destination | None:
    """Return the address or host that a piece is; the host alone where the rest is no name of a mailbox."""
    piece = piece.lstrip(_BULLETS)
    local, at, host = piece.rpartition("@")
    found = (_email(piece) if at else None) or (_at_host(host) if local or not at else None)
    # No name of a top-level domain has a hyphen: the next word follows it.
    last = piece[piece.rfind(".") + 1 :]
    name = last.partition("-" if at else "--")[0].rstrip("-")
    return found if found or name == last else _named(piece.removesuffix(last) + name)


def _urls(piece: str, found: list[Destination]) -> None:
    """Add the URLs that begin in a piece, each to its end, and their hosts."""
    at, count = piece.find("//"), 0
    while at >= 0:
        after = piece.find("//", at + 2)
        end = len(piece) if after < 0 or count < MAX_NESTED else after
        if at == 0 or piece[at - 1] in "=?&#":
            # RFC 3986 section 4.2: a reference without a scheme; the client supplies the scheme.
            _of_url("https:" + piece[at:end], found)
        elif piece[at - 1] == ":" and (scheme := _SCHEME_AT_END.search(piece[max(0, at - 32) : at - 1])):
            _of_url(scheme[0] + piece[at - 1 : end], found)
        at, count = after, count + 1


def _of_url(text: str, found: list[Destination]) -> None:
    """Add a URL and its host."""
    if (url := _url(text)) is None:
        return
    found.append(url)
    host = url.normal.partition("://")[2].partition("/")[0]
    if ":" in host and host.rpartition(":")[2].isdecimal():
        host = host.rpartition(":")[0]
    if (known := _at_host(host) or _named(host)) is not None:
        found.append(known)


def _known(folded: str) -> Destination | None:
    """Return the destination that a folded text is; None where it is of no known kind."""
    if not 3 <= len(folded) <= MAX_WHOLE:
        return None
    if folded.startswith("mailto:"):
        folded, _, more = folded[7:].partition("?")
        if "@" in more or not folded:  # RFC 6068 section 2: further recipients
            return None
    if "://" in folded:
        return _url(folded)
    if folded.startswith("//"):
        return _url("https:" + folded)
    if "@" in folded:
        return _email(folded)
    if "." in folded and " " not in folded:
        if (known := _at_host(folded)) is not None:
            return known
        if "/" in folded and host_of(folded.partition("/")[0]):
            return _url(f"https://{folded}")
    if folded[0] in "+0123456789":
        phone = phone_of(folded)
        return Destination(_PHONE, phone) if phone else None
    account = account_of(folded) if folded[2:4].isdecimal() else ""
    return Destination(KindOfValue.IBAN, account) if account else None


def _email(folded: str) -> Destination | None:
    local, _, domain = folded.rpartition("@")
    host = host_of(domain)
    if not host or not _LOCAL.fullmatch(local):
        return None
    return Destination(_EMAIL, f"{local}@{host}")


def _at_host(folded: str) -> Destination | None:
    host = host_of(folded)
    return Destination(_HOST, host) if host else None


def _url(folded: str) -> Destination | None:
    scheme, _, rest = folded.partition("://")
    if not _SCHEME.fullmatch(scheme):
        return None
    if scheme in _SPECIAL:
        # WHATWG URL: further slashes mean nothing, and neither does an empty port.
        rest = rest.lstrip("/\\")
    # WHATWG URL: a backslash ends the authority as a slash does; the text before the last `@` is no host.
    end = _OF_URLS.search(rest)
    place, tail = (rest[: end.start()], rest[end.start() :]) if end else (rest, "")
    place = place.rpartition("@")[2]
    host, colon, port = place.rpartition(":")
    if not colon or (port and not port.isdecimal()):
        host, port = place, ""
    named = numbered_host(host) if host[:1] in "[0123456789" else ""
    named = named or host_of(host) or (host if host.isascii() else "")
    if not named:
        return None
    if (scheme, port) in (("https", "443"), ("http", "80")):
        port = ""
    if "%" in tail or "&" in tail:
        tail = decoded(tail)
    where = f"{named}:{port}" if port else named
    path = tail.lstrip("/\\")
    return Destination(_URL, f"{scheme}://{where}/{path}".rstrip("/"))
