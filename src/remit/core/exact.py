# SPDX-License-Identifier: Apache-2.0
"""The strict reading of a value: what it is when it is used as it stands.

Two readings serve two purposes, and their types keep them apart. The lenient one (`core.destination`) looks
through encodings, display names and look-alike spellings, to *find* where untrusted text brought the same
thing. This one decides whether a value *is* what the person stated, what a trusted record gave, or what a
parameter holds. It decodes nothing and takes nothing off: only case, where the kind overlooks it, white space
around the whole, the marks that group digits, and `Name <address>` around an e-mail address.

INVARIANT: two texts have one exact form only where every program that uses one of them would do the same with
the other. What programs read differently (`core.url`) stands for its own text alone.
"""

from __future__ import annotations

import enum
import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import chain, compress, count, filterfalse
from operator import not_

import msgspec

from remit.core.number import MIN_NUMBER, account_of, phone_of
from remit.core.url import regular_host, regular_url

MAX_EXACT = 2_048
"""Characters of a text that is read; a longer one is a content, and stands for nothing else."""
MAX_NUMBER = 44
"""Characters of the longest account or telephone number, in groups."""
BLANKS = " \t\r\n\f\v"
"""White space around a value that programs take off."""
MARKS = ".,;:!?()[]{}\"'`<>*_~|\u00ab\u00bb\u2018\u2019\u201c\u201d\u201e\u2026"
"""Marks that a sentence puts around a value."""


class ExactKind(enum.StrEnum):
    """What a value is."""

    EMAIL = "email"
    URL = "url"
    HOST = "host"
    IBAN = "iban"
    PHONE = "phone"
    TEXT = "text"


class ExactValue(msgspec.Struct, frozen=True, gc=False):
    """A value as it is used. Two are the same if and only if they are equal."""

    kind: ExactKind
    normal: str


# Names of their own: each look at a class of constants costs the interpreter a search.
_EMAIL, _URL, _HOST = ExactKind.EMAIL, ExactKind.URL, ExactKind.HOST
_TEXT = ExactKind.TEXT
# RFC 5322 section 3.4, as far as every mail program reads it alike: a name of plain words, or one in quotes.
_NAMED = re.compile(
    r"(?:\"[^\"\\<>@\x00-\x1f]{0,200}\"|[^\"\\<>@()\[\],;:\x00-\x1f]{0,200})<([^<>\s]{3,320})>"
)
# RFC 5321 section 4.1.2: a dot-string. Letters beyond ASCII by RFC 6531.
_LOCAL = re.compile(
    r"[A-Za-z0-9!#$&'*+/=?^_`{|}~\u00a1-\ud7ff-]+(?:\.[A-Za-z0-9!#$&'*+/=?^_`{|}~\u00a1-\ud7ff-]+)*"
)
_TLD = re.compile(r"[a-z]{2,24}|xn--[a-z0-9-]{2,59}")
_SCHEMELESS = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}\.[A-Za-z]{2,24}(?::[1-9][0-9]{0,4})?[/?#]\S{0,1500}"
)
_BESIDE_NUMBERS = MARKS.replace("(", "").replace(")", "")
_DIGITS = re.compile(r"[0-9]")
_SMALL_ASCII = {at: at + 32 for at in range(ord("A"), ord("Z") + 1)}


def small(text: str) -> str:
    """Give a text without what case makes different, and composed as most programs keep it (NFC).

    A letter whose small form is another letter's, or several letters, stays as it is.
    """
    if text.isascii():
        return text.lower()
    return "".join(one if one.isascii() else _small(one) for one in composed(text).translate(_SMALL_ASCII))


def composed(text: str) -> str:
    """Give a text with its marks on its letters (NFC), where that makes no letter another one."""
    whole = unicodedata.normalize("NFC", text)
    # A Kelvin sign would become a K, which no program takes it for that compares what it is given.
    return whole if all(unicodedata.normalize("NFC", one) == one for one in set(text)) else text


def _small(letter: str) -> str:
    low = letter.lower()
    return low if len(low) == 1 and not low.isascii() and low.upper() == letter else letter


def exact(text: str) -> ExactValue:
    """Give what a text is when it is used as it stands; of kind `text` where it is none of the known ones."""
    bare = text.strip(BLANKS)
    if len(bare) > MAX_EXACT:
        return ExactValue(_TEXT, bare)
    if "@" in bare and "://" not in bare:
        found = _email(named_address(bare)[1] or bare.removeprefix("mailto:"))
    elif "://" in bare:
        url = regular_url(bare)
        found = ExactValue(_URL, url.normal) if url else None
    else:
        found = _unmarked(bare)
    return found or ExactValue(_TEXT, small(bare))


