# SPDX-License-Identifier: Apache-2.0
"""The strict reading of a value: its meaning in literal use.

Two readings serve two purposes, and their types keep them apart. The lenient reading
(`core.flow.values.destination`) looks through encodings, display names and look-alike spellings, to *find*
where untrusted text brought the same value. The strict reading decides whether a value *is* what the person
stated, what a trusted record holds, or what a parameter holds. It decodes nothing. It ignores only case,
where the kind of value permits this, white space around the whole, the separators that group digits, and
`Name <address>` around an e-mail address.

INVARIANT: two texts have the same exact form only where every program would treat both alike. A text that
programs read differently (`core.flow.values.urls`) equals only itself.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

import msgspec

from remit.core.flow.values.file_names import is_file_name
from remit.core.flow.values.kinds import KindOfValue
from remit.core.flow.values.numbers import MIN_NUMBER, account_of, phone_of
from remit.core.flow.values.urls import Url, regular_host, regular_url

MAX_EXACT = 2_048
"""Longest text, in characters, that is read; a longer text is content and equals only itself."""
BLANKS = " \t\r\n"
"""White space around a value that programs remove."""
MARKS = ".,;:!?()[]{}\"'`<>*_~|\u00ab\u00bb\u2018\u2019\u201c\u201d\u201e\u2026"
"""Punctuation that a sentence puts around a value."""


class ExactValue(msgspec.Struct, frozen=True, gc=False):
    """A value in its form for use. Two values are the same if and only if they are equal."""

    kind: KindOfValue
    normal: str


# Module-level names: each attribute lookup on an enum class costs the interpreter a search.
_EMAIL, _URL, _HOST = KindOfValue.EMAIL, KindOfValue.URL, KindOfValue.HOST
_PHONE, _TEXT = KindOfValue.PHONE, KindOfValue.TEXT
# RFC 5322 section 3.4, restricted to what every mail program reads alike: a name of plain words, or a quoted
# name.
_NAMED = re.compile(
    r"(?:\"[^\"\\<>@\x00-\x1f]{0,200}\" ?|[^\"\\<>@()\[\],;:\x00-\x1f]{0,200})<([^<>\s]{3,320})>"
)
# RFC 5321 section 4.1.2: a dot-string. Letters beyond ASCII by RFC 6531.
_LOCAL = re.compile(
    r"[A-Za-z0-9!#$&'*+/=?^_`{|}~\u00a1-\ud7ff-]+(?:\.[A-Za-z0-9!#$&'*+/=?^_`{|}~\u00a1-\ud7ff-]+)*"
)
_TLD = re.compile(r"[a-z]{2,24}|xn--[a-z0-9-]{2,59}")
_SCHEMELESS = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}\.[A-Za-z]{2,24}(?::[1-9][0-9]{0,4})?[/?#]\S{0,1500}"
)
MAX_CHARS_OF_NUMBER = 60
MAX_GROUPS = 10
"""Most groups of an account or telephone number."""
#: ISO 13616: in one piece, or in groups of four.
_ACCOUNT = re.compile(r"[a-z]{2}[0-9]{2}(?:[a-z0-9]{11,30}|(?: [a-z0-9]{4}){2,7}(?: [a-z0-9]{1,4})?)")
_ACCOUNT_HEAD = re.compile(r"[A-Za-z]{2}[0-9]{2}[A-Za-z0-9]{0,30}$")
_ACCOUNT_GROUP = re.compile(r"[A-Za-z0-9]{1,4}")
_PHONE_GROUP = re.compile(r"\(?\+?[0-9][0-9()./-]{0,20}")
_AT_ENDS = tuple(".,;:!?")
_BESIDE_WORDS = MARKS + "\u2013\u2014"
_BESIDE_NUMBERS = MARKS.replace("(", "").replace(")", "")
_DIGITS = re.compile(r"[0-9]")
_SMALL_ASCII = {at: at + 32 for at in range(ord("A"), ord("Z") + 1)}


def small(text: str) -> str:
    """Return a text in lower case, and composed in the form that most programs keep (NFC).

    A letter stays unchanged if its lower case is several letters, or belongs to another letter.
    """
    return text.lower() if text.isascii() else _small_letters(composed(text))


def _small_letters(text: str) -> str:
    return text.translate(_SMALL_ASCII | {ord(one): _small(one) for one in set(text) if not one.isascii()})


def composed(text: str) -> str:
    """Return a text in NFC, unless this would turn a letter into another one."""
    whole = unicodedata.normalize("NFC", text)
    # A Kelvin sign would become a K, but a program that compares its input literally distinguishes the two.
    return whole if all(unicodedata.normalize("NFC", one) == one for one in set(text)) else text


def _small(letter: str) -> str:
    low = letter.lower()
    return low if len(low) == 1 and not low.isascii() and low.upper() == letter else letter


def exact(text: str) -> ExactValue:
    """Return the strict reading of a text; of kind `text` where it is of no known kind."""
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
    """Return the reading of a text without a mark of its kind; None where there is none."""
    if "." in bare and " " not in bare:
        host, marked, _ = bare.partition("/")
        if (name := regular_host(host)) and not marked:
            return ExactValue(_HOST, name) if _TLD.fullmatch(name.rpartition(".")[2]) else None
        if _SCHEMELESS.fullmatch(bare):
            url = regular_url(f"https://{bare}")
            return _without_scheme(url) if url else None
    if not _DIGITS.search(bare) or not bare.isascii():
        return None
    low = bare.lower()
    if low[0] in "+0123456789":
        # Some programs read the part before a slash as a separate number.
        phone = phone_of(low) if "/" not in low else ""
        return ExactValue(_PHONE, phone) if phone else None
    account = account_of(low) if _ACCOUNT.fullmatch(low) else ""
    return ExactValue(KindOfValue.IBAN, account) if account else None


def _without_scheme(url: Url) -> ExactValue:
    """Return a web address without its scheme: a host alone, or a host with port, path or query."""
    where = url.normal.partition(":")[2]
    alone = not url.port and where == f"//{url.host}"
    return ExactValue(_HOST, url.host) if alone else ExactValue(_URL, where)


def _email(text: str) -> ExactValue | None:
    local, _, domain = text.rpartition("@")
    host = regular_host(domain)
    if not host or "." not in host or len(local) > 64 or not _LOCAL.fullmatch(local):
        return None
    # On the wire, a composed letter and a letter with a mark are two different mailboxes.
    return ExactValue(_EMAIL, f"{_small_letters(local)}@{host}")


def named_address(text: str) -> tuple[str, str]:
    """Return the name and the address of `Name <address>`; both empty for any other text."""
    found = _NAMED.fullmatch(text.strip(BLANKS)) if "<" in text else None
    return (found[0][: found.start(1) - 1].strip(BLANKS + '"'), found[1]) if found else ("", "")


def worded_forms(value: str) -> tuple[str, ...]:
    """Return the forms of a value in people's words: for `#general`, also `general`."""
    marked = value[:1] in ("#", "@") and len(value) > 2 and " " not in value
    return (value, value[1:]) if marked else (value,)


