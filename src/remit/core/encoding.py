# SPDX-License-Identifier: Apache-2.0
"""Texts in texts: what percent-encoding, HTML references, base64, quoted-printable and encoded words hold.

`decoded` reads a text that is encoded as a whole, `enclosed` gives what is encoded within one. Neither says
that anybody would decode it: what holds a destination in any of these forms is taken to hold it.
"""

from __future__ import annotations

import binascii
import html
import re
from urllib.parse import unquote_to_bytes

from remit.core.spelling import classes

MAX_DEPTH = 3
"""How many encodings around one another are taken off."""
MIN_BASE64 = 12
"""Characters of the shortest base64 that is looked into: nine bytes, fewer than any address."""
MAX_PATH = 4_096
"""Characters of the longest path, or name with dashes, in whose parts base64 is looked for."""
BREAK = " | "
"""Stands between texts that were found apart: nothing reads across it."""

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{12,}={0,2}")
_PART = re.compile(r"[A-Za-z0-9+]{12,}")
# With what no base64 of a text begins: its first byte would begin no character of UTF-8 (RFC 3629 section 4).
_NO_TEXT = frozenset("ghijklmnopqrstuv+/-_")
_URL_SAFE = str.maketrans("-_", "+/")
# A number that is no character's. Python refuses to read one of thousands of digits.
_NO_CHARACTER = re.compile(r"&#[0-9]{9,};?")
_QUOTED = re.compile(r"=[0-9A-Fa-f]{2}")
# A text is quoted-printable where it has a soft break, or quotes what no address is without: `@`, `.`, `=`.
_IS_QUOTED = re.compile(r"=(?:40|2[Ee]|3[Dd])")
_SOFT = re.compile(r"=\r?\n")
# RFC 2047 section 2. Characters of an encoded word are all printable, without blanks.
_WORD = re.compile(r"=\?[A-Za-z0-9_*-]{1,40}\?([bBqQ])\?([!-~]{1,300}?)\?=")
_BETWEEN_WORDS = re.compile(r"\?=\s{1,9}=\?")


_IN_BASE64 = classes(x="ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_")
_LONG = b"x" * MIN_BASE64


def decoded(text: str) -> str:
    """Take off the encodings of a text as a whole, at most `MAX_DEPTH` of them."""
    for _ in range(MAX_DEPTH):
        inner = text
        if "%" in text or "&" in text:
            inner = unescaped(text)
        elif "=?" in text:
            inner = _in_words(text)
        if inner == text:
            compact = text.strip()
            if len(compact) < MIN_BASE64 or not _BASE64.fullmatch(compact):
                break
            inner = from_base64(compact) or text
            if inner == text:
                break
        text = inner
    return text


def unescaped(text: str) -> str:
    """Take off percent-encoding and HTML references, once. Bytes that are no UTF-8 become U+FFFD."""
    if "%" in text:
        text = unquote_to_bytes(text.encode("utf-8", "surrogatepass")).decode("utf-8", "replace")
    return html.unescape(_NO_CHARACTER.sub("\ufffd", text)) if "&" in text else text


def enclosed(text: str) -> str:
    """Give everything that is encoded within a text, decoded once and apart; empty where nothing is."""
    found: list[str] = []
    if "%" in text or "&" in text:
        marked = [piece for piece in text.split() if "%" in piece or "&" in piece]
        found.extend(plain for piece in marked if (plain := unescaped(piece)) != piece)
    if "=" in text:
        if "=?" in text and (words := _in_words(text)) != text:
            found.append(words)
        # RFC 2045 section 6.7: a soft break can stand anywhere, also within an address.
        if _SOFT.search(text):
            found.append(quoted(_SOFT.sub("", text)))
        elif _IS_QUOTED.search(text):
            found.extend(quoted(piece) for piece in text.split() if _IS_QUOTED.search(piece))
    if len(text) >= MIN_BASE64:
        found.extend(_blobs(text))
    return BREAK.join(found)


def quoted(text: str) -> str:
    """Take off quoted-printable (RFC 2045 section 6.7)."""
    raw = _QUOTED.sub(lambda at: "%" + at[0][1:], text.replace("%", "%25"))
    return unquote_to_bytes(raw.encode("utf-8", "surrogatepass")).decode("utf-8", "replace")


def from_base64(text: str) -> str:
    """Give the text that base64 holds, in either alphabet, with or without its padding; empty for none."""
    bare = text.rstrip("=")
    if len(bare) % 4 == 1 or bare[:1] in _NO_TEXT:
        return ""
    try:
        data = binascii.a2b_base64(bare.translate(_URL_SAFE) + "==="[: -len(bare) % 4])
        # What is no text from its first byte on is most of what looks like base64.
        return "" if not data or 0x7F < data[0] < 0xC2 or b"\x00" in data else data.decode()
    except (binascii.Error, ValueError):
        return ""


def _blobs(text: str) -> list[str]:
    """Give what the runs of base64 in a text hold."""
    # One byte stands for each character, so that places are the same.
    rows = text.encode("ascii", "replace").translate(_IN_BASE64)
    found: list[str] = []
    start = rows.find(_LONG)
    while start >= 0:
        end = rows.find(b" ", start)
        end = len(text) if end < 0 else end
        run = text[start:end]
        whole = from_base64(run)
        if whole:
            found.append(whole)
        elif len(run) <= MAX_PATH:
            # It may be a part of a path or a name, and not one of base64's own characters.
            found.extend(filter(None, (from_base64(one) for one in _PART.findall(run) if one != run)))
        start = rows.find(_LONG, end)
    return found


def _in_words(text: str) -> str:
    """Read the encoded words of mail headers (RFC 2047); blanks between two of them do not count."""

    def word(at: re.Match[str]) -> str:
        if at[1] in "bB":
            return from_base64(at[2]) or at[0]
        return quoted(at[2].replace("_", " "))

    return _WORD.sub(word, _BETWEEN_WORDS.sub("?==?", text))
