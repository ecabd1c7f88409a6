# SPDX-License-Identifier: Apache-2.0
"""Destinations in their normal form: where something goes, however it is written.

An e-mail address, a URL, a host, an IBAN or a telephone number is the same destination in capitals, with
spaces, percent-encoded, in base64, with a display name around it or with an invisible character in it.
`whole` reads a text that is one destination, `within` finds every one that stands in a text. Everything else
is compared as `plain` text.

What is not promised: encodings beyond percent, HTML references and base64 (three deep), look-alike letters
(they are different destinations, and stay different), and values that are spread over several texts. All of
it takes time in proportion to the text: no pattern here can go back further than a bounded piece.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import enum
import html
import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

import msgspec

MAX_WHOLE = 2_048
"""Characters of a text that can be one destination, or be compared as a whole."""
MAX_DEPTH = 3
"""How many encodings around one another are taken off."""
MAX_BASE64 = 8_192
"""Characters of a piece of base64 that is looked into."""


class DestinationKind(enum.StrEnum):
    """What a destination is."""

    EMAIL = "email"
    URL = "url"
    HOST = "host"
    IBAN = "iban"
    PHONE = "phone"
    TEXT = "text"


class Destination(msgspec.Struct, frozen=True):
    """A destination in normal form. Two are the same if and only if they are equal."""

    kind: DestinationKind
    normal: str


# Default-ignorable and bidirectional marks, soft hyphen, joiners, variation selectors, tags: nothing that a
# reader sees, and nothing that most programs keep.
_IGNORED = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U000e0000-\U000e0fff]"
)
_SPACE = re.compile(r"\s+")
# What can stand around a destination in a sentence or a structured text, and never belongs to it.
_CUT = re.compile(r"[\s<>()\[\]{}\"'`|,;\\\u00ab\u00bb\u2018-\u201f\u3001\u3002]+")
_EDGE = ".:!?*_~\u2026"
_LABEL = r"[^\s@.,;:/?#\[\]()<>\"'`\\|{}=&%]{1,63}"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL}){{1,20}}\.?")
_LOCAL = re.compile(r"[^\s@,;:/()<>\[\]\"\\]{1,64}")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{1,30}")
_TLD = re.compile(r"[a-z]{2,24}|xn--[a-z0-9-]{2,59}")
_IBAN = re.compile(r"(?<![a-z0-9])[a-z]{2}[0-9]{2}(?:[ -]?[a-z0-9]{1,4}){3,10}(?![a-z0-9])")
_PHONE = re.compile(r"(?<![a-z0-9+])(?:\+|00)?[0-9](?:[ ()./-]{0,2}[0-9]){6,16}(?![a-z0-9])")
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{12,}={0,2}(?![A-Za-z0-9+/_-])")
_DATE = re.compile(r"[12][0-9]{3}[-./][0-9]{2}[-./][0-9]{2}|[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}$")
_DIGITS = re.compile(r"[0-9][0-9 ()./-]{4}")
_PHONE_MARKS = str.maketrans("", "", " ()./-")
_FULL_STOPS = str.maketrans("\u3002\uff0e\uff61", "...")  # IDNA's other dots (RFC 3490 section 3.1)


def plain(text: str) -> str:
    """Give what is left of a text when case, width, spacing and what nobody sees are overlooked."""
    if text.isascii():
        folded = text.lower()
    else:
        folded = unicodedata.normalize("NFKC", _IGNORED.sub("", text)).casefold()
        # Folding can undo the normal form, and compatibility forms can hold what is ignored.
        folded = unicodedata.normalize("NFKC", _IGNORED.sub("", folded))
    return _SPACE.sub(" ", folded).strip()


def whole(text: str) -> Destination:
    """Give the one destination that a text is; of kind `text` where it is none of the known ones."""
    folded = plain(_decoded(text[:MAX_WHOLE]))
    if "<" in folded and folded.endswith(">"):
        # RFC 5322 section 3.4: the display name says nothing of where it goes.
        folded = folded[folded.rindex("<") + 1 : -1].strip()
    return _known(folded) or Destination(DestinationKind.TEXT, folded)


def within(text: str) -> Iterator[Destination]:
    """Give every destination that stands in a text, some more than once."""
    yield from _within(text, MAX_DEPTH)


def _within(text: str, depth: int) -> Iterator[Destination]:
    folded = plain(text)
    if "@" in folded or "." in folded:
        for piece in _CUT.split(folded):
            if "@" in piece or ("." in piece and "." in piece.strip(_EDGE)):
                yield from _of_piece(piece.strip(_EDGE))
    if _DIGITS.search(folded):
        for found in _IBAN.finditer(folded):
            yield from _accounts(found[0])
        for found in _PHONE.finditer(folded):
            if (known := _numbered(DestinationKind.PHONE, found[0])) is not None:
                yield known
    if not depth:
        return
    if "%" in text or "&" in text:
        for piece in text.split():
            if ("%" in piece or "&" in piece) and (inner := _decoded_once(piece)) != piece:
                yield from _within(inner, depth - 1)
    for found in _BASE64.finditer(text):
        if inner := _from_base64(found[0]):
            yield from _within(inner, depth - 1)


def _accounts(text: str) -> Iterator[Destination]:
    """Give what may be an account number at the start of a text: where its groups end, no mark says."""
    ends = [at for at, char in enumerate(text) if char in " -"]
    for end in (*ends, len(text)):
        if (known := _numbered(DestinationKind.IBAN, text[:end])) is not None:
            yield known


def _of_piece(piece: str) -> Iterator[Destination]:
    """Give what one piece without spaces holds: itself, or what `=` or `:` joins to something before it."""
    known = _known(piece)
    if known is None and ("=" in piece or ":" in piece):
        known = _known(re.split("[=:]", piece)[-1].strip(_EDGE))
    if known is not None:
        yield known
        if known.kind is DestinationKind.URL:
            yield from _in_url(known.normal)


def _in_url(url: str) -> Iterator[Destination]:
    """Give the host of a URL, and what its query and path carry along."""
    rest = url.partition("://")[2]
    host, _, tail = rest.partition("/")
    named = _host(host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host)
    if named:
        yield Destination(DestinationKind.HOST, named)
    for piece in re.split(r"[/?&#=;]", tail):
        if "@" in piece or "." in piece:
            known = _known(_decoded(piece).strip(_EDGE))
            if known is not None and known.kind is not DestinationKind.HOST:
                yield known


def _known(folded: str) -> Destination | None:
    """Read a folded text that is one destination of a known kind."""
    if not 3 <= len(folded) <= MAX_WHOLE:
        return None
    if folded.startswith("mailto:"):
        folded = folded[7:].partition("?")[0]
    if "://" in folded:
        return _url(folded)
    if "@" in folded:
        return _email(folded)
    if " " not in folded and (host := _host(folded)):
        return Destination(DestinationKind.HOST, host)
    if "/" in folded and (host := _host(folded.partition("/")[0])):
        return _url(f"https://{folded}") if host.startswith("www.") else None
    return _numbered(DestinationKind.IBAN, folded) or _numbered(DestinationKind.PHONE, folded)


def _numbered(kind: DestinationKind, text: str) -> Destination | None:
    if kind is DestinationKind.IBAN:
        short = text.replace(" ", "").replace("-", "")
        if _IBAN.fullmatch(text) and 15 <= len(short) <= 34 and sum(map(str.isdigit, short)) >= 8:
            return Destination(kind, short)
        return None
    if not _PHONE.fullmatch(text):
        return None
    if _DATE.match(text):
        return None
    digits = text.translate(_PHONE_MARKS)
    digits = "+" + digits[2:] if digits.startswith("00") else digits
    # A bare row of digits is a number of something else just as well: it stays text.
    marked = digits.startswith("+") or not text.isdecimal()
    return Destination(kind, digits) if marked and 7 <= len(digits.lstrip("+")) <= 15 else None


def _email(folded: str) -> Destination | None:
    local, _, domain = folded.rpartition("@")
    host = _host(domain)
    if not host or not _LOCAL.fullmatch(local):
        return None
    return Destination(DestinationKind.EMAIL, f"{local}@{host}")


def _url(folded: str) -> Destination | None:
    scheme, _, rest = folded.partition("://")
    if not _SCHEME.fullmatch(scheme):
        return None
    place, tail = _split_authority(rest)
    host, colon, port = place.rpartition("@")[2].rpartition(":")
    if not colon or not port.isdecimal():
        host, port = place.rpartition("@")[2], ""
    named = _host(host) or (host if host.isascii() and host else "")
    if not named:
        return None
    if (scheme, port) in (("https", "443"), ("http", "80")):
        port = ""
    tail = _decoded(tail)
    where = f"{named}:{port}" if port else named
    return Destination(DestinationKind.URL, f"{scheme}://{where}/{tail}".rstrip("/"))


def _split_authority(rest: str) -> tuple[str, str]:
    for at, char in enumerate(rest):
        if char in "/?#\\":
            return rest[:at], rest[at + 1 :] if char in "/\\" else rest[at:]
    return rest, ""


def _host(text: str) -> str:
    """Give a host in its ASCII form (RFC 5891), or nothing for what is none."""
    host = text.translate(_FULL_STOPS)
    if not _HOST.fullmatch(host):
        return ""
    host = host.removesuffix(".")
    if not host.isascii():
        try:
            # Every label by itself: the form that resolvers ask for. What has none stays as it is, and equals
            # nothing that has one.
            host = ".".join(
                label if label.isascii() else "xn--" + label.encode("punycode").decode("ascii")
                for label in host.split(".")
            )
        except UnicodeError:
            return ""
    return host if _TLD.fullmatch(host.rpartition(".")[2]) else ""


def _decoded(text: str) -> str:
    """Take off encodings, at most `MAX_DEPTH` of them."""
    for _ in range(MAX_DEPTH):
        inner = _decoded_once(text)
        if inner == text:
            compact = text.strip()
            inner = (_from_base64(compact) if _BASE64.fullmatch(compact) else "") or text
        if inner == text:
            break
        text = inner
    return text


def _decoded_once(text: str) -> str:
    """Take off percent-encoding and HTML references where there are any."""
    if "%" in text:
        with contextlib.suppress(UnicodeError):  # not UTF-8, so nothing that could be read in it
            text = unquote_to_bytes(text).decode()
    return html.unescape(text) if "&" in text else text


def _from_base64(text: str) -> str:
    """Give the text that base64 holds; empty where it holds none."""
    if len(text) > MAX_BASE64:
        return ""
    bare = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        inner = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
    return inner if inner.isprintable() or not _IGNORED.sub("", inner.strip()).count("\x00") else ""
