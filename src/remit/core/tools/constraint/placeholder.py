# SPDX-License-Identifier: Apache-2.0
r"""Placeholders in the written form of constraints: `{name}` refers to a parameter of the task.

A string that consists only of a placeholder takes the parameter's typed value where any value is permitted
(`exact`, `one_of`, bounds). Everywhere else the parameter is one component of a text: not empty, no `/` or
`\`, not `.` or `..`, no hidden characters. It is escaped in `glob` and `pattern`, so it always matches only
itself. `{{` and `}}` are plain braces; in `pattern` braces have their RE2 meaning, and `\{name\}` is plain
text.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

import re2

from remit.core.errors import ConfigInvalid
from remit.core.json_value import Json
from remit.core.tools.constraint.address import MAX_ADDRESS
from remit.core.tools.constraint.base import MAX_DEPTH, type_name
from remit.core.tools.constraint.path import escape_glob, path_fault
from remit.core.tools.constraint.text import hidden

_BRACES: Final = re2.compile(r"\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_-]*)\}|[{}]")
# Escapes and classes such as `\p{Greek}` and `\x{10FFFF}` are matched whole, so that no parameter name is
# found inside them.
_PATTERN_BRACES: Final = re2.compile(
    r"(?s)\\[pPx]\{[^}]*\}|\\.|\[\^?\]?(?:\\.|\[:\^?[a-z]+:\]|[^\]\\])*\]|\{([A-Za-z_][A-Za-z0-9_-]*)\}"
)
_LABEL: Final = re2.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Parameters:
    """The values for one instantiation; those named in `paths` may hold several path components."""

    values: Mapping[str, Json]
    paths: Collection[str] = ()

    def value(self, name: str) -> Json:
        """Return a parameter's typed value; raise `ConfigInvalid` for an unknown name."""
        if name not in self.values:
            known = ", ".join(f"`{{{known}}}`" for known in sorted(self.values)) or "none"
            raise ConfigInvalid(
                f"placeholder `{{{name}}}` does not match a given parameter",
                remediation=f"given parameters: {known}",
            )
        return self.values[name]

    def component(self, name: str) -> str:
        """Return a parameter as one component of a text; raise `ConfigInvalid` for one that could be more."""
        value = self.value(name)
        if type(value) is int:
            return str(value)
        if type(value) is not str:
            raise ConfigInvalid(
                f"parameter `{name}` is of type {type_name(value)}, which cannot be part of a text",
                remediation="make it a string or a whole number",
            )
        fault = hidden(value)
        if not value:
            fault = "is empty"
        elif not fault and name in self.paths:
            fault = path_fault(value) or ("is absolute" if value[0] == "/" else "")
        elif not fault and ("/" in value or "\\" in value):
            fault = "contains a slash or backslash"
        elif not fault and value.strip(".") == "":
            fault = "consists only of dots"
        elif not fault and (value[0] == " " or value[-1] == " "):
            fault = "begins or ends with a blank"
        if fault:
            raise ConfigInvalid(f"parameter `{name}` {fault}", remediation=_remediation(name, self.paths))
        return value

    def path_component(self, name: str) -> str:
        """Return a parameter as part of a path."""
        value = self.component(name)
        if fault := path_fault(value):
            raise ConfigInvalid(f"parameter `{name}` {fault}", remediation=_remediation(name, self.paths))
        return value

    def host_label(self, name: str) -> str:
        """Return a parameter as one label of a host name."""
        value = self.component(name)
        if _LABEL.fullmatch(value) is None:
            raise ConfigInvalid(
                f"parameter `{name}` is not one label of a host name", remediation="use a-z, 0-9 and `-`"
            )
        return value

    def host(self, name: str) -> str:
        """Return a parameter as a whole host name; it cannot match names below it."""
        value = self.component(name)
        if len(value) > MAX_ADDRESS or any(_LABEL.fullmatch(label) is None for label in value.split(".")):
            raise ConfigInvalid(
                f"parameter `{name}` is not one host name", remediation="give a name such as `example.org`"
            )
        return value


def _remediation(name: str, paths: Collection[str]) -> str:
    return (
        "give a relative path in normal form"
        if name in paths
        else "give one plain name, or declare it as a path"
    )


class _Recorder(dict[str, Json]):
    """Treats every name as a parameter, and records the names requested."""

    def __contains__(self, name: object) -> bool:
        self.setdefault(str(name), "x")
        return True


def names_in(spec: Json) -> frozenset[str]:
    """Return the parameters that a written constraint refers to; raise `ConfigInvalid` for a stray brace."""
    seen = _Recorder()
    fill(spec, Parameters(seen))
    return frozenset(seen)


