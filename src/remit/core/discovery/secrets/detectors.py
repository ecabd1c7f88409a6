# SPDX-License-Identifier: Apache-2.0
"""All detectors over one piece of text."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import accumulate
from typing import Final

import re2
from msgspec import structs

from remit.core.discovery.discovered import ExposedSecret, FilePlace, Piece, SourceKind
from remit.core.discovery.secret_fingerprint import keyed_fingerprint
from remit.core.discovery.secrets.assignments import (
    CALL,
    PROGRAM,
    WORDS,
    WORDS_WIDE,
    arguments_of_programs,
    assigned_secrets,
    may_be_assigned,
    named_secret,
    passwords_of_calls,
    passwords_of_lines,
)
from remit.core.discovery.secrets.candidates import Candidate, best
from remit.core.discovery.secrets.connection_strings import ANCHOR_OF_ADDRESS, connection_strings
from remit.core.discovery.secrets.encodings import (
    ENCODED,
    ESCAPED,
    JOIN,
    PERCENT,
    SEAM,
    encoded_secrets,
    split_secrets,
)
from remit.core.discovery.secrets.prose import (
    ACCOUNT,
    HALF,
    HEAD,
    NOUNS,
    NOUNS_ALONE,
    Sentences,
    secrets_in_halves,
    secrets_of_lists,
)
from remit.core.discovery.secrets.provider_tokens import (
    ANCHOR,
    PatternSet,
    compiled,
    provider_tokens,
    token_anchors,
)

#: Characters that are not seen, by which a secret passes filters.
_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e01ef]"
)
#: Each is one character, so positions stay.
_NARROW: Final = {0xFF01 + n: 0x21 + n for n in range(94)}
_PROSE: Final = frozenset({SourceKind.PROSE, SourceKind.TRANSCRIPT, SourceKind.LOG, SourceKind.EXPORT})
_WORDS: Final = compiled(b"(?i)" + WORDS)
_WORDS_OF_PROSE: Final = compiled(b"(?i)" + WORDS + b"|" + NOUNS)
_WORDS_WIDE: Final = compiled(b"(?i)" + WORDS + b"|" + NOUNS + b"|" + WORDS_WIDE)
#: What each detector needs, so that one pass tells which of them have something to do.
_NEEDS: Final = PatternSet(
    # Characters that are not seen, and letters of double width, which look like letters, in UTF-8.
    unseen=rb"\xc2\xad|\xcd\x8f|\xd8\x9c|\xe1(?:\x85[\x9f\xa0]|\x9e[\xb4\xb5]|\xa0[\x8b-\x8f])|"
    rb"\xe2(?:\x80[\x8b-\x8f\xaa-\xae]|\x81[\xa0-\xaf])|\xe3\x85\xa4|"
    rb"\xef(?:\xb8[\x80-\x8f]|\xbb\xbf|\xbe\xa0)|\xf3\xa0(?:[\x80-\x86]|\x87[\x80-\xaf])",
    wide=rb"(?:\xef(?:\xbc[\x81-\xbf]|\xbd[\x80-\x9e])){4}",
    token=ANCHOR + b"|PRIVATE KEY",
    address=ANCHOR_OF_ADDRESS,
    word=b"(?i)" + WORDS,
    noun=b"(?i)" + NOUNS + b"|" + WORDS_WIDE,
    call=CALL,
    program=PROGRAM,
    half=HALF,
    account=ACCOUNT + b"|" + HEAD,
    encoded=ENCODED,
    escape=ESCAPED,
    percent=PERCENT,
    seam=SEAM,
    join=JOIN,
)
#: Candidates below this are left out.
_LEAST: Final = 0.5
_TAIL: Final = 4
_USER: Final = re.compile(
    rb"(?i)(?:user(?:_?name)?|user[ ]?id|login|benutzer(?:name)?|usuario|utilisateur|identifiant|"
    rb"account|\buid|_user)"
    rb"(?:[ ](?:is|ist|est|es))?[\\\"'`]{0,3}[ ]?[:=]?[ ]?[\\\"'`]{0,3}([\w.+-]{2,60}(?:@[\w.-]{3,80})?)"
)
_HOST: Final = re.compile(
    rb"(?i)(?:host(?:name)?|server|machine|addr(?:ess)?|endpoint|\bat|\bon|\bto|\bvia|\bauf|\bbei|"
    rb"for|f\xc3\xbcr|sur|para|-h)"
    rb"[\\\"'`]{0,3}[ ]?[:=]?[ ]?[\\\"'`]{0,3}(?:tcp:|"
    rb"https?://)?((?:[a-z0-9-]+\.)+[a-z]{2,}(?:[:,]\d{2,5})?)|"
    rb"https?://((?:[a-z0-9-]+\.)+[a-z]{2,}(?::\d+)?)"
)
#: The same behind the name of a field: on another line of settings or code, only this tells a target.
_HOST_FIELD: Final = re.compile(
    rb"(?i)(?:host(?:name)?|server|machine|addr(?:ess)?|endpoint|ur[il])"
    rb"[\\\"'`]{0,3}[ ]?[:=][ ]?[\\\"'`]{0,3}"
    rb"(?:tcp:|https?://)?((?:[a-z0-9-]+\.)+[a-z]{2,}(?:[:,]\d{2,5})?)"
)
#: Types whose credentials open one service, wherever they stand: a host beside them is another one's.
_ONE_SERVICE: Final = re.compile(
    r"(?:anthropic|aws|digitalocean|discord|facebook|google|groq|hugging-face|linear|mailgun|new-relic|notion|"
    r"npm|openai|openrouter|pypi|replicate|sendgrid|slack|stripe|telegram|twilio|xai)$"
)
#: A credential in remit's own reports: a JSON text with its fingerprint, and nothing else.
_OUR_NAME: Final = re.compile(rb'"?credential:[0-9a-f]{32}"?')
#: What is read behind a word, and at most so far.
_RUN: Final = re.compile(rb"[^\s\"'`<>\\]*")
_RUN_BYTES: Final = 256
#: How far around a secret its user and its target are looked for.
_NEAR_BYTES: Final = 160
_NO_USERS: Final = frozenset(
    b"is and the with password pass name for in or to a at on not can may my".split()
)


class _Effort:
    """Bounds the work at one piece: some texts are made of nothing but names of secrets.

    It counts what is read, and not time, so that equal texts have equal findings.
    """

    def __init__(self, size: int) -> None:
        self._left = 200_000 + 8 * size
        self.left_out = 0

    def allows(self, data: bytes, end: int) -> bool:
        """Return whether the word that ends at a position may be looked at."""
        if self._left < 0:
            self.left_out += 1
            return False
        run = _RUN.match(data, end, end + _RUN_BYTES)
        self._left -= 100 + 3 * (run.end() - end if run is not None else 0)
        return True


class SecretDetectors:
    """Finds secrets in pieces of text. Under one `key` equal secrets have equal fingerprints.

    `left_out` counts the words that were not looked at, in texts made to take long.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.left_out = 0

    def __repr__(self) -> str:
        return "SecretDetectors()"

    def find(self, piece: Piece) -> list[ExposedSecret]:
        """Return the secrets of a piece, in order of position.

        Linear in the text, and raises nothing for any text. Positions count characters of `piece.text`.
        """
        text = piece.text
        data = text.encode("utf-8", "surrogatepass")
        seen = _NEEDS.seen(data)
        if "wide" in seen:
            text = text.translate(_NARROW)
            data = text.encode("utf-8", "surrogatepass")
            seen = _NEEDS.seen(data)
        effort = _Effort(len(data))
        found = list(_detected(data, piece, seen, effort))
        if "unseen" in seen:
            found += _unseen(text, piece, effort)
        self.left_out += effort.left_out
        if not found:
            return []
        chosen = [one for one in best(found) if one.confidence >= _LEAST and not _our_name(one, data)]
        if len(data) != len(text):
            chosen = _in_characters(data, chosen)
        return [
            self._exposed(one, place, piece)
            for one, place in zip(chosen, _places(text, chosen, piece), strict=True)
        ]

    def fingerprint(self, value: bytes) -> str:
        """Return the keyed digest that names a secret: 16 bytes of HMAC-SHA-256, in hexadecimal digits."""
        return keyed_fingerprint(self._key, value)

    def _exposed(self, one: Candidate, at: FilePlace, piece: Piece) -> ExposedSecret:
        return ExposedSecret(
            rule=one.rule,
            type=one.type,
            fingerprint=self.fingerprint(one.value),
            tail=tail(one.value),
            place=at,
            start=one.start,
            end=one.end,
            confidence=round(one.confidence, 2),
            user=_told_apart(one.user, one.value),
            target="" if _ONE_SERVICE.match(one.type) else _told_apart(one.target, one.value),
            agent=piece.agent,
        )