def _unmarked(bare: str) -> ExactValue | None:
    """Read what has no mark that says what it is."""
    if "." in bare and " " not in bare and (host := regular_host(bare)):
        return ExactValue(_HOST, host) if _TLD.fullmatch(host.rpartition(".")[2]) else None
    if not _DIGITS.search(bare) or not bare.isascii():
        return None
    low = bare.lower()
    if low[0] in "+0123456789":
        phone = phone_of(low)
        return ExactValue(ExactKind.PHONE, phone) if phone else None
    account = account_of(low) if low[2:4].isdecimal() else ""
    return ExactValue(ExactKind.IBAN, account) if account else None


def _email(text: str) -> ExactValue | None:
    local, _, domain = text.rpartition("@")
    host = regular_host(domain)
    if not host or "." not in host or len(local) > 64 or not _LOCAL.fullmatch(local):
        return None
    return ExactValue(_EMAIL, f"{small(local)}@{host}")


def named_address(text: str) -> tuple[str, str]:
    """Give the name and the address of `Name <address>`; both empty for anything else."""
    found = _NAMED.fullmatch(text.strip(BLANKS)) if "<" in text else None
    return (found[0][: found.start(1) - 1].strip(BLANKS + '"'), found[1]) if found else ("", "")


def place_of(text: str) -> str:
    """Give the host of a web address that clients read alike, with its port; empty for anything else, and for
    one that says as whom to connect.
    """
    url = regular_url(text.strip(BLANKS))
    if url is None or url.user or url.scheme not in ("http", "https"):
        return ""
    return f"{url.host}:{url.port}" if url.port else url.host


def stated_forms(text: str) -> Iterator[ExactValue]:
    """Give what somebody states who writes a text: what it is, and, as nobody has to name the scheme of a web
    address, that address with the schemes of the web.
    """
    found = exact(text)
    yield from _forms(text, found)


def _forms(text: str, found: ExactValue) -> Iterator[ExactValue]:
    yield found
    bare = text.strip(BLANKS)
    if found.kind is _HOST or (found.kind is _TEXT and _SCHEMELESS.fullmatch(bare)):
        for scheme in ("https", "http"):
            if url := regular_url(f"{scheme}://{bare}"):
                yield ExactValue(_URL, url.normal)
    elif found.kind is _URL and found.normal.startswith("https://"):
        yield exact(bare.partition("://")[2])


def pieces(text: str) -> Iterator[str]:
    """Give the words of a text, and each run of words that can be one number, without the marks of a sentence
    around them.
    """
    words = text.split()
    yield from _bare(words)
    yield from _numbers(words)


def _bare(words: Iterable[str]) -> Iterator[str]:
    """Give words without the marks of a sentence around them."""
    for word in words:
        bare = word.strip(MARKS + "\u2013\u2014")
        if bare:
            yield bare
            if word[:1] == "[" and "](" in bare:  # a link of Markdown
                yield bare.rpartition("](")[2]


def _numbers(words: list[str]) -> Iterator[str]:
    """Give each run of words that may be the groups of one account or telephone number."""
    # Most words are nothing but letters: they begin no number.
    for at in compress(count(), map(not_, map(str.isalpha, words))):
        head = words[at].lstrip(MARKS)
        if not head or not (head[0] in "+0123456789" or (head[2:4].isdecimal() and head[:2].isalpha())):
            continue
        run = head
        for after in words[at + 1 : at + 10]:
            if not _DIGITS.search(after) or len(run) > MAX_NUMBER:
                break
            run = f"{run} {after}"
            if len(run) >= MIN_NUMBER and len(_DIGITS.findall(run)) >= MIN_NUMBER:
                yield run.strip(_BESIDE_NUMBERS)


def standing(text: str) -> Iterator[ExactValue]:
    """Give every destination that stands in a text as it is: nothing is decoded, and none is taken out of
    another. Some come more than once.
    """
    words = text.split()
    # Most words are nothing but letters: they are no destination.
    for piece in chain(_bare(filterfalse(str.isalpha, words)), _numbers(words)):
        if "@" in piece or "." in piece or "://" in piece or _DIGITS.search(piece):
            found = exact(piece)
            if found.kind is not _TEXT:
                yield from _forms(piece, found)
