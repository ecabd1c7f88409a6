# SPDX-License-Identifier: Apache-2.0
"""Policy documents of AWS, read leniently and bounded.

What AWS itself would refuse (a statement without effect, a condition that is no object) is left out; nothing
here raises. Grammar: "Grammar of the IAM JSON policy language" in the IAM user guide.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote

import msgspec
import orjson

from remit.core.json_value import Json

#: Bounds on one document. AWS permits at most 20 KB.
MOST_STATEMENTS: Final = 1_000
MOST_VALUES: Final = 2_000
MOST_CHARACTERS: Final = 2_048
MOST_DOCUMENT: Final = 1_000_000
MOST_WALKED: Final = 60_000

_VARIABLE = re.compile(r"\$\{([^{}]{1,256})\}")


class AwsPattern:
    """A pattern with `*` (any characters) and `?` (one character); linear in the text for each part."""

    __slots__ = ("_parts", "_plain", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._plain = "*" not in text and "?" not in text
        self._parts = text.split("*")

    def matches(self, text: str) -> bool:
        """Return whether the whole text matches."""
        if self._plain:
            return text == self.text
        parts = self._parts
        if len(parts) == 1:
            return len(text) == len(parts[0]) and _fits(parts[0], text, 0)
        first, last = parts[0], parts[-1]
        if len(text) < len(first) + len(last) or not _fits(first, text, 0):
            return False
        end = len(text) - len(last)
        if not _fits(last, text, end):
            return False
        at = len(first)
        for part in parts[1:-1]:
            at = _find(part, text, at, end)
            if at < 0:
                return False
            at += len(part)
        return True


def _fits(part: str, text: str, at: int) -> bool:
    """Return whether a part, in which `?` is any character, stands at a position."""
    if "?" not in part:
        return text.startswith(part, at)
    return len(text) - at >= len(part) and all(
        p in ("?", t) for p, t in zip(part, text[at : at + len(part)], strict=True)
    )


def _find(part: str, text: str, at: int, end: int) -> int:
    """Return the first position of a part between two positions, or -1."""
    if "?" not in part:
        return text.find(part, at, end)
    for start in range(at, end - len(part) + 1):
        if _fits(part, text, start):
            return start
    return -1


@functools.lru_cache(maxsize=32_768)
def glob(text: str) -> AwsPattern:
    """Return the compiled pattern of a text."""
    return AwsPattern(text)


@functools.lru_cache(maxsize=32_768)
def common(left: str, right: str) -> str | None:
    """Return a short text that matches both patterns, or None where there is none.

    A breadth-first walk over the positions in both patterns; patterns with too many are taken to have none. A
    wildcard in both becomes no character, so patterns that need a name say so with `?`, which becomes `x`.
    """
    if len(left) * len(right) > MOST_WALKED:
        return None
    seen = {(0, 0)}
    layer: list[tuple[int, int, str]] = [(0, 0, "")]
    while layer:
        following: list[tuple[int, int, str]] = []
        for i, j, text in layer:
            if i == len(left) and j == len(right):
                return text
            for ni, nj, added in _moves(left, right, i, j):
                if (ni, nj) not in seen:
                    seen.add((ni, nj))
                    following.append((ni, nj, text + added))
        layer = following
    return None


def _moves(left: str, right: str, i: int, j: int) -> Iterable[tuple[int, int, str]]:
    one = left[i] if i < len(left) else ""
    two = right[j] if j < len(right) else ""
    if one == "*":
        yield i + 1, j, ""
        if two and two != "*":
            yield i, j + 1, "x" if two == "?" else two
    if two == "*":
        yield i, j + 1, ""
        if one and one != "*":
            yield i + 1, j, "x" if one == "?" else one
    if one and two and "*" not in (one, two) and ("?" in (one, two) or one == two):
        yield i + 1, j + 1, "x" if one == two == "?" else (two if one == "?" else one)


def placed(pattern: str, account: str) -> str:
    """Return the pattern of an ARN in one region of an account, where it leaves them open."""
    parts = pattern.split(":", 5)
    if len(parts) < 6:
        return pattern
    region = "x" if parts[3] == "*" else parts[3]
    return ":".join((*parts[:3], region, account if parts[4] == "*" else parts[4], parts[5]))


class Condition(msgspec.Struct, frozen=True):
    """One operator on one key: `operator` in lower case without prefix and suffix, `key` in lower case."""

    operator: str
    key: str
    values: tuple[str, ...]
    every: bool | None = None
    """`ForAllValues` is True, `ForAnyValue` is False."""
    if_exists: bool = False


class AwsStatement(msgspec.Struct, frozen=True):
    """One statement. `sid` is its id, or its number in words; actions are in lower case.

    `principals` is None in an identity policy; otherwise pairs of a kind (`AWS`, `Service`, `Federated`,
    `CanonicalUser`, `*`) and a name.
    """

    sid: str
    denies: bool
    actions: tuple[str, ...]
    not_actions: tuple[str, ...]
    resources: tuple[str, ...]
    not_resources: tuple[str, ...]
    principals: tuple[tuple[str, str], ...] | None
    not_principals: tuple[tuple[str, str], ...] | None
    conditions: tuple[Condition, ...]
    variables: bool

    def services(self) -> set[str]:
        """Return the services that its actions name; an empty text stands for any."""
        if self.not_actions:
            return {""}
        named = {each.partition(":")[0] for each in self.actions}
        return {""} if any("*" in each or "?" in each for each in named) else named

    def covers(self, action: str) -> bool:
        """Return whether an action, in lower case, is one of the statement's."""
        if self.not_actions:
            return not any(glob(each).matches(action) for each in self.not_actions)
        return any(glob(each).matches(action) for each in self.actions)


