# SPDX-License-Identifier: Apache-2.0
"""Encoded texts inside texts.

The encodings are percent-encoding, HTML references, base64, hexadecimal, quoted-printable, encoded words, and
inside a text escapes with a backslash (JSON, Markdown) and quoted names of mailboxes.
`decoded` reads a text that is encoded as a whole, `enclosing` returns the decoded texts within one. Neither
implies that a client would decode the text: an encoded destination in any of these forms counts as present.
"""

from __future__ import annotations

import binascii
import html
import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from remit.core.cooperative_steps import STEP, Ahead, Steps, finish, slices
from remit.core.flow.values.normal_text import classes

MAX_DEPTH = 3
"""Nested encodings that are removed."""
MIN_BASE64 = 12
"""Characters of the shortest base64 that is decoded: nine bytes, fewer than any address."""
MAX_PATH = 4_096
"""Characters of the longest path, or name with dashes, whose parts are searched for base64."""
BREAK = " | "
"""Separates texts that were found separately: no value is read across it."""

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{12,}={0,2}")
_PART = re.compile(r"[A-Za-z0-9+]{12,}")
_NEXT_LINE = re.compile(r"\r?\n[ \t]{0,9}([A-Za-z0-9+/_-]++)(?![^\s=])")
_HEX = re.compile(r"(?:0?[xX])?((?:[0-9A-Fa-f]{2}){6,})")
_BYTE_ORDER = (b"\xff\xfe", b"\xfe\xff")
LINES = 16
"""Lines of a run that one step reads."""
# Characters that begin no base64 of a text: the first byte would begin no UTF-8 character (RFC 3629 section
# 4).
_NO_TEXT = frozenset("ghijklmnopqrstuv+/-_")
_URL_SAFE = str.maketrans("-_", "+/")
INNER_BYTES = bytes(range(0x80, 0xC0))
MAX_INNER = 3
"""Most bytes of a UTF-8 character after its first one; `INNER_BYTES` are their possible values (RFC 3629
section 3).
"""
# A number that is no code point. Python refuses to read a number of thousands of digits.
_NO_CHARACTER = re.compile(r"&#[0-9]{9,};?")
_ESCAPED = re.compile(r'[%&\\]|"@')
# RFC 8259 section 7, Markdown's backslash before punctuation, and the quoted name of RFC 5321 section 4.1.2.
_SIGN = re.compile(
    r"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|([bfnrt])|([!-/:-@\[-`{-~]))" r'|"([^\s"@\\]{1,64})"(?=@)'
)
# A text is quoted-printable where it has a soft line break, or encodes a character of every address: `@`,
# `.`, `=`.
_IS_QUOTED = re.compile(r"=(?:40|2[Ee]|3[Dd])")
_SOFT = re.compile(r"=\r?\n")
# RFC 2047 section 2. All characters of an encoded word are printable, without blanks.
_WORD = re.compile(r"=\?[A-Za-z0-9_*-]{1,40}\?([bBqQ])\?")
_END_OF_WORD = re.compile(r"\?=")
_OF_NO_WORD = re.compile(r"[^!-~]")
MAX_WORD = 300
"""Characters of the longest encoded word that is read."""
_BETWEEN_WORDS = re.compile(r"\?=\s{1,9}=\?")

_IN_BASE64 = classes(x="ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_")
_LONG = b"x" * MIN_BASE64


def decoded(text: str) -> str:
    """Remove the encodings of a text as a whole, at most `MAX_DEPTH` of them."""
    for _ in range(MAX_DEPTH):
        inner = text
        if "%" in text or "&" in text:
            inner = unescaped(text)
        elif "=?" in text:
            inner = finish(_reading_words(text))
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
    """Decode percent-encoding and HTML references, once. Bytes that are not UTF-8 become U+FFFD."""
    if "%" in text:
        text = unquote_to_bytes(text.encode("utf-8", "surrogatepass")).decode("utf-8", "replace")
    return _without_references(text) if "&" in text else text


def _without_references(text: str) -> str:
    return html.unescape(_NO_CHARACTER.sub("\ufffd", text))


def _unescaping(text: str) -> Steps[str]:
    """Return the same as `_without_signs` of `unescaped`, in steps."""
    if "%" in text:
        raw = bytearray()
        for part in slices(text, "%"):
            raw += unquote_to_bytes(part.encode("utf-8", "surrogatepass"))
            yield
        text = raw.decode("utf-8", "replace")
    if "&" in text:
        plain = []
        for part in slices(text, "&"):
            plain.append(_without_references(part))
            yield
        text = "".join(plain)
    signs = []
    for part in slices(text, "\\"):
        signs.append(_without_signs(part))
        yield
    return "".join(signs)


def _without_signs(text: str) -> str:
    """Decode escapes with a backslash and quoted names of mailboxes, once."""
    return _SIGN.sub(_sign, text) if "\\" in text or '"@' in text else text


def _sign(found: re.Match[str]) -> str:
    code = found[1] or found[2]
    return chr(int(code, 16)) if code else f" {found[5]}" if found[5] else found[4] or " "


