# SPDX-License-Identifier: Apache-2.0
"""Destinations in their normal form: where something goes, however it is written.

An e-mail address, a URL, a host, an IBAN or a telephone number is the same destination in capitals, with
spaces, in an encoding (`core.encoding`), with a display name around it or with an invisible character in it.
`whole` reads a text that is one destination, `within` finds every one that stands in a text. Everything else
is compared as `plain` text.

What is not promised: more than three encodings around one another, look-alike letters (they are different
destinations, and stay different; so are addresses with and without a `+tag`, and telephone numbers with and
without their country code), and values that are spread over several texts.

INVARIANT: all of it takes time in proportion to the text. What looks for destinations first finds, in C, the
few places where one can be; no pattern starts anywhere else, and none goes over more than a bounded piece.
"""

from __future__ import annotations

import enum
import itertools
import re
from collections.abc import Iterator

import msgspec

from remit.core.encoding import MAX_DEPTH, decoded, enclosed
from remit.core.glance import SHORT, Glance, glance
from remit.core.host import host_of, numbered_host
from remit.core.spelling import classes, plain
from remit.core.spelling import folded as fold

MAX_WHOLE = 2_048
"""Characters of a text that can be one destination, or be compared as a whole."""
PIECE = 16_384
"""Characters of a long text that are read at a time."""
MIN_NUMBER = 7
"""Characters of the shortest telephone number, all of them digits."""
MIN_ACCOUNT = 15
MIN_ACCOUNT_DIGITS = 8
"""ISO 13616: the shortest account numbers have 15 characters; none has so few digits."""
MAX_NESTED = 4
"""URLs within one another that are read to their end."""


class DestinationKind(enum.StrEnum):
    """What a destination is."""

    EMAIL = "email"
    URL = "url"
    HOST = "host"
    IBAN = "iban"
    PHONE = "phone"
    TEXT = "text"


class Destination(msgspec.Struct, frozen=True, gc=False):
    """A destination in normal form. Two are the same if and only if they are equal."""

    kind: DestinationKind
    normal: str