def place_of(text: str) -> str:
    """Return the host of a web address that clients read alike, with its port; empty for any other text."""
    url = regular_url(text.strip(BLANKS))
    if url is None:
        return ""
    return f"{url.host}:{url.port}" if url.port else url.host


def stated_forms(text: str) -> Iterator[ExactValue]:
    """Yield the values that the author of a text states.

    These are its strict reading and, because people may omit the scheme of a web address, that address with
    the schemes `https` and `http`.
    """
    yield from _forms(exact(text))


def _forms(found: ExactValue) -> Iterator[ExactValue]:
    yield found
    if (found.kind is _HOST and not is_file_name(found.normal)) or (
        found.kind is _URL and found.normal.startswith("//")
    ):
        for scheme in ("https", "http"):
            yield ExactValue(_URL, f"{scheme}://{found.normal.removeprefix('//')}")
    elif found.kind is _URL and found.normal.startswith(("https://", "http://")):
        if url := regular_url(found.normal):
            yield _without_scheme(url)
    elif found.kind is _PHONE and found.normal.isdecimal():
        yield ExactValue(_TEXT, found.normal)
    elif found.kind is _TEXT and (number := _grouped(found.normal)):
        # The grouping that a person uses does not change the number.
        yield number
    elif found.kind is _TEXT and found.normal.isdecimal() and len(found.normal) >= MIN_NUMBER:
        # A bare row of digits may also be a telephone number.
        yield ExactValue(_PHONE, found.normal)


