# SPDX-License-Identifier: Apache-2.0
"""Secrets whose text is encoded, wrapped, split into literals, or escaped."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import unquote_to_bytes

from remit.core.discovery.secrets.candidates import Candidate
from remit.core.discovery.secrets.provider_tokens import compiled, decoded_base64

#: Reads decoded bytes for secrets of known form.
Inner = Callable[[bytes], Iterator[Candidate]]

#: Base64 of text has few letters at each place of four, and hexadecimal digits of text begin with 2 to 7,
#: so that RE2 leaves digests, images and keys out.
ENCODED: Final = (
    rb"((?:[CI-Za-f][A-HQS-Xgi-nwy-z0-3][ABEFIJMNQRUVYZcdghklopstwx014589][A-Za-z0-9+/_-]){6,}[A-Za-z0-9+/_-]{0,3}={0,2})|"
    rb"((?:[2-7][0-9a-fA-F]){20,})"
)
_TEXT: Final = compiled(ENCODED)
ESCAPED: Final = (
    rb"(?:\\{1,2}x[0-9A-Fa-f]{2}){12,}|(?:\\{1,2}u00[0-9A-Fa-f]{2}){12,}|(?:&#x?[0-9A-Fa-f]{2,3};){12,}"
)
_ESCAPED: Final = compiled(ESCAPED)
_UNIT: Final = re.compile(rb"x([0-9A-Fa-f]{2})|u00([0-9A-Fa-f]{2})|&#(\d{2,3});")
#: What every value with two bytes of an address in it has.
PERCENT: Final = rb"%[0-9A-Fa-f]{2}[\w.~-]*%[0-9A-Fa-f]{2}"
_PERCENT: Final = compiled(rb"[\w.~%-]*%[0-9A-Fa-f]{2}[\w.~-]*%[0-9A-Fa-f]{2}[\w.~%-]*")
#: Longer runs are images, fonts and programs.
_ENCODED_BYTES: Final = 6_000
_DEPTH: Final = 2
#: Two literals side by side, or the elements of a list that is joined.
SEAM: Final = rb"[\w/+=.:@-][\"'`]\s*(?:\+|\.\.?|&|\\)?\s*f?[\"'`][\w/+=.:@-]"
JOIN: Final = rb"join\("
_JOINED: Final = compiled(SEAM)
_LISTED: Final = compiled(rb"[\w/+=.:@-][\"'`]\s*,\s*[\"'`][\w/+=.:@-]")
_CALLED_JOIN: Final = compiled(JOIN)
_COMMA_SEAM: Final = re.compile(rb"[\"'`]\s{0,24}(?:\+|\.\.?|&|\\|,)?\s{0,24}f?[\"'`]")
_SEAM: Final = re.compile(rb"[\"'`]\s{0,24}(?:\+|\.\.?|&|\\)?\s{0,24}f?[\"'`]")
_WRAPPED: Final = compiled(
    rb"(?:gh[oursp]_|github_pat_|\bsk-|xox[abeoprs]-|glpat-|AKIA|ASIA|AIza|\bhf_|npm_|pypi-|\bSG\.|"
    rb"dapi|hvs\.|dop_v1_|[rs]k_live_|eyJ)"
    rb"[\w.+/-]*(?:=|\\)?\r?(?:\n|\\n)[ \t>#*|]*[\w.+/-]{4}"
)
_BREAK: Final = re.compile(rb"(?:=|\\)?\r?(?:\n|\\n)[ \t>#*|]{0,12}")
#: How far around a seam the parts of a secret stand.
_WINDOW_BYTES: Final = 300


def encoded_secrets(
    data: bytes, inner: Inner, depth: int = _DEPTH, *, escaped: bool = True, percent: bool = True
) -> Iterator[Candidate]:
    """Yield what base64, hexadecimal digits and, if there are any, escapes hide, where they stand."""
    for match in _TEXT.finditer(data):
        start, end = match.span()
        if end - start > _ENCODED_BYTES:
            continue
        run = match.group()
        digits = match.group(2) is not None or not run.translate(None, b"0123456789abcdefABCDEF")
        decoded = bytes.fromhex(run[: len(run) // 2 * 2].decode()) if digits else decoded_base64(run)
        yield from _within(decoded, start, end, inner, depth)
    for wanted, pattern, plain in ((escaped, _ESCAPED, _unescaped), (percent, _PERCENT, unquote_to_bytes)):
        for match in pattern.finditer(data) if wanted else ():
            start, end = match.span()
            if end - start <= _ENCODED_BYTES:
                yield from _within(plain(match.group()), start, end, inner, depth)


def _unescaped(value: bytes) -> bytes:
    """Return the characters of a run of numeric escapes."""
    units = (
        int(u.group(3)) if u.group(3) else int(u.group(1) or u.group(2), 16) for u in _UNIT.finditer(value)
    )
    return bytes(unit for unit in units if unit < 256)


def _within(decoded: bytes, start: int, end: int, inner: Inner, depth: int) -> Iterator[Candidate]:
    """Yield the secrets in decoded text; bytes that are no text hold none."""
    if len(decoded) < 16 or not _textual(decoded):
        return
    for found in inner(decoded):
        yield found.moved(start, end, less=0.02)
    if depth > 1:
        for found in encoded_secrets(decoded, inner, depth - 1):
            yield found.moved(start, end, less=0.02)


def _textual(decoded: bytes) -> bool:
    return all(32 <= b < 127 or b in b"\t\r\n" for b in decoded[:64]) and decoded[:4096].isascii()


def split_secrets(
    data: bytes, inner: Inner, *, adjacent: bool, joined: bool, wrapped: bool
) -> Iterator[Candidate]:
    """Yield secrets that are divided among adjacent literals, joined ones, or lines, where there are such."""
    after = 0
    for match in _JOINED.finditer(data) if adjacent else ():
        if match.end() >= after:
            after = match.end() + _WINDOW_BYTES // 2
            yield from _mended(data, match.start(), match.end(), _SEAM, inner)
    after = 0
    for match in _CALLED_JOIN.finditer(data) if joined else ():
        near = data[max(0, match.start() - _WINDOW_BYTES) : match.end() + _WINDOW_BYTES]
        if match.start() >= after and _LISTED.search(near) is not None:
            after = match.end() + _WINDOW_BYTES // 2
            yield from _mended(data, match.start(), match.end(), _COMMA_SEAM, inner)
    after = 0
    for match in _WRAPPED.finditer(data) if wrapped else ():
        if match.end() >= after:
            after = match.end() + _WINDOW_BYTES // 2
            yield from _mended(data, match.start(), match.end(), _BREAK, inner)


def _mended(data: bytes, start: int, end: int, seam: re.Pattern[bytes], inner: Inner) -> Iterator[Candidate]:
    """Yield the secrets of a text that exist only when its seams are taken out."""
    before, after = max(0, start - _WINDOW_BYTES), min(len(data), end + _WINDOW_BYTES)
    text = data[before:after]
    cuts = list(seam.finditer(text))
    ends = [cut.start() for cut in cuts]
    whole = b"".join(map(text.__getitem__, map(slice, [0, *(cut.end() for cut in cuts)], [*ends, len(text)])))
    for found in inner(whole):
        # Positions move by the seams before them.
        first = _original(found.start + 1, cuts, before) - 1
        last = _original(found.end, cuts, before)
        if last - first > found.end - found.start:
            yield found.moved(first, last, less=0.02)


def _original(at: int, cuts: list[re.Match[bytes]], before: int) -> int:
    moved = at
    for cut in cuts:
        if cut.start() >= moved:
            break
        moved += cut.end() - cut.start()
    return before + moved