class PolicyDocument:
    """The statements of a policy, with an index by action."""

    __slots__ = ("_by_action", "_by_service", "_permits", "statements")

    def __init__(self, statements: tuple[AwsStatement, ...]) -> None:
        self.statements = statements
        self._by_action: dict[str, tuple[AwsStatement, ...]] = {}
        self._permits: dict[str, bool] = {}
        self._by_service: dict[str, list[AwsStatement]] = {}
        for each in statements:
            for service in each.services():
                self._by_service.setdefault(service, []).append(each)

    def permits(self, action: str) -> bool:
        """Return whether some statement permits an action, in lower case, on anything."""
        found = self._permits.get(action)
        if found is None:
            found = self._permits[action] = any(not each.denies for each in self.on(action))
        return found

    def on(self, action: str) -> tuple[AwsStatement, ...]:
        """Return the statements about an action, in lower case."""
        found = self._by_action.get(action)
        if found is None:
            among = (*self._by_service.get(action.partition(":")[0], ()), *self._by_service.get("", ()))
            found = tuple(each for each in among if each.covers(action))
            self._by_action[action] = found
        return found


NO_STATEMENTS: Final = PolicyDocument(())
#: What a principal has after it was given any right.
EVERYTHING: Final = PolicyDocument((AwsStatement("1", False, ("*",), (), ("*",), (), None, None, (), False),))


def texts(value: Json) -> tuple[str, ...]:
    """Return the texts of a value that is a text or a list of texts; numbers and booleans are worded."""
    members = value if isinstance(value, list) else [value]
    return tuple(text for each in members[:MOST_VALUES] if (text := _text(each)) is not None)


def _text(value: Json) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)[:MOST_CHARACTERS]
    return value if isinstance(value, str) and len(value) <= MOST_CHARACTERS else None


def loaded(value: Json) -> Json:
    """Return a document that may be a JSON text, percent-encoded as IAM's API returns it."""
    if not isinstance(value, str) or len(value) > MOST_DOCUMENT:
        return value
    text = value.strip()
    if text.startswith("%7B"):
        text = unquote(text)
    if not text.startswith(("{", "[")):
        return value
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def is_policy(value: Json) -> bool:
    """Return whether a value has the form of a policy document."""
    return isinstance(value, dict) and isinstance(value.get("Statement"), list | dict)


