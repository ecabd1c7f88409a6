# SPDX-License-Identifier: Apache-2.0
"""Which files, records and programs an argument picks: as file systems, databases, searches and shells read
it.
"""

from __future__ import annotations

import fnmatch
import posixpath
import re
import shlex
import unicodedata
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from tests.adversary.consumers.leaves import leaves, texts
from tests.adversary.scene import ABSENT

Json = Any

FILES = (
    "notes.md",
    "old notes.md",
    "report.pdf",
    "secrets.env",
    "reports/july.csv",
    "reports/august.csv",
    ".ssh/id_rsa",
)
RECORDS = {
    "cus_4711": "Anna Schmidt",
    "cus_9999": "Anna Weber",
    "cus_1234": "Bruno Costa",
    "4711": "order 4711",
    "9999": "order 9999",
    "47110": "order 47110",
    **{one: one for one in ("t-17", "t-18", "t-9", "a-17", "a-18", "b-2", "paper")},
}


def path(value: Json) -> set[str]:
    """Return all files that some program would open."""
    out: set[str] = set()
    for leaf in leaves(value):
        if leaf in (None, False, ""):
            continue
        for one in _paths(str(leaf)):
            clean = posixpath.normpath(posixpath.join("/", one.lstrip("~"))).lstrip("/")
            if clean in ("", "."):
                out |= set(FILES)
            # A file system of Windows or macOS knows no case, and no blanks and dots at the end.
            for file in FILES:
                same = clean.rstrip(". ").casefold() == file.casefold()
                below = file.startswith(f"{clean}/")
                if same or below or (re.search(r"[*?\[]", clean) and fnmatch.fnmatch(file, clean)):
                    out.add(file)
    return out


def _paths(text: str) -> Iterator[str]:
    forms = {text, text.partition("\x00")[0], unicodedata.normalize("NFKC", text), unquote(text)}
    forms |= {unquote(unquote(text)), text.strip(), text.partition("::$")[0]}
    for form in tuple(forms):
        bare = form.strip()
        if bare[:7].casefold() == "file://":
            forms.add(unquote(bare[7:]))
        forms |= {piece.strip() for piece in re.split(r"[\n,;]", form)}
        forms |= {form.partition("<")[0].strip(), form.partition("#")[0].strip()}
    for form in forms:
        if form:
            yield form
            yield form.replace("\\", "/")


def record(value: Json) -> set[str]:
    """Return all records that some store would pick; one that is asked for nothing picks all."""
    if value == ABSENT or value is None or value in ([], {}, "", False):
        return set(RECORDS)
    if isinstance(value, dict) and any(key.startswith("$") for key in value):
        return set(RECORDS)  # an operator of a document store
    out: set[str] = set()
    for leaf in leaves(value):
        if leaf is None or leaf is True or leaf is False:
            out |= set(RECORDS)
            continue
        text = str(int(leaf)) if isinstance(leaf, float) and leaf.is_integer() else str(leaf)
        out |= _picked(text)
    return out


def _picked(text: str) -> set[str]:
    asked = unicodedata.normalize("NFKC", text.partition("\x00")[0]).strip().casefold()
    if not asked or re.search(r"['\"]\s*(?:or|union|;)|--", asked):
        return set(RECORDS)
    out: set[str] = set()
    pieces = {asked, *(one.strip() for one in re.split(r"[,;\n]|\bor\b", asked))}
    pieces |= {asked.partition("<")[0].strip(), asked.partition("<")[2].partition(">")[0].strip()}
    for piece in pieces - {""}:
        digits = piece.lstrip("#").lstrip("0")
        like = re.compile(re.escape(piece).replace("%", ".*").replace("_", "."))
        for key, name in RECORDS.items():
            known = (key.casefold(), name.casefold())
            exact = piece.lstrip("#") in known or digits == key
            # A search by name finds each record whose name contains the words.
            found = not key.isdecimal() and len(piece) > 1 and piece in known[1]
            patterned = any(like.fullmatch(one) or fnmatch.fnmatchcase(one, piece) for one in known)
            if exact or found or patterned:
                out.add(key)
    return out


def shell(value: Json) -> set[str]:
    """Return what a shell would run: its words, without its comments."""
    out: set[str] = set()
    for text in texts(value):
        bare = text.partition("\x00")[0].replace("${IFS}", " ").replace("$IFS", " ")
        for comments in (True, False):
            try:
                words = shlex.split(bare, comments=comments)
            except ValueError:
                words = bare.split()
            if "".join(words).strip():  # blanks of other scripts alone name no program
                out.add(" ".join(words))
    return out


def sql(value: Json) -> set[str]:
    """Return the statements that a database would run, without their comments; only what is quoted has
    case.
    """
    out: set[str] = set()
    for text in texts(value):
        bare = re.sub(r"--[^\n]*|/\*.*?\*/|#[^\n]*", " ", text, flags=re.DOTALL)
        bare = bare if "'" in bare or '"' in bare else bare.lower()
        out |= {" ".join(one.split()).rstrip(";") for one in bare.split(";")} - {""}
    return out
