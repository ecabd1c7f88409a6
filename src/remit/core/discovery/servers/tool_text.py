# SPDX-License-Identifier: Apache-2.0
"""A tool's text as a model reads it: hidden characters are found, and what is encoded is decoded."""

from __future__ import annotations

import base64
import binascii
import html
import re
import unicodedata
from collections.abc import Iterator
from typing import Final, NamedTuple

#: Characters of a text that are read.
MAX_TEXT: Final = 40_000
_TAG: Final = re.compile("[\U000e0020-\U000e007e]+")
_FLAG: Final = re.compile("\U0001f3f4[\U000e0061-\U000e007a\U000e0030-\U000e0039]{1,6}\U000e007f")
_BETWEEN: Final = re.compile("(?<=[A-Za-z ,.])[\u00ad\u200b-\u200d\u2060-\u2064\ufeff\u180e]+(?=[A-Za-z ,.])")
_IGNORED: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff]"
)
_OVERRIDES: Final = re.compile("[\u202a-\u202e]")
_ISOLATES: Final = re.compile("[\u2066-\u2069]")
_BLANKS: Final = re.compile("[\u2800\u3164\uffa0\u115f\u1160]{2,}")
_CARRIERS: Final = re.compile("[\u200b-\u200d\u2060-\u2064\ufeff]{8,}")
_SELECTORS: Final = re.compile("[\U000e0100-\U000e01ef]{4,}|[\ufe00-\ufe0d]{4,}")
_CONTROLS: Final = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f\x80-\x9f]")
_BLANK_RUN: Final = re.compile("[ \\t\u00a0]{300}")
_BLANK_LINES: Final = re.compile(r"\n(?:[ \t]{0,300}+\n){39}")
_COMMENTS: Final = (("<!--", "-->"), ("[//]: # (", ")"))
_BASE64: Final = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{24,8000}={0,2}(?![A-Za-z0-9+/])")
_HEX: Final = re.compile(r"(?<![A-Za-z0-9])(?:[0-9a-fA-F]{2}){16,4000}(?![A-Za-z0-9])")
_ESCAPES: Final = re.compile(r"(?:\\u00[2-7][0-9a-fA-F]|\\x[2-7][0-9a-fA-F]|%[2-7][0-9a-fA-F]){6,4000}")
_SPACED: Final = re.compile("(?:[A-Za-z,.'\u2019][ ]{1,3}){12,4000}[A-Za-z,.]")
_REVERSED: Final = re.compile(
    r"\b(?:resu|eht|elif|daer|dnes|llet)\b.*\b(?:resu|eht|elif|daer|dnes|llet)\b", re.IGNORECASE | re.DOTALL
)
_TURNED_BY_13: Final = re.compile(
    r"\b(?:hfre|gur|svyr|ernq|fraq|gryy)\b.*\b(?:hfre|gur|svyr|ernq|fraq|gryy)\b", re.IGNORECASE | re.DOTALL
)
_ROT13: Final = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "nopqrstuvwxyzabcdefghijklmNOPQRSTUVWXYZABCDEFGHIJKLM",
)
_JOINED: Final = re.compile(r"(?:[a-z']{1,20}[-_]){4,}[a-z']{1,20}")
_RTL: Final = frozenset({"R", "AL", "AN"})
#: Letters of other scripts that look like Latin ones, lower case.
_LOOKS: Final = str.maketrans(
    "\u0430\u0432\u0441\u0501\u0435\u04bb\u0456\u0458\u04cf\u043e\u0440\u051b\u0455\u051d\u0445\u0443\u0475\u0437\u03bf\u03b1\u03c1\u03c5\u03bd\u03b9\u03ba\u0261",
    "abcdehijlopqswxyv3oapuvikg",
)
_WORD: Final = re.compile(r"[^\W\d_]+")
_TURNED: Final = str.maketrans("0134@$57", "oieaas" + "st")
_LEET: Final = re.compile(r"\b(?=[a-z]*[0134@$57][a-z0134@$57]*\b)[a-z0134@$57]*[a-z][a-z0134@$57]*\b")


class Hidden(NamedTuple):
    """A way in which a text hides something: what it is, and the hidden text where there is one."""

    what: str
    text: str = ""


def hidden_in(text: str) -> Iterator[Hidden]:
    """Yield what people do not see in a text: characters, comments, and padding that moves it out of view."""
    if text.isascii():
        yield from _hidden_in_ascii(text)
        return
    without_flags = _FLAG.sub("", text)
    tags = "".join(found[0] for found in _TAG.finditer(without_flags))
    if tags:
        yield Hidden("invisible tag characters", "".join(chr(ord(one) - 0xE0000) for one in tags))
    between = _BETWEEN.findall(text)
    if len(between) >= 2:
        yield Hidden("invisible characters inside words or between them", _IGNORED.sub("", text)[:200])
    if _OVERRIDES.search(text) or (_ISOLATES.search(text) and not _has_rtl(text)):
        yield Hidden("characters that change the direction of the line")
    if _BLANKS.search(text) or _SELECTORS.search(text) or _CARRIERS.search(text):
        yield Hidden("characters without a shape that can carry data")
    mixed = [one for one in _WORD.findall(text) if _is_mixed(one)]
    if len(mixed) >= 2:
        yield Hidden("letters of another script inside words", " ".join(mixed)[:200])
    yield from _hidden_in_ascii(text)