def sample(spec: Json) -> Json:
    """Return a written form filled with sample parameters, so that its mistakes are found early."""

    def leaf(kind: str, argument: Json) -> Json:
        if kind in ("range", "length") and isinstance(argument, dict) and names_in({kind: argument}):
            # Whether bounds are consistent depends on the parameters; bounds without placeholders are checked
            # separately.
            return {
                kind: {key: bound for key, bound in argument.items() if type(bound) is not str} or {"min": 0}
            }
        return fill({kind: argument}, Parameters(_Recorder()))

    return _walk(spec, leaf)


def fill(spec: Json, parameters: Parameters) -> Json:
    """Return the written form with its placeholders filled in; raise `ConfigInvalid`.

    Anything that is not a constraint is returned unchanged, for `load` to refuse.
    """

    def leaf(kind: str, argument: Json) -> Json:
        filler = _FILLERS.get(kind)
        return {kind: _deep(argument, filler, parameters) if filler else argument}

    return _walk(spec, leaf)


def _walk(spec: Json, leaf: Callable[[str, Json], Json], depth: int = 0) -> Json:
    if not isinstance(spec, dict) or len(spec) != 1 or depth > MAX_DEPTH:
        return spec
    ((kind, argument),) = spec.items()
    if kind in ("each", "not", "optional"):
        return {kind: _walk(argument, leaf, depth + 1)}
    if kind in ("all", "any") and isinstance(argument, list | tuple):
        return {kind: [_walk(part, leaf, depth + 1) for part in argument]}
    if kind == "fields" and isinstance(argument, dict):
        return {kind: {name: _walk(part, leaf, depth + 1) for name, part in argument.items()}}
    return leaf(kind, argument)


_Filler = Callable[[str, Parameters], Json]


def _deep(value: Json, filler: _Filler, parameters: Parameters) -> Json:
    if isinstance(value, str):
        return filler(value, parameters)
    if isinstance(value, list | tuple):
        return [_deep(item, filler, parameters) for item in value]
    if isinstance(value, dict):
        return {key: _deep(item, filler, parameters) for key, item in value.items()}
    return value


def fill_value(value: str, parameters: Parameters) -> Json:
    """Fill a place where any JSON value is permitted."""
    if (whole := _BRACES.fullmatch(value)) and whole.group(1):
        return parameters.value(whole.group(1))
    return _fill_text(value, parameters)


def _substitute(value: str, piece: Callable[[str], str]) -> str:
    out, at = [], 0
    for match in _BRACES.finditer(value):
        out.append(value[at : match.start()])
        at = match.end()
        if name := match.group(1):
            out.append(piece(name))
        elif len(match.group(0)) == 2:
            out.append(match.group(0)[0])
        else:
            raise ConfigInvalid(
                f"has a stray `{match.group(0)}`", remediation="write `{name}`, or `{{` and `}}` for braces"
            )
    return "".join([*out, value[at:]])


def _fill_text(value: str, parameters: Parameters) -> str:
    return _substitute(value, parameters.component)


def _fill_path(value: str, parameters: Parameters) -> str:
    return _substitute(value, parameters.path_component)


def _fill_glob(value: str, parameters: Parameters) -> str:
    return _substitute(value, lambda name: escape_glob(parameters.path_component(name)))


def _fill_host(value: str, parameters: Parameters) -> str:
    whole = _BRACES.fullmatch(value)
    return _substitute(value, parameters.host if whole and whole.group(1) else parameters.host_label)


def _fill_pattern(value: str, parameters: Parameters) -> str:
    out, at, quoted, filled = [], 0, False, False
    for match in _PATTERN_BRACES.finditer(value):
        out.append(value[at : match.start()])
        at = match.end()
        name, token = match.group(1), match.group(0)
        quoted = quoted or token == r"\Q"
        filled = filled or name is not None
        if token[0] == "[" and any(found.group(1) for found in _BRACES.finditer(token)):
            raise ConfigInvalid(
                "has a placeholder in a character class", remediation="put it outside the brackets"
            )
        # The group keeps a quantifier after the placeholder from applying to the last character only.
        out.append(f"(?:{re2.escape(parameters.component(name))})" if name else token)
    if quoted and filled:
        raise ConfigInvalid(
            r"has a placeholder beside `\Q`", remediation="escape the other characters one by one"
        )
    return "".join([*out, value[at:]])


_FILLERS: Final[dict[str, _Filler]] = {
    "exact": fill_value,
    "one_of": fill_value,
    "range": fill_value,
    "length": fill_value,
    "prefix": _fill_text,
    "path_under": _fill_path,
    "glob": _fill_glob,
    "pattern": _fill_pattern,
    "email_domain": _fill_host,
    "url_host": _fill_host,
}