def policy_document(value: Json) -> PolicyDocument:
    """Read a policy document: an object, or its JSON text."""
    document = loaded(value)
    if not isinstance(document, dict):
        return NO_STATEMENTS
    members = document.get("Statement")
    members = members if isinstance(members, list) else [members]
    # Variables are texts in documents of the old version, the default of a document without one.
    variables = document.get("Version") == "2012-10-17"
    statements = (_statement(each, n, variables) for n, each in enumerate(members[:MOST_STATEMENTS], 1))
    return PolicyDocument(tuple(each for each in statements if each is not None))


def _statement(value: Json, number: int, variables: bool) -> AwsStatement | None:
    if not isinstance(value, dict) or value.get("Effect") not in ("Allow", "Deny"):
        return None
    conditions = _conditions(value.get("Condition", {}), variables)
    if conditions is None:
        return None
    sid = value.get("Sid")
    return AwsStatement(
        sid=f"`{sid[:128]}`" if isinstance(sid, str) and sid else str(number),
        denies=value["Effect"] == "Deny",
        actions=tuple(each.lower() for each in texts(value.get("Action"))),
        not_actions=tuple(each.lower() for each in texts(value.get("NotAction"))),
        resources=texts(value.get("Resource")),
        not_resources=texts(value.get("NotResource")),
        principals=_principals(value.get("Principal")),
        not_principals=_principals(value.get("NotPrincipal")),
        conditions=conditions,
        variables=variables,
    )


def _principals(value: Json) -> tuple[tuple[str, str], ...] | None:
    if value is None:
        return None
    if isinstance(value, str):
        return (("*", "*"),) if value == "*" else (("AWS", value),)
    if not isinstance(value, dict):
        return ()
    return tuple(
        ("*", "*") if (kind, name) == ("AWS", "*") else (kind, name)
        for kind in ("AWS", "Service", "Federated", "CanonicalUser")
        for name in texts(value.get(kind))
    )


def _conditions(value: Json, variables: bool) -> tuple[Condition, ...] | None:
    if not isinstance(value, dict):
        return None
    found = []
    for named, keys in list(value.items())[:MOST_VALUES]:
        if not isinstance(keys, dict):
            return None
        operator, every = named.lower(), None
        if operator.startswith("forallvalues:"):
            operator, every = operator.removeprefix("forallvalues:"), True
        elif operator.startswith("foranyvalue:"):
            operator, every = operator.removeprefix("foranyvalue:"), False
        if_exists = operator.endswith("ifexists")
        operator = operator.removesuffix("ifexists")
        found += [
            Condition(operator, key.lower(), _values(values, variables), every, if_exists)
            for key, values in list(keys.items())[:MOST_VALUES]
        ]
    return tuple(found)


def _values(value: Json, variables: bool) -> tuple[str, ...]:
    found = texts(value)
    return found if variables else tuple(each.replace("${", "${$}{") for each in found)


def variables_of(text: str) -> list[str]:
    """Return the policy variables in a text, in lower case, without their defaults."""
    return [each.partition(",")[0].strip().lower() for each in _VARIABLE.findall(text)]


def filled(text: str, values: dict[str, tuple[str, ...]]) -> str | None:
    """Replace the variables of a text; None where one of them has no value."""
    missing = False

    def value(found: re.Match[str]) -> str:
        nonlocal missing
        name, _, default = (part.strip() for part in found.group(1).partition(","))
        if name in ("*", "?", "$"):
            return name
        known = values.get(name.lower(), ())
        if len(known) == 1:
            return known[0]
        if default.startswith("'") and default.endswith("'") and len(default) > 1:
            return default[1:-1]
        missing = True
        return ""

    replaced = _VARIABLE.sub(value, text)
    return None if missing else replaced
