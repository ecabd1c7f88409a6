# SPDX-License-Identifier: Apache-2.0
"""Packages whose names are easily taken for well-known ones.

A name is a lookalike if it is one typing error from a well-known one (Damerau-Levenshtein, restricted), looks
the same in print, is a well-known name with a word of trust (`-official`), or has a well-known publisher's
scope with an error in it. A fork in another scope is none.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import Final, NamedTuple

from remit.core.discovery.servers.known_packages import KNOWN, ONLY_IN, SCOPES
from remit.core.discovery.servers.server_program import Registry, ServerPackage

#: Shorter names are too near to each other.
_SHORTEST: Final = 8
_LONG: Final = 16
_TRUST: Final = frozenset(
    {
        "official",
        "original",
        "real",
        "genuine",
        "verified",
        "trusted",
        "secure",
        "safe",
        "fixed",
        "patched",
        "latest",
    }
)
#: Letters of other scripts, and groups of letters, that look like Latin ones (after Unicode's TS 39).
_LOOKS: Final = str.maketrans(
    "\u0430\u0432\u0441\u0501\u0435\u04bb\u0456\u0458\u04cf\u043e\u0440\u051b\u0455\u051d\u0445\u0443\u0475\u0437\u03bf\u03b1\u03c1\u03c5\u03bd\u03b9\u03c4\u03ba0135\u0261\u0131\u217c",
    "abcdehijlopqswxyv3oapuvitkolesgil",
)
_GROUPS: Final = (("rn", "m"), ("vv", "w"), ("cl", "d"), ("ii", "u"))


class Lookalike(NamedTuple):
    """The well-known package that a name is taken for, and why."""

    known: str
    why: str


def lookalike(package: ServerPackage) -> Lookalike | None:
    """Return what a package is easily taken for; None for a well-known name, and for an unlike one."""
    if package.registry not in KNOWN:
        return None
    name = _normal(package.name, package.registry)
    if name in KNOWN[package.registry]:
        return None
    home = ONLY_IN.get(name)
    if home is not None and home is not package.registry:
        return Lookalike(name, f"the well-known package of this name is one of {home.value}")
    return _looks(name, package.registry) or _scope(name, package.registry) or _near(name, package.registry)


def is_known(package: ServerPackage) -> bool:
    """Return whether a package is a well-known one."""
    return _normal(package.name, package.registry) in KNOWN.get(package.registry, ())


def _normal(name: str, registry: Registry) -> str:
    """Return a name as its registry compares it (PyPI: PEP 503)."""
    name = name.strip().lower()[:214]
    if registry is Registry.PYPI:
        return re.sub(r"[-_.]+", "-", name)
    return name.removeprefix("docker.io/") if registry is Registry.DOCKER else name


def skeleton(text: str) -> str:
    """Return a text as it looks in print: letters that look alike are one."""
    seen = unicodedata.normalize("NFKD", text.lower())
    seen = "".join(one for one in seen if not unicodedata.combining(one)).translate(_LOOKS)
    for two, one in _GROUPS:
        seen = seen.replace(two, one)
    return seen


@functools.cache
def _skeletons(registry: Registry) -> dict[str, str]:
    return {skeleton(one): one for one in sorted(KNOWN[registry])}


@functools.cache
def _unscoped(registry: Registry) -> dict[str, str]:
    """Return well-known names with the scope as a part of the name: `modelcontextprotocol-server-github`."""
    joined = {re.sub(r"[-_./]+", "-", one.lstrip("@")): one for one in KNOWN[registry] if "/" in one}
    return {key: one for key, one in joined.items() if len(key) >= _LONG}


def _looks(name: str, registry: Registry) -> Lookalike | None:
    known = _skeletons(registry).get(skeleton(name))
    if known is not None:
        return Lookalike(known, "it looks the same in print")
    joined = _unscoped(registry).get(re.sub(r"[-_./]+", "-", name.lstrip("@")))
    if joined is not None:
        return Lookalike(joined, "its publisher is another one: the scope is a part of the name here")
    for separator in ("-", "_", "."):
        base, _, last = name.rpartition(separator)
        if last in _TRUST and len(base) >= _SHORTEST and base in KNOWN[registry]:
            return Lookalike(base, f"it is the well-known name with `{last}`")
        first, _, rest = name.partition(separator)
        if first in _TRUST and len(rest) >= _SHORTEST and rest in KNOWN[registry]:
            return Lookalike(rest, f"it is the well-known name with `{first}`")
    return None


def _scope(name: str, registry: Registry) -> Lookalike | None:
    if registry is not Registry.NPM or not name.startswith("@"):
        return None
    scope, _, base = name.partition("/")
    if scope in SCOPES:
        return None
    for known in sorted(SCOPES):
        far = distance(scope, known, 2)
        alike = far <= (2 if len(known) >= _LONG else 1) and len(known) >= _SHORTEST
        if alike or skeleton(scope) == skeleton(known) or _words(scope) == _words(known):
            return Lookalike(f"{known}/{base}", f"the publisher's scope is like `{known}`")
        if any(scope == f"{known}{sign}{word}" for sign in ("-", "") for word in _TRUST):
            return Lookalike(f"{known}/{base}", f"the publisher's scope is `{known}` with a word of trust")
    return None


def _words(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name)


def _near(name: str, registry: Registry) -> Lookalike | None:
    """Return the well-known name that is one error away: both have the same scope, or none."""
    if len(name) < _SHORTEST:
        return None
    scope, _, base = name.rpartition("/")
    for known in sorted(KNOWN[registry]):
        known_scope, _, known_base = known.rpartition("/")
        if scope != known_scope or len(known_base) < _SHORTEST:
            continue
        if _is_typo(base, known_base):
            return Lookalike(known, "it is one typing error away")
    return None


def _is_typo(name: str, known: str) -> bool:
    """Return whether a name is one error from another, and not another word.

    A changed digit is another version, and words in another order are a common way to name the same kind of
    server: these are not errors of typing.
    """
    if distance(name, known, 1) != 1:
        return False
    ours, theirs = re.split(r"[-_.]", name), re.split(r"[-_.]", known)
    if len(ours) != len(theirs):
        return _words(name) == _words(known) or len(name) >= _LONG
    one, other = next((a, b) for a, b in zip(ours, theirs, strict=True) if a != b)
    if re.sub(r"\d", "", one) == re.sub(r"\d", "", other):
        return False
    swapped = sorted(one) == sorted(other)
    plural = f"{other}s" == one or f"{one}s" == other
    return (len(other) >= 5 or swapped) and one not in _REAL_WORDS and not plural


#: Words that are near to a word of a well-known name, and mean something else.
_REAL_WORDS: Final = frozenset(
    {
        "mysql",
        "pgsql",
        "gitea",
        "slick",
        "stack",
        "black",
        "trails",
        "mango",
        "sketch",
        "notional",
        "chrome",
        "finance",
        "mssql",
        "monzo",
        "motion",
    }
)


def distance(one: str, other: str, most: int) -> int:
    """Return the number of typing errors between two texts, `most + 1` for any more.

    An error is a letter more, less or other, or two letters in the other order (optimal string alignment).
    """
    if abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        new = [i] + [0] * len(other)
        for j, b in enumerate(other, 1):
            new[j] = min(row[j] + 1, new[j - 1] + 1, row[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                new[j] = min(new[j], before[j - 2] + 1)
        before, row = row, new
        if min(row) > most:
            return most + 1
    return min(row[-1], most + 1)