def _grouped(text: str) -> ExactValue | None:
    """Return the reading of a number whose digits are in groups of any size."""
    if len(text) > MAX_CHARS_OF_NUMBER or not text.isascii():
        return None
    if account := account_of(text):
        return ExactValue(KindOfValue.IBAN, account)
    phone = phone_of(text) if text[:1] in "+0123456789" else ""
    return ExactValue(_PHONE, phone) if phone else None


def pieces(text: str) -> Iterator[str]:
    """Yield the words of a text that can be a destination, without the punctuation around them.

    The groups of one account or telephone number are yielded as one.
    """
    words, at = text.split(), 0
    while at < len(words):
        if words[at].isalpha():
            # Most words contain only letters: they are no destination, and begin no number.
            at += 1
            continue
        found, after = _number_at(words, at)
        yield from found
        if after > at:
            at = after
            continue
        bare = words[at].strip(_BESIDE_WORDS)
        if bare:
            yield bare
            if words[at][:1] == "[" and "](" in bare:  # a link of Markdown
                yield bare.rpartition("](")[2]
        at += 1


def _number_at(words: list[str], at: int) -> tuple[list[str], int]:
    """Return the readings of a number in the words from `at` on, and the position after it.

    A part of its groups is not a stated number.
    """
    account = _ACCOUNT_HEAD.match(words[at].lstrip(_BESIDE_WORDS)) is not None
    # A telephone number may contain brackets; an account number may be inside brackets.
    beside, ends = (_BESIDE_WORDS, (*_AT_ENDS, ")")) if account else (_BESIDE_NUMBERS, _AT_ENDS)
    head = words[at].lstrip(beside)
    if not account and not _PHONE_GROUP.match(head):
        return [], at
    run, end = head.rstrip(beside), at + 1
    runs = [(run, end)] if account else []
    group = _ACCOUNT_GROUP if account else _PHONE_GROUP
    while end < len(words) and end < at + MAX_GROUPS and not words[end - 1].endswith(ends):
        bare = words[end].rstrip(beside)
        if not group.fullmatch(bare):
            break
        run, end = f"{run} {words[end]}", end + 1
        runs.append((run.rstrip(beside), end))
    if account:
        found = [(text, last) for text, last in runs if account_of(text.lower())]
        # No mark shows where an account number ends, but its check digits do (ISO 13616).
        found = [one for one in found if _checks(one[0])] or found
    else:
        found = [(text, last) for text, last in runs if phone_of(text)][-1:]
    return [text for text, _ in found], found[-1][1] if found else at


def _checks(account: str) -> bool:
    short = account.replace(" ", "").replace("-", "")
    return int("".join(str(int(one, 36)) for one in short[4:] + short[:4])) % 97 == 1


def written(text: str) -> Iterator[tuple[str, ExactValue]]:
    """Yield every destination that a text contains verbatim, with the piece that writes it.

    Nothing is decoded, and no destination is taken out of another. Some are yielded more than once.
    """
    for piece in pieces(text):
        if "@" in piece or "." in piece or "://" in piece or _DIGITS.search(piece):
            found = exact(piece)
            if found.kind is not _TEXT or piece[-1:].isalnum():
                for form in _forms(found):
                    if form.kind is not _TEXT or form is not found:
                        yield piece, form


def standing(text: str) -> Iterator[ExactValue]:
    """Yield every destination that a text contains verbatim."""
    for _, found in written(text):
        yield found