def _places(text: str, chosen: list[Candidate], piece: Piece) -> Iterator[FilePlace]:
    """Yield the place of each candidate: the piece's, further down and to the right if its line is known."""
    at, line, begin, seen = piece.place, 0, 0, 0
    for one in chosen:
        if not at.line:
            yield at
            continue
        line += text.count("\n", seen, one.start)
        begin = max(begin, text.rfind("\n", seen, one.start) + 1)
        seen = one.start
        right = at.column - 1 if at.column and not line else 0
        yield structs.replace(at, line=at.line + line, column=one.start - begin + 1 + right)


def tail(value: bytes) -> str:
    """Return the last characters of a secret: four at most, and never more than a quarter of it."""
    shown = value.decode("utf-8", "replace")
    count = min(_TAIL, len(shown) // 4)
    return shown[-count:] if count else ""


def _our_name(one: Candidate, data: bytes) -> bool:
    """Return whether it is the name of a credential in a report or a baseline of remit."""
    around = data[max(0, one.start - 12) : one.end + 1]
    return b"credential:" in around and _OUR_NAME.fullmatch(around) is not None


def _told_apart(words: str, value: bytes) -> str:
    """Return a user or target; empty if it holds the secret, or a part of it, itself."""
    secret = value.decode("utf-8", "replace")
    return "" if secret and (secret in words or (len(words) >= 6 and words in secret)) else words


def _detected(data: bytes, piece: Piece, seen: frozenset[str], effort: _Effort) -> Iterator[Candidate]:
    """Yield what all detectors see that have what they need; some overlap."""
    prose = piece.kind in _PROSE or bool(piece.speaker)
    anchors = token_anchors(data) if "token" in seen else []
    if "token" in seen:
        yield from provider_tokens(data, anchors)
    if "address" in seen:
        yield from connection_strings(data)
    worded = "word" in seen or (prose and "noun" in seen)
    rest = [
        *(_worded(data, piece.kind, effort, prose=prose) if worded else ()),
        *(passwords_of_calls(data) if "call" in seen else ()),
        *(arguments_of_programs(data) if "program" in seen else ()),
        *(passwords_of_lines(data) if piece.kind is SourceKind.CONFIG else ()),
        *(secrets_in_halves(data) if prose and "half" in seen else ()),
        *(secrets_of_lists(data) if prose and "account" in seen else ()),
    ]
    for one in rest:
        yield _placed(one, data, prose=prose)
    escaped, percent = "escape" in seen, "percent" in seen
    if "encoded" in seen or escaped or percent:
        inner = partial(_of_known_form, effort=effort)
        yield from encoded_secrets(data, inner, escaped=escaped, percent=percent)
    adjacent, joined = "seam" in seen, "join" in seen
    if anchors or adjacent or joined:
        yield from split_secrets(
            data, provider_tokens, adjacent=adjacent, joined=joined, wrapped=bool(anchors)
        )
    if piece.names:
        named = named_secret(piece.names[-1], piece.text)
        if named is not None:
            yield named


def _worded(data: bytes, kind: SourceKind, effort: _Effort, *, prose: bool) -> Iterator[Candidate]:
    """Yield the secrets beside a word for one: behind its name, or in its sentence."""
    sentences = Sentences(data, log=kind is SourceKind.LOG) if prose else None
    for match in _words(data, prose=prose).finditer(data):
        start, end = match.span()
        if data[start : end + 2] == b"PASS: " or not effort.allows(data, end):
            continue  # `PASS` and a colon begin a line of a test's log.
        found: list[Candidate] = []
        if may_be_assigned(data, start, end) and not (prose and data[start:end].lower() in NOUNS_ALONE):
            found = list(assigned_secrets(data, start, end, code=kind is SourceKind.CODE))
            yield from found
        if sentences is not None and not found:
            told = sentences.secret(start, end)
            if told is not None:
                yield told


def _words(data: bytes, *, prose: bool) -> re2._Regexp:
    if not prose:
        return _WORDS
    return _WORDS_OF_PROSE if data.isascii() else _WORDS_WIDE


def _of_known_form(data: bytes, *, effort: _Effort) -> Iterator[Candidate]:
    yield from provider_tokens(data)
    yield from connection_strings(data)
    yield from _worded(data, SourceKind.CONFIG, effort, prose=False)


def _placed(one: Candidate, data: bytes, *, prose: bool) -> Candidate:
    """Return a candidate with the user and the target that the text around it names."""
    if one.user and one.target:
        return one
    near = data[max(0, one.start - _NEAR_BYTES) : one.start]
    after = data[one.end : one.end + _NEAR_BYTES]
    user = one.user or _last(_USER, near) or _first(_USER, after)
    target = one.target
    if not target and prose:
        target = _last(_HOST, near) or _first(_HOST, after)
    elif not target:
        line, rest = near.rpartition(b"\n")[2], after.partition(b"\n")[0]
        target = _last(_HOST, line) or _first(_HOST, rest)
        target = target or _last(_HOST_FIELD, near) or _first(_HOST_FIELD, after)
    return replace(one, user=user, target=target)


def _last(pattern: re.Pattern[bytes], near: bytes) -> str:
    found = [m for m in pattern.finditer(near) if _group(m).lower() not in _NO_USERS]
    return _group(found[-1]).decode(errors="replace") if found else ""


def _first(pattern: re.Pattern[bytes], after: bytes) -> str:
    found = next((m for m in pattern.finditer(after) if _group(m).lower() not in _NO_USERS), None)
    return _group(found).decode(errors="replace") if found else ""


def _group(match: re.Match[bytes]) -> bytes:
    return next(group for group in match.groups() if group is not None).rstrip(b".")


def _unseen(text: str, piece: Piece, effort: _Effort) -> Iterator[Candidate]:
    """Yield the secrets that are there only without characters that are not seen."""
    parts = [part.encode("utf-8", "surrogatepass") for part in _INVISIBLE.split(text)]
    data = b"".join(parts)
    seams = list(accumulate(map(len, parts)))[:-1]
    removed = [0, *accumulate(len(m.group().encode()) for m in _INVISIBLE.finditer(text))]
    for one in _detected(data, piece, _NEEDS.seen(data), effort):
        start = one.start + removed[bisect_right(seams, one.start)]
        end = one.end + removed[bisect_left(seams, one.end)]
        if end - start > one.end - one.start:
            yield one.moved(start, end)


def _in_characters(data: bytes, chosen: list[Candidate]) -> list[Candidate]:
    """Return candidates with positions in characters; their bytes' positions ascend."""
    moved, at, characters = [], 0, 0
    for one in chosen:
        characters += len(data[at : one.start].decode("utf-8", "surrogatepass"))
        width = len(data[one.start : one.end].decode("utf-8", "surrogatepass"))
        moved.append(one.moved(characters, characters + width))
        characters, at = characters + width, one.end
    return moved