def enclosing(text: str) -> Steps[str]:
    """Return every encoded part of a text, each decoded once and separately; empty where there is none."""
    found: list[str] = []
    gone = 0
    if _ESCAPED.search(text):
        for piece in text.split():
            if _ESCAPED.search(piece):
                short = len(piece) <= STEP
                plain = _without_signs(unescaped(piece)) if short else (yield from _unescaping(piece))
                if plain != piece:
                    found.append(plain)
                if (gone := gone + len(piece) + 8) > STEP:
                    gone = 0
                    yield
    if "=" in text:
        if "=?" in text and (words := (yield from _reading_words(text))) != text:
            found.append(words)
        # RFC 2045 section 6.7: a soft line break may occur anywhere, even inside an address.
        if _SOFT.search(text):
            found.append(quoted(_SOFT.sub("", text)))
        elif _IS_QUOTED.search(text):
            found.append(quoted(text))
    if len(text) >= MIN_BASE64:
        # One byte for each character, so that positions are the same.
        rows = text.encode("ascii", "replace").translate(_IN_BASE64)
        if (start := rows.find(_LONG)) >= 0:
            yield from _blobs(text, rows, start, found)
    return BREAK.join(found)


def quoted(text: str) -> str:
    """Decode quoted-printable (RFC 2045 section 6.7)."""
    return binascii.a2b_qp(text.encode("utf-8", "surrogatepass")).decode("utf-8", "replace")


def from_base64(text: str) -> str:
    """Return the text in base64, in either alphabet, with or without padding; empty where it holds none."""
    bare = text.rstrip("=")
    if len(bare) % 4 == 1 or bare[:1] in _NO_TEXT:
        return ""
    try:
        data = binascii.a2b_base64(bare.translate(_URL_SAFE) + "==="[: -len(bare) % 4])
        # Most apparent base64 is no text from its first byte on.
        return "" if not data or 0x7F < data[0] < 0xC2 or b"\x00" in data else data.decode()
    except (binascii.Error, ValueError):
        return ""


def _part_of_base64(text: str) -> str:
    """Return the text in a part of base64, wherever it was cut; empty where it holds none."""
    small = text.rstrip("=").translate(_URL_SAFE)
    for start in range(4):
        data = binascii.a2b_base64(small[start : len(small) - (len(small) - start) % 4])
        data = data[:MAX_INNER].lstrip(INNER_BYTES) + data[MAX_INNER:]
        try:
            found = data.decode()
        except UnicodeDecodeError as fault:
            found = "" if len(data) - fault.start > MAX_INNER else data[: fault.start].decode()
        if found and "\0" not in found:
            return found
    return ""


def _held(run: str) -> Iterator[str]:
    """Yield each text that a run encodes, in base64 or hexadecimal, and in UTF-8 or UTF-16."""
    found = from_base64(run)
    if not found and len(run) > MAX_PATH:
        found = _part_of_base64(run)
    if found:
        yield found
    try:
        if digits := _HEX.fullmatch(run):
            yield _of_bytes(bytes.fromhex(digits[1]))
        # UTF-16 puts zero bytes beside ASCII signs; in base64 they appear as many `A`.
        elif run.count("A") * 8 >= len(run):
            yield _of_bytes(binascii.a2b_base64(run.rstrip("=").translate(_URL_SAFE) + "=="))
    except ValueError:
        return


def _of_bytes(data: bytes) -> str:
    return (data[2:] if data[:2] in _BYTE_ORDER else data).replace(b"\0", b"").decode()


def _blobs(text: str, rows: bytes, start: int, found: list[str]) -> Steps[None]:
    """Add the texts that runs of base64 or hexadecimal in a text encode; `rows` maps each of its characters.

    Lines of the same length form one run.
    """
    pause = STEP
    while start >= 0:
        if start > pause:
            pause = start + STEP
            yield
        end = rows.find(b" ", start)
        lines = [text[start : len(text) if end < 0 else end]]
        while end >= 0 and (after := _NEXT_LINE.match(text, end)) and len(after[1]) <= len(lines[0]):
            lines.append(after[1])
            end = after.end()
            if len(after[1]) < len(lines[0]):
                break
            if not len(lines) % LINES:
                yield
        whole = tuple(_held("".join(lines))) if len(lines) > 1 else ()
        found += whole
        if not whole or len(lines[0]) % 4:
            # Lines of whole groups need no separate decoding where the run as a whole holds a text.
            for at, run in enumerate(lines, 1):
                if len(run) >= MIN_BASE64:
                    _add(run, found)
                if not at % LINES:
                    yield
        start = rows.find(_LONG, end) if end >= 0 else -1


def _add(run: str, found: list[str]) -> None:
    """Add the texts that one line of a run encodes."""
    whole = tuple(_held(run))
    found += whole
    if not whole and len(run) <= MAX_PATH:
        # The separator may be part of a path or a name rather than of the base64.
        found.extend(filter(None, (from_base64(one) for one in _PART.findall(run) if one != run)))


def _reading_words(text: str) -> Steps[str]:
    """Decode the encoded words of mail headers (RFC 2047); blanks between two of them are dropped."""
    text = _BETWEEN_WORDS.sub("?==?", text)
    ends, breaks = Ahead(_END_OF_WORD, text), Ahead(_OF_NO_WORD, text)
    out: list[str] = []
    done, pause, word = 0, STEP, _WORD.search(text)
    while word is not None:
        start, inside = word.span()
        if start > pause:
            pause = start + STEP
            yield
        close, end = ends.after(inside + 1)
        if close - inside > MAX_WORD or breaks.after(inside)[0] < close:
            # It is no encoded word; another one may begin inside its apparent beginning.
            word = _WORD.search(text, start + 1)
            continue
        held = text[inside:close]
        read = from_base64(held) or text[start:end] if word[1] in "bB" else None
        out += (text[done:start], quoted(held.replace("_", " ")) if read is None else read)
        done, word = end, _WORD.search(text, end)
    return "".join((*out, text[done:]))
