# SPDX-License-Identifier: Apache-2.0
"""Constraints on paths: `path_under` and `glob`. Both accept only paths that are already in normal form.

A path is in normal form when every program that could open it reads it the same way: names separated by
single `/`, none of them empty, `.` or `..`, none beginning or ending with a blank or ending with a dot; no
`/` at the end; no backslash, drive letter, `~` at the start, percent-encoding, control or invisible
character, look-alike of a dot or a slash; Unicode in form NFKC. Alone, `.` names the root of relative paths
and `/` that of absolute ones. A path that is not in normal form is refused rather than repaired, because the
upstream would repair it in a different way.

The target of a name inside the upstream (symbolic links, mounts) is out of scope, because remit cannot see
it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import re2

from remit.core.errors import ConfigInvalid
from remit.core.json_value import Json
from remit.core.tools.constraint.base import NO, UNDECIDABLE, YES, Constraint, Verdict, shown, text, type_name
from remit.core.tools.constraint.text import compile_pattern, folded, hidden

MAX_PATH: Final = 4096
"""The longest path, in code points (PATH_MAX of Linux)."""
MAX_GLOB: Final = 1024

_ANY_NAMES: Final = "[^/]+(?:/[^/]+)*"
_ENCODED: Final = re2.compile(r"%[0-9A-Fa-fuU]")
# Symbols and punctuation that Unicode's confusables list (UTS 39) draws as `/`, `\` or `.` and that NFKC
# keeps. Letters (such as U+30CE and U+4E3F) are not included: they are common in names, and no program treats
# them as a slash.
_LOOK_ALIKES: Final = re2.compile(
    r"[\x{2041}\x{2044}\x{2215}\x{2571}\x{27CB}\x{29F8}\x{3033}\x{31D3}\x{2CC6}\x{1735}\x{2E4A}"
    r"\x{2216}\x{27CD}\x{29F5}\x{29F9}\x{31D4}\x{2572}"
    r"\x{0660}\x{06F0}\x{06D4}\x{0701}\x{0702}\x{A4F8}\x{A60E}\x{3002}\x{2027}\x{10A50}]"
)


def path_fault(value: str) -> str:
    """Return why a path is not in normal form; empty where it is."""
    if not value:
        return "is empty"
    if len(value) > MAX_PATH:
        return f"is longer than {MAX_PATH} characters"
    if fault := hidden(value):
        return fault
    if not value.isascii() and _LOOK_ALIKES.search(value) is not None:
        return "contains a character that looks like a dot or a slash"
    if "\\" in value:
        return "contains a backslash"
    if "%" in value and _ENCODED.search(value) is not None:
        return "contains percent-encoding"
    if value[0] == "~":
        return "starts with `~`"
    if value[1:2] == ":" and value[0].isalpha():
        return "starts with a drive letter"
    if value in (".", "/"):
        return ""
    for name in (value[1:] if value[0] == "/" else value).split("/"):
        if not name:
            return "contains an empty segment (`//` or a `/` at the end)"
        if name[-1] == ".":
            return (
                "contains a `.` or `..` segment"
                if name in (".", "..")
                else "contains a segment that ends with a dot"
            )
        if name[0] == " " or name[-1] == " ":
            return "contains a segment that begins or ends with a blank"
    return ""


def _why_path(value: Json, absolute: bool) -> str:
    if type(value) is not str:
        return f"is of type {type_name(value)}, not string"
    if fault := path_fault(value):
        return fault
    if (value[0] == "/") is not absolute:
        return "is relative, not absolute" if absolute else "is absolute, not relative"
    return ""


def _within(value: str, directory: str) -> bool:
    """Return whether a normal path is the directory or inside it; both relative or both absolute."""
    if directory == ".":
        return value[0] != "/"
    if directory == "/":
        return value[0] == "/"
    return value == directory or value.startswith(directory + "/")


def may_lead_to(value: str, directory: str) -> bool:
    """Return whether a path outside the directory may still lead to it: above it, in another case, or by an
    alias.

    `secr~1` is the form in which some file systems shorten a longer name. Case is ignored for a directory
    above, too: `/SRV` leads to `/srv/secrets`.
    """
    low, wanted = folded(value), folded(directory)
    return "~" in value or _within(wanted, low) or _within(low, wanted)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PathUnder(Constraint):
    """The value is a path in normal form, and is this directory or something inside it, at any depth.

    Files whose names begin with a dot are inside like any other. Whole names are compared: `contracts` does
    not contain `contracts-old`. To exclude the directory itself, use `glob: contracts/**`. A path that
    contains the directory, or names it in another case, is undecidable, so that `not: {path_under: secrets}`
    refuses `.` and `Secrets/key`.
    """

    directory: str
    kind: ClassVar[str] = "path_under"
    _inside: str = field(init=False)

    def __post_init__(self) -> None:
        directory = text(self.directory)
        if len(directory) > 1 and directory.endswith("/"):
            directory = directory[:-1]
        if fault := path_fault(directory):
            raise ConfigInvalid(
                fault, remediation="write the directory in normal form, such as `contracts/2026`"
            )
        object.__setattr__(self, "directory", directory)
        object.__setattr__(self, "_inside", directory if directory == "/" else directory + "/")

    def judge(self, value: Json) -> Verdict:
        """Judge by whole names, starting at the root."""
        if type(value) is not str or path_fault(value):
            return UNDECIDABLE
        if value.startswith(self._inside) or _within(value, self.directory):
            return YES
        if (value[0] == "/") is not (self.directory[0] == "/"):
            return UNDECIDABLE
        return UNDECIDABLE if may_lead_to(value, self.directory) else NO

    def why(self, value: Json) -> str:
        """Explain why the value is not a path in normal form."""
        return _why_path(value, self.directory[0] == "/")

    def argument(self) -> Json:
        """Return the directory, without `/` at its end."""
        return self.directory

    def describe(self) -> str:
        """Name the directory."""
        return f"be under `{shown(self._inside)}`"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Glob(Constraint):
    r"""The value is a path in normal form that matches the pattern as a whole.

    `?` is one character and `*` any number of them within one name; `**`, as a whole name, is any number of
    names (in last place at least one). Wildcards match names that begin with a dot. `\*`, `\?`, `\[` and `\]`
    match the characters themselves; there are no character classes. Matched by RE2 in linear time.

    A path above or below a match, or one in another case, is undecidable, so that `not: {glob: /home/*/.ssh}`
    refuses `/home`, `/home/ana/.ssh/key` and `/Home/ana/.SSH`. Before `**` every directory is above a match.
    """

    glob: str
    kind: ClassVar[str] = "glob"
    root: str = field(init=False)
    """The directory that contains every match: the names before the first wildcard."""
    _compiled: Any = field(init=False)
    _near: Any = field(init=False)
    _below: Any = field(init=False)

    def __post_init__(self) -> None:
        glob = text(self.glob)
        if len(glob) > MAX_GLOB:
            raise ConfigInvalid(
                f"is longer than {MAX_GLOB} characters", remediation="write several under `any`"
            )
        if glob in ("", ".", "/"):
            raise ConfigInvalid("is not a path", remediation="write a glob such as `contracts/*.md`")
        absolute = glob[0] == "/"
        pieces = [_translate(name) for name in glob.removeprefix("/").split("/")]
        if fault := path_fault("/" * absolute + "/".join(literal for literal, _, _ in pieces)):
            raise ConfigInvalid(fault, remediation="write the glob as a path in normal form")
        fixed = next((i for i, (_, _, wild) in enumerate(pieces) if wild), len(pieces) - 1)
        root = "/".join(literal for literal, _, _ in pieces[:fixed])
        object.__setattr__(self, "root", "/" + root if absolute else root or ".")
        object.__setattr__(self, "_compiled", compile_pattern(_expression(absolute, pieces)))
        lower = [_translate(name) for name in folded(glob).removeprefix("/").split("/")]
        object.__setattr__(self, "_near", compile_pattern("/" * absolute + _leading(lower)))
        object.__setattr__(self, "_below", compile_pattern(f"{_expression(absolute, lower)}(?:/.*)?"))

    def judge(self, value: Json) -> Verdict:
        """Judge by a match of the whole path."""
        if type(value) is not str or path_fault(value) or (value[0] == "/") is not (self.glob[0] == "/"):
            return UNDECIDABLE
        if value in (".", "/"):
            return UNDECIDABLE
        if self._compiled.fullmatch(value.encode()) is not None:
            return YES
        # Paths that a negation may not permit: above or below a match, an alias or another case of one.
        low = folded(value).encode()
        near = self._near.fullmatch(low) is not None or self._below.fullmatch(low) is not None
        return UNDECIDABLE if "~" in value or near else NO

    def why(self, value: Json) -> str:
        """Explain why the value is not a path in normal form."""
        return _why_path(value, self.glob[0] == "/")

    def argument(self) -> Json:
        """Return the pattern."""
        return self.glob

    def describe(self) -> str:
        """Quote the pattern."""
        return f"match the path pattern `{shown(self.glob)}`"


def escape_glob(value: str) -> str:
    """Return a glob that matches only this text."""
    return "".join("\\" + ch if ch in "*?[]" else ch for ch in value)


def _translate(name: str) -> tuple[str, str, bool]:
    """Return one name of a glob as a sample match, as RE2, and whether it has a wildcard."""
    if name == "**":
        return "x", _ANY_NAMES, True
    sample: list[str] = []
    expression: list[str] = []
    wild = False
    chars = iter(name)
    for ch in chars:
        if ch in ("*", "?"):
            if ch == "*" and expression[-1:] == ["[^/]*"]:
                raise ConfigInvalid(
                    "contains `**` beside other characters",
                    remediation="write `**` as a whole name: `a/**/b`",
                )
            wild = True
            sample.append("x")
            expression.append("[^/]*" if ch == "*" else "[^/]")
        elif ch == "\\":
            escaped = next(chars, "")
            if escaped not in ("*", "?", "[", "]"):
                raise ConfigInvalid(
                    "contains a stray backslash", remediation="use `/` between names; escape only `*?[]`"
                )
            sample.append(escaped)
            expression.append(re2.escape(escaped))
        elif ch in "[]":
            raise ConfigInvalid(
                "contains a character class", remediation="write `\\[` for the character, or use `pattern`"
            )
        else:
            sample.append(ch)
            expression.append(re2.escape(ch))
    return "".join(sample), "".join(expression), wild


def _expression(absolute: bool, pieces: list[tuple[str, str, bool]]) -> str:
    """Return the RE2 that is equivalent to the glob."""
    out = ["/"] if absolute else []
    for i, (_, expression, _) in enumerate(pieces):
        last = i == len(pieces) - 1
        if expression == _ANY_NAMES:
            out.append(_ANY_NAMES if last else f"(?:{_ANY_NAMES}/)?")
        else:
            out.append(expression if last else expression + "/")
    return "".join(out)


def _leading(pieces: list[tuple[str, str, bool]]) -> str:
    """Return the RE2 that matches the glob's paths and every directory above them."""
    (_, expression, _), *rest = pieces
    if expression == _ANY_NAMES or not rest:
        return expression
    return f"{expression}(?:/{_leading(rest)})?"