def _hidden_in_ascii(text: str) -> Iterator[Hidden]:
    if "\x1b" in text or "\x9b" in text:
        yield Hidden("escape sequences of terminals", _CONTROLS.sub(" ", text)[:200])
    elif _CONTROLS.search(text):
        yield Hidden("control characters")
    text = text.rstrip()  # what follows a run is text, so that no search fails at its end
    if found := _BLANK_RUN.search(text) or _BLANK_LINES.search(text):
        yield Hidden("empty lines or blanks that move text out of view", text[found.end() :].strip()[:400])


def _has_rtl(text: str) -> bool:
    return any(unicodedata.bidirectional(one) in _RTL for one in text)


def _is_mixed(word: str) -> bool:
    """Return whether a word has Latin letters and letters of another script that look like them."""
    if word.isascii():
        return False
    return any("a" <= one.lower() <= "z" for one in word) and any(
        one.lower() != one.lower().translate(_LOOKS) for one in word
    )


def comments_in(text: str) -> Iterator[str]:
    """Yield what stands in comments of HTML and Markdown, which are not shown where these are rendered."""
    for opens, closes in _COMMENTS:
        at = text.find(opens)
        while at >= 0 and (end := text.find(closes, at + len(opens))) >= 0:
            yield text[at + len(opens) : end]
            at = text.find(opens, end)


def encoded_in(text: str) -> Iterator[str]:
    """Yield the texts that are encoded in a text: base64, hexadecimal, escapes, and letters set apart."""
    for found in _BASE64.finditer(text):
        yield from _readable(_base64(found[0]))
    for found in _HEX.finditer(text):
        yield from _readable(bytes.fromhex(found[0]))
    for found in _ESCAPES.finditer(text):
        yield re.sub(r"\\u00|\\x|%", "", found[0]) and "".join(
            chr(int(one, 16))
            for one in re.findall(r"[2-7][0-9a-fA-F]", re.sub(r"\\u00|\\x|%", " ", found[0]))
        )
    for turned, sign in ((text[::-1], _REVERSED), (text.translate(_ROT13), _TURNED_BY_13)):
        if sign.search(text):
            yield turned
    for found in _SPACED.finditer(text):
        yield re.sub(r" {2,3}|(?<=\S) (?=\S)", lambda one: " " if len(one[0]) > 1 else "", found[0])


def _base64(text: str) -> bytes:
    body = text.rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        return base64.b64decode(body + "=" * (-len(body) % 4))
    except (binascii.Error, ValueError):
        return b""


def _readable(data: bytes) -> Iterator[str]:
    """Yield bytes that are a text with words."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return
    words = text.count(" ") >= 2 and text.replace("\n", " ").isprintable()
    if len(text) >= 12 and (words or _BASE64.fullmatch(text)):
        yield text


def folded(text: str) -> str:
    """Return a text for comparison: lower case, single blanks, Latin letters, nothing invisible."""
    text = text[:MAX_TEXT]
    if "&" in text:
        text = html.unescape(text)
    if not text.isascii():
        text = _TAG.sub(
            lambda found: "".join(chr(ord(one) - 0xE0000) for one in found[0]), _FLAG.sub("", text)
        )
        text = unicodedata.normalize("NFKC", _IGNORED.sub("", text)).lower()
        text = _WORD.sub(
            lambda found: found[0].translate(_LOOKS) if _is_foreign(found[0]) else found[0], text
        )
        text = (
            text.replace("\u2019", "'").replace("\u2018", "'").replace("\u201c", '"').replace("\u201d", '"')
        )
    return " ".join(_CONTROLS.sub(" ", text).lower().split())


def _is_foreign(word: str) -> bool:
    """Return whether a word reads as Latin: it mixes scripts, or all its letters look like Latin ones."""
    return not word.isascii() and word.translate(_LOOKS).isascii()


def unjoined(text: str) -> str:
    """Return a folded text with sentences that are joined by dashes as words (`do-not-tell-the-user`)."""
    return _JOINED.sub(lambda found: re.sub("[-_]", " ", found[0]), text)


def unleeted(text: str) -> str:
    """Return a folded text with digits in words as the letters that they stand for (`p4ssw0rd`)."""
    return _LEET.sub(lambda found: found[0].translate(_TURNED), text)
