# SPDX-License-Identifier: Apache-2.0
"""What accounts, telephone numbers, handles, amounts, dates, codes and contents come to when they are
used.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from tests.adversary.consumers.hosts import on_the_wire
from tests.adversary.consumers.leaves import leaves, texts

Json = Any

_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_PHONE = re.compile(r"\+?[0-9][0-9 ()./-]{5,24}[0-9]")
_VANITY = re.compile(r"\+?[0-9][0-9A-Za-z ()-]{6,20}")
_KEYS = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "22233344455566677778889999")
_HANDLE = re.compile(r"[^\s<>,;:\"'()\[\]{}|\\/]{2,64}")
_NAME = re.compile(r"[^\W\d_][\w.'-]*(?: [\w.'-]+){1,4}")
_EDGE = "@# \t\r\n.,;:!?\"'`"
_DIGITS = re.compile(r"[0-9][0-9.,_ '\u00a0\u202f]*(?:[eE][+-]?[0-9]{1,3})?|0[xX][0-9a-fA-F]+")
_CURRENCY = re.compile(r"\b(EUR|USD|GBP|CHF|JPY|BTC|ETH)\b|[$\u20ac\u00a3\u00a5]", re.IGNORECASE)
_SIGNS = {"$": "USD", "\u20ac": "EUR", "\u00a3": "GBP", "\u00a5": "JPY"}
_LINKED = re.compile(
    r"(?:[a-z][a-z0-9+.-]*:)?(?://|\\\\)[^\s<>\"'`)\]]+|mailto:[^\s<>\"'`)\]]+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
    r"|(?<![\w@.])(?<!\w-)(?:[\w-]+\.)+(?:com|net|org|io|info)(?![\w-])",
    re.IGNORECASE,
)


def iban(value: Json) -> set[str]:
    """Return all accounts that some bank would pay to."""
    out: set[str] = set()
    for text in texts(value):
        for form in (text, unicodedata.normalize("NFKC", text), text.partition("<")[0], _between(text)):
            # `int` reads digits of every script.
            bare = "".join(str(int(one)) if one.isdecimal() else one for one in form)
            out |= set(_IBAN.findall(re.sub(r"[\s.-]", "", bare).upper()))
            out |= set(_IBAN.findall(bare.upper()))
    return out


def phone(value: Json) -> set[str]:
    """Return all numbers that some telephone would call."""
    out: set[str] = set()
    for text in texts(value):
        form = unicodedata.normalize("NFKC", text).strip()
        form = "".join(str(int(one)) if one.isdecimal() else one for one in form)
        form = form[4:] if form[:4].casefold() == "tel:" else form
        for piece in {form, *re.split(r"[,;/|<>\n]|\bor\b|\bund\b|\bext?\b|x", form)}:
            for number in _PHONE.findall(piece):
                out |= _dialled(number)
            if _VANITY.fullmatch(piece):
                out |= _dialled(piece.upper().translate(_KEYS))
    return out


def _dialled(piece: str) -> set[str]:
    digits = re.sub("[^0-9]", "", piece)
    if not 7 <= len(digits) <= 15:
        return set()
    plus = "+" in piece or digits.startswith("00")
    return {f"+{digits.removeprefix('00')}" if plus else digits}


def handle(value: Json) -> set[str]:
    """Return all names of people and channels that some program would write to: each may be the name of a
    person.
    """
    out: set[str] = set()
    for text in texts(value):
        whole = unicodedata.normalize("NFC", text.partition("\x00")[0]).strip(_EDGE)
        pieces = {whole, whole.partition("<")[0].strip(_EDGE), _between(whole).strip(_EDGE)}
        pieces |= {one.strip(_EDGE) for one in re.split(r"[,;\n]", whole)}
        out |= {_lower(one) for one in pieces if _HANDLE.fullmatch(one)}
        out |= {_lower(one) for one in pieces if _NAME.fullmatch(one)}
    return {one for one in out if one}


def _lower(text: str) -> str:
    return "".join(one.lower() if one.isascii() or one.isalpha() else one for one in text)


def _between(text: str) -> str:
    return text.rpartition("<")[2].partition(">")[0] if "<" in text else ""


def amount(value: Json) -> set[str]:
    """Return all amounts that some program would take, each with its currency where that is not the euro."""
    out: set[str] = set()
    for leaf in leaves(value):
        if isinstance(leaf, bool) or leaf is None:
            continue
        text = unicodedata.normalize("NFKC", str(leaf))
        text = "".join(str(int(one)) if one.isdecimal() else one for one in text)
        units = {_SIGNS.get(one[0], one[0].upper()) for one in _CURRENCY.finditer(text)} - {"EUR"}
        unit = "".join(f" {one}" for one in sorted(units))
        out |= {f"{number:f}{unit}" for number in _numbers(text) if abs(number) < 10**15}
    return out


def cents(value: Json) -> set[str]:
    """Return all amounts that some program would take for hundredth parts of a currency, in that currency."""
    out = set()
    for one in amount(value):
        number, _, unit = one.partition(" ")
        out.add(f"{Decimal(number) / 100:f} {unit}".strip())
    return out


def _numbers(text: str) -> Iterator[Decimal]:
    for found in _DIGITS.findall(text):
        bare = re.sub("[_ '\u00a0\u202f]", "", found).strip(".,")
        forms = {bare}
        if re.fullmatch(r"[0-9]{1,3}(?:[.,][0-9]{3})+", bare):
            forms.add(bare.replace(".", "").replace(",", ""))  # groups of thousands
        if "," in bare:
            forms.add(bare.replace(",", "") if "." in bare else bare.replace(",", "."))
            forms.add(bare.replace(".", "").replace(",", "."))  # as much of Europe writes decimals
        for form in forms:
            try:
                yield Decimal(int(form, 16)) if form[:2].lower() == "0x" else Decimal(form)
            except (InvalidOperation, ValueError):
                continue


_NAMES = (
    "jan january feb february mar march apr april may may jun june jul july aug august sep september "
    "oct october nov november dec december"
)
_MONTHS = {one: at // 2 + 1 for at, one in enumerate(_NAMES.split())}


def day(value: Json) -> set[str]:
    """Return all days that some program would take."""
    out: set[str] = set()
    for text in texts(value):
        for year, month, one in re.findall(r"\b([12][0-9]{3})[-/.]?([01][0-9])[-/.]?([0-3][0-9])", text):
            out |= _day(year, month, one)
        for first, second, year in re.findall(r"\b([0-9]{1,2})[-/.]([0-9]{1,2})[-/.]([12][0-9]{3})", text):
            out |= _day(year, second, first) | _day(year, first, second)
        for one, name, year in re.findall(
            r"([0-9]{1,2})(?:st|nd|rd|th)?\.? ([A-Za-z]+),? ([12][0-9]{3})", text
        ):
            out |= _day(year, str(_MONTHS.get(name.lower(), 0)), one)
        for name, one, year in re.findall(r"([A-Za-z]+) ([0-9]{1,2})(?:st|nd|rd|th)?,? ([12][0-9]{3})", text):
            out |= _day(year, str(_MONTHS.get(name.lower(), 0)), one)
    return out


def _day(year: str, month: str, one: str) -> set[str]:
    try:
        return {date(int(year), int(month), int(one)).isoformat()}
    except ValueError:
        return set()


def secret(value: Json) -> set[str]:
    """Return all secrets that some program would take: a text is another one for every character of it."""
    return {text.strip() for text in texts(value)} - {""}


def content(value: Json) -> set[str]:
    """Return all places to which a text leads its reader: links that programs make of the text."""
    out: set[str] = set()
    for text in texts(value):
        for form in {text, html.unescape(text)}:
            for link in _LINKED.findall(form.replace("\u00ad", "").replace("\u200b", "")):
                place = re.sub(r"^(?:[a-z][a-z0-9+.-]*:)?[/\\]*", "", link, flags=re.IGNORECASE)
                named = re.split(r"[/\\?#]", place, maxsplit=1)[0].rpartition("@")[2]
                out |= on_the_wire(named.partition(":")[0])
    return out
