# SPDX-License-Identifier: Apache-2.0
"""A tool's own mapping to AuthZEN's resources (COAZ framework and COAZ-MCP, drafts of February 2026).

The mapping stands in the tool's input schema as the upstream wrote it and a person reviewed it. It says which
actions on which resources a call stands for. In COAZ it replaces the default mapping; here the call itself is
decided in any case and the mapping adds decisions, so that an upstream cannot make a call easier.

INVARIANT: the mapping never says who asks. A subject other than the token's is a mapping error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, Protocol

import msgspec
from msgspec import UNSET, UnsetType

from remit.core.canonical import encode
from remit.core.errors import Malformed
from remit.core.json_value import Json
from remit.core.tools.tool import RESERVED_OPERATIONS

MEMBER: Final = "x-authzen-mapping"
MAX_EVALUATIONS: Final = 8
MAX_VALUES: Final = 100
MAX_DEPTH: Final = 6
#: Size of the params over which expressions are evaluated, as JSON.
MAX_PARAMS_BYTES: Final = 16 * 1024
#: What all expressions of a mapping may read, in bytes: their work times the size of the input.
MAX_WORK: Final = 64 * MAX_PARAMS_BYTES
#: Characters of all expressions of a mapping, which take time to read.
MAX_EXPRESSIONS_CHARACTERS: Final = 4096
#: Size of all arguments of the evaluations, as JSON.
MAX_MAPPED_BYTES: Final = 4 * MAX_PARAMS_BYTES
#: A smaller input counts as this size.
_LEAST_BYTES: Final = 1024
_FIELDS: Final = frozenset(("subject", "action", "resource", "context"))


class Expressions(Protocol):
    """The language of expressions. Pure; both methods raise `Malformed` (`mapping`)."""

    def work(self, expression: str) -> int:
        """Return how often an expression can pass over its input; raises for one that cannot be bounded."""
        ...

    def over(self, variables: Mapping[str, Json]) -> Callable[[str], Json | UnsetType]:
        """Return what gives the value of an expression over variables; `UNSET` for an absent optional one."""
        ...


class MappedEvaluation(msgspec.Struct, frozen=True, kw_only=True):
    """One action on one resource: the type of the resource is the upstream, the action the tool."""

    upstream: str
    name: str
    arguments: dict[str, Json]


class NoExpressions:
    """Nothing here evaluates expressions."""

    def work(self, expression: str) -> int:
        """Raise `Malformed`, which names what to install."""
        raise Malformed(
            "remit cannot evaluate the tool's mapping", code="mapping", remediation="install `remit[coaz]`"
        )

    def over(self, variables: Mapping[str, Json]) -> Callable[[str], Json | UnsetType]:
        """Return what raises `Malformed` for each expression."""
        return self.work


def mapped(
    mapping: Json, params: dict[str, Json], token: dict[str, Json], expressions: Expressions
) -> tuple[MappedEvaluation, ...]:
    """Return the evaluations that a call stands for; raises `Malformed` (`mapping`) for a mapping error.

    `token` are the claims of the validated token. Source: COAZ-MCP, "PEP Behavior", steps 2 to 6.
    """
    size = len(encode(params))
    if size > MAX_PARAMS_BYTES:
        raise _fault(f"the params are over {MAX_PARAMS_BYTES} bytes")
    if not isinstance(mapping, dict) or len(mapping) != 1:
        raise _fault("a mapping has exactly one envelope")
    ((envelope, template),) = mapping.items()
    if envelope not in ("evaluation", "evaluations") or not isinstance(template, dict):
        raise _fault(f"`{envelope[:40]}` is no envelope")
    entries = template.get("evaluations", [{}]) if envelope == "evaluations" else [{}]
    shared = {name: value for name, value in template.items() if name != "evaluations"}
    if envelope == "evaluation" and "evaluations" in template:
        raise _fault("an `evaluation` is one")
    if not isinstance(entries, list) or not 1 <= len(entries) <= MAX_EVALUATIONS:
        raise _fault(f"there are 1 to {MAX_EVALUATIONS} evaluations")
    # Before anything is evaluated: a mapping that is never within its bound is refused for each call.
    written = list(_expressions_in(template))
    if sum(map(len, written)) > MAX_EXPRESSIONS_CHARACTERS:
        raise _fault(f"its expressions are longer than {MAX_EXPRESSIONS_CHARACTERS} characters")
    work = sum(map(expressions.work, written))
    if work * max(size + len(encode(token)), _LEAST_BYTES) > MAX_WORK:
        raise _fault("its expressions are too much work over these params")
    evaluate = expressions.over({"params": params, "token": token})
    found = tuple(_evaluations(entries, shared, _Resolved(evaluate), token.get("sub")))
    if len(encode([one.arguments for one in found])) > MAX_MAPPED_BYTES:
        raise _fault(f"its evaluations are over {MAX_MAPPED_BYTES} bytes")
    return found


def _expressions_in(template: Json, depth: int = 0) -> Iterator[str]:
    """Yield the expressions of a template, as far as they can be evaluated."""
    if depth > MAX_DEPTH + 2:
        raise _fault("it is too large")
    if isinstance(template, str) and template.startswith("$") and template[1:2] != "$":
        yield template[1:]
    elif isinstance(template, dict | list):
        for below in template.values() if isinstance(template, dict) else template:
            yield from _expressions_in(below, depth + 1)


def _evaluations(
    entries: list[Json], shared: dict[str, Json], resolved: _Resolved, subject: Json
) -> Iterator[MappedEvaluation]:
    # An empty subject means the token's: COAZ-MCP, "Declared Mappings".
    said = resolved.of(shared.get("subject", {}))
    if not isinstance(said, dict) or said.get("id", subject) != subject or not subject:
        raise _fault("the subject is not the token's")
    for entry in entries:
        if not isinstance(entry, dict) or "subject" in entry or (shared.keys() | entry.keys()) - _FIELDS:
            raise _fault("an evaluation has `action`, `resource` and `context`")
        joined = {**shared, **entry}
        action, resource = (resolved.of(joined.get(name)) for name in ("action", "resource"))
        # Facts of context are the mapping's word; what remit decides by, it knows itself.
        resolved.of(joined.get("context", {}))
        yield _call(action, resource)


def _call(action: Json, resource: Json) -> MappedEvaluation:
    if not isinstance(action, dict) or not isinstance(resource, dict):
        raise _fault("`action` and `resource` are objects")
    upstream, name, key = resource.get("type"), action.get("name"), resource.get("id")
    if not all(isinstance(one, str) and one for one in (upstream, name, key)) or name in RESERVED_OPERATIONS:
        raise _fault("`action.name`, `resource.type` and `resource.id` are texts")
    arguments: dict[str, Json] = {"id": key}
    for part in (resource, action):
        more = part.get("properties", {})
        if not isinstance(more, dict) or more.keys() & arguments.keys():
            raise _fault("`properties` is an object, and repeats no name")
        arguments |= more
    return MappedEvaluation(upstream=str(upstream), name=str(name), arguments=arguments)


class _Resolved:
    """Resolves literals and expressions of one mapping, within bounds."""

    def __init__(self, evaluate: Callable[[str], Json | UnsetType]) -> None:
        self._evaluate = evaluate
        self._left = MAX_VALUES

    def of(self, template: Json, depth: int = 0) -> Json | UnsetType:
        """Return the value of a template; `UNSET` for an expression whose optional value is absent."""
        self._left -= 1
        if self._left < 0 or depth > MAX_DEPTH:
            raise _fault("it is too large")
        if isinstance(template, str) and template.startswith("$"):
            # `$$` begins a literal that begins with `$`.
            return template[1:] if template[1:2] == "$" else self._evaluate(template[1:])
        if isinstance(template, dict):
            found = {key: self.of(one, depth + 1) for key, one in template.items()}
            return {key: one for key, one in found.items() if one is not UNSET}
        if isinstance(template, list):
            return [one for each in template if (one := self.of(each, depth + 1)) is not UNSET]
        return template


def _fault(why: str) -> Malformed:
    return Malformed(
        f"the tool's mapping: {why}",
        code="mapping",
        remediation=f"have the tool's `{MEMBER}` corrected, then review the tool",
    )