_KINDS = {Glance.ADDRESS: DestinationKind.EMAIL, Glance.TEXT: DestinationKind.TEXT}
# What can stand around a destination in a sentence or a structured text, and never belongs to it.
_CUT = "<>()[]{}\"'`|,;\\"
_CUT_BEYOND_ASCII = "\u00ab\u00bb\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u3001\u3002\ufffd"
_STOP_IN_NAME = re.compile("(?<=[a-z0-9-])\u3002(?=[a-z0-9])")  # RFC 3490 section 3.1
_EDGE = ".:!?*_~\u2026"
_LOCAL = re.compile(r"[^\s@,;:/()<>\[\]\"\\]{1,64}")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{1,30}")
_SCHEME_AT_END = re.compile(r"[a-z][a-z0-9+-]{1,30}$")
_IBAN = re.compile(r"[a-z]{2}[0-9]{2}(?:[ -]?[a-z0-9]){11,30}(?![a-z0-9])")
_PHONE = re.compile(r"(?:\+|00)?[0-9](?:[ ()./-]{0,2}[0-9]){6,16}")
# Starts with a digit, so that the search goes from digit to digit.
_PHONE_WITHIN = re.compile(r"[0-9](?<![a-z0-9][0-9])(?:[ ()./-]{0,2}[0-9]){6,16}(?![a-z0-9])")
# Dates, addresses of hosts and amounts.
_NO_PHONE = re.compile(
    r"[12][0-9]{3}[-./][0-9]{2}[-./][0-9]{2}"
    r"|[0-9]{1,2}[-./][0-9]{1,2}[-./][12][0-9]{3}$"
    r"|(?:[0-9]{1,3}\.){3}[0-9]{1,3}$"
    r"|[0-9]{1,12}\.[0-9]{1,6}$"
)
_SHOWN = re.compile(r"[^<>@\x00]*<")
_ROW = re.compile(rb"x{7,}")
_PHONE_MARKS = str.maketrans("", "", " ()./-")
_SPACE = re.compile(r"\s")
_MOMENT = re.compile(r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}t[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?z?")
_JOINTS = re.compile("[=:/?&#]")
_OF_URLS = re.compile(r"[/?#\\]")
# A dot that has something after it; characters beyond ASCII are question marks there.
_DOT = re.compile(rb"\.[^ .:!*_~]")
_BRACKETED = re.compile(r"(?:[^\s/@\[\]]{0,64}@)?\[[0-9a-f:.]{2,45}\][^\s<>()\"'|\\]{0,1024}")


_LETTERS, _NUMERALS = "abcdefghijklmnopqrstuvwxyz", "0123456789"
_OF_ACCOUNTS = classes(a=_LETTERS, _0=_NUMERALS)
_OF_PHONES = classes(x=_NUMERALS + " ()./-+")
# Everything is itself, but what cuts is a blank.
_OF_PIECES = bytes(32 if chr(at) in _CUT or chr(at).isspace() else at for at in range(128)) + b"?" * 128


def whole(text: str) -> Destination:
    """Give the one destination that a text is; of kind `text` where it is none of the known ones."""
    if len(text) <= SHORT and (kind := _KINDS.get(glance(text))):
        return Destination(kind, plain(text))
    folded = plain(decoded(text if len(text) <= MAX_WHOLE else text[:MAX_WHOLE]))
    if folded.endswith(">") and _SHOWN.match(folded):
        # RFC 5322 section 3.4: the display name says nothing of where it goes, unless it is an address too.
        folded = folded[folded.index("<") + 1 : -1].strip()
    return _known(folded) or Destination(DestinationKind.TEXT, folded)


def both(text: str) -> tuple[Destination, tuple[Destination, ...]]:
    """Give what a text is as a whole, and every destination that stands in it; one that is both only once."""
    if len(text) <= SHORT and (kind := _KINDS.get(glance(text))):
        return Destination(kind, plain(text)), ()
    found = whole(text)
    return found, tuple(one for one in within(text) if one != found)


def pieces(text: str) -> Iterator[str]:
    """Give a long text in pieces of about `PIECE` characters. What `within` finds in them is what it finds in
    the text: a piece ends between words, and begins a little before the last one ended.
    """
    start = 0
    while len(text) - start > PIECE + PIECE // 4:
        end = text.rfind(" ", start + PIECE // 2, start + PIECE)
        end = end if end > 0 else text.rfind("\n", start + PIECE // 2, start + PIECE)
        if end <= 0:
            # One long word, as base64 is: to where it ends.
            blank = _SPACE.search(text, start + PIECE)
            end = blank.start() if blank else len(text)
        yield text[start:end]
        # An account number has at most 34 characters, and a blank between any two of them.
        back = max(start + 1, end - 80)
        start = text.find(" ", back, end)
        start = end if start < 0 else start
    if start < len(text):
        yield text[start:]


def within(text: str) -> Iterator[Destination]:
    """Give every destination that stands in a text, some more than once."""
    if len(text) <= SHORT and (kind := _KINDS.get(glance(text))):
        return iter((Destination(kind, plain(text)),) if kind is DestinationKind.EMAIL else ())
    if len(text) <= PIECE:
        return iter(_within(text))
    return itertools.chain.from_iterable(map(_within, pieces(text)))


def _within(text: str) -> list[Destination]:
    found: list[Destination] = []
    for _ in range(MAX_DEPTH):
        _standing(text, found)
        text = enclosed(text)
        if not text:
            return found
    _standing(text, found)
    return found


def _standing(text: str, found: list[Destination]) -> None:
    """Add the destinations that stand in a text as they are."""
    folded = fold(text)
    if not folded.isascii():
        folded = _STOP_IN_NAME.sub(".", folded)
        for char in _CUT_BEYOND_ASCII:
            folded = folded.replace(char, " ")
    # One byte stands for each character, so that places are the same.
    raw = folded.encode("ascii", "replace")
    if b"." in raw or b"://" in raw:
        _addresses(folded, raw, found)
    if len(raw) < MIN_NUMBER:
        return
    numerals = raw.translate(_OF_ACCOUNTS)
    at = numerals.find(b"aa00")
    while at >= 0:
        if at == 0 or numerals[at - 1] == 32:
            _accounts(" ".join(folded[at : at + 80].split()), found)
        at = numerals.find(b"aa00", at + 1)
    if numerals.count(b"0") >= MIN_NUMBER:
        _phones(folded, raw.translate(_OF_PHONES), numerals, found)


def _addresses(folded: str, raw: bytes, found: list[Destination]) -> None:
    """Add what has a dot or a scheme in it: addresses, hosts, URLs."""
    cut = raw.translate(_OF_PIECES)
    seen: set[str] = set()
    done = 0
    for dot in _DOT.finditer(cut):
        at = dot.start()
        if at < done:
            continue
        left = cut.rfind(b" ", done, at) + 1 or done
        done = cut.find(b" ", at)
        done = len(cut) if done < 0 else done
        piece = folded[left:done].strip(_EDGE)
        if piece not in seen:
            seen.add(piece)
            _in_piece(piece, found)
    if b"://" in raw:
        _named_by_scheme(folded, raw, cut, found)


def _named_by_scheme(folded: str, raw: bytes, cut: bytes, found: list[Destination]) -> None:
    """Add URLs whose host has no dot: a name of this network, or an address of IP version 6."""
    done = 0
    at = raw.find(b"://")
    while at >= 0:
        if at >= done:
            left = cut.rfind(b" ", done, at) + 1 or done
            done = cut.find(b" ", at)
            done = len(cut) if done < 0 else done
            if cut.find(b".", left, done) < 0 and done - left <= MAX_WHOLE:
                _in_piece(folded[left:done].strip(_EDGE), found)
        if b"[" in raw[at + 3 : at + 68] and (address := _BRACKETED.match(folded, at + 3)):
            scheme = _SCHEME_AT_END.search(folded[max(0, at - 31) : at])
            _of_url(f"{scheme[0] if scheme else 'https'}://{address[0].rstrip(_EDGE)}", found)
        at = raw.find(b"://", at + 3)


def _in_piece(piece: str, found: list[Destination]) -> None:
    """Add what one piece without spaces holds: itself, and what marks join in it."""
    if _MOMENT.fullmatch(piece):
        return
    if not _JOINTS.search(piece):
        found.extend(filter(None, (_email(piece) if "@" in piece else _at_host(piece),)))
        return
    if len(piece) <= MAX_WHOLE:
        if "//" in piece:
            _urls(piece, found)
        elif (known := _known(piece)) is not None:
            found.append(known)
            if known.kind is DestinationKind.URL:
                return
    # A name in the path of a URL is most often one of a file.
    hosts = "//" not in piece or len(piece) > MAX_WHOLE
    for part in _JOINTS.split(piece):
        if "." in part and (hosts or "@" in part):
            bare = part.strip(_EDGE)
            found.extend(filter(None, (_email(bare) if "@" in bare else _at_host(bare),)))


def _urls(piece: str, found: list[Destination]) -> None:
    """Add the URLs that begin in a piece, each to its end, and their hosts."""
    at, count = piece.find("//"), 0
    while at >= 0:
        after = piece.find("//", at + 2)
        end = len(piece) if after < 0 or count < MAX_NESTED else after
        if at == 0 or piece[at - 1] in "=?&#":
            # RFC 3986 section 4.2: a reference that leaves the scheme to whoever reads it.
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
    if (known := _at_host(host)) is not None:
        found.append(known)


def _accounts(text: str, found: list[Destination]) -> None:
    """Add what may be an account number at the start of a text: where its groups end, no mark says."""
    account = _IBAN.match(text)
    if account is None:
        return
    short, digits = "", 0
    for group in account[0].replace("-", " ").split(" "):
        short += group
        digits += len(group) if group.isdecimal() else sum(map(str.isdecimal, group))
        if len(short) >= MIN_ACCOUNT and digits >= MIN_ACCOUNT_DIGITS:
            found.append(Destination(DestinationKind.IBAN, short))


def _phones(folded: str, rows: bytes, numerals: bytes, found: list[Destination]) -> None:
    """Add what may be telephone numbers, in the runs of digits and of what stands between digits."""
    seen: set[str] = set()
    for row in _ROW.finditer(rows):
        start, end = row.span()
        # As most rows are dates and counts: first whether there are digits enough, then whether it is new.
        around = folded[max(0, start - 1) : end + 1]
        if numerals.count(b"0", start, end) < MIN_NUMBER or around in seen:
            continue
        seen.add(around)
        if _is_bare(folded[start:end].strip()):
            continue
        text, first = folded, numerals.find(b"0", start, end)
        if "  " in around:
            text, first = " ".join(folded[max(0, first - 2) : end + 1].split()), 0
        for number in _PHONE_WITHIN.finditer(text, first, end + 1):
            if not _NO_PHONE.match(number[0]):
                _numbers(number, found)


def _is_bare(run: str) -> bool:
    """Whether this is a row of digits, which says nothing of what it numbers."""
    return run.isdecimal() and not run.startswith("00")


def _numbers(number: re.Match[str], found: list[Destination]) -> None:
    text = number[0]
    if number.start() and number.string[number.start() - 1] == "+":
        text = "+" + text
    if (known := _phone(text)) is not None:
        found.append(known)
    # A number before it, as in "24/7", is not a part of it.
    for _ in range(2):
        _, _, text = text.partition(" ")
        if len(text) < MIN_NUMBER:
            return
        if (known := _phone(text)) is not None:
            found.append(known)


def _known(folded: str) -> Destination | None:
    """Read a folded text that is one destination of a known kind."""
    if not 3 <= len(folded) <= MAX_WHOLE:
        return None
    if folded.startswith("mailto:"):
        folded, _, more = folded[7:].partition("?")
        if "@" in more:  # RFC 6068 section 2: others who get a copy
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
        return _phone(folded)
    return _account(folded) if folded[2:4].isdecimal() else None


def _account(text: str) -> Destination | None:
    if not _IBAN.fullmatch(text):
        return None
    short = text.replace(" ", "").replace("-", "")
    enough = sum(map(str.isdecimal, short)) >= MIN_ACCOUNT_DIGITS
    return Destination(DestinationKind.IBAN, short) if enough else None


def _phone(text: str) -> Destination | None:
    if not _PHONE.fullmatch(text) or _NO_PHONE.match(text):
        return None
    digits = text.translate(_PHONE_MARKS)
    digits = "+" + digits[2:] if digits.startswith("00") else digits
    # A bare row of digits is a number of something else just as well: it stays text.
    marked = digits.startswith("+") or not text.isdecimal()
    return (
        Destination(DestinationKind.PHONE, digits) if marked and 7 <= len(digits.lstrip("+")) <= 15 else None
    )


def _email(folded: str) -> Destination | None:
    local, _, domain = folded.rpartition("@")
    host = host_of(domain)
    if not host or not _LOCAL.fullmatch(local):
        return None
    return Destination(DestinationKind.EMAIL, f"{local}@{host}")


def _at_host(folded: str) -> Destination | None:
    host = host_of(folded)
    return Destination(DestinationKind.HOST, host) if host else None


def _url(folded: str) -> Destination | None:
    scheme, _, rest = folded.partition("://")
    if not _SCHEME.fullmatch(scheme):
        return None
    # WHATWG URL: a backslash ends the authority as a slash does; what is before the last `@` names nobody.
    end = _OF_URLS.search(rest)
    place, tail = (rest[: end.start()], rest[end.start() :]) if end else (rest, "")
    place = place.rpartition("@")[2]
    host, colon, port = place.rpartition(":")
    if not colon or not port.isdecimal():
        host, port = place, ""
    named = numbered_host(host) or host_of(host) or (host if host.isascii() else "")
    if not named:
        return None
    if (scheme, port) in (("https", "443"), ("http", "80")):
        port = ""
    if "%" in tail or "&" in tail:
        tail = decoded(tail)
    where = f"{named}:{port}" if port else named
    path = tail.lstrip("/\\")
    return Destination(DestinationKind.URL, f"{scheme}://{where}/{path}".rstrip("/"))
