# SPDX-License-Identifier: Apache-2.0
"""The built-in functions of Rego that a rule may call in process.

Compiled to Wasm, a built-in function that fails is undefined, and a forbid that is undefined does not refuse.
So in process only functions are available that cannot fail on operands of their types, or not with the
literals that they are given. A policy server reports such failures, so there every function is available.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import re2

from remit.adapters.policy.rego.rules import calls_of
from remit.adapters.policy.rego.syntax import Definition, FunctionCall
from remit.core.json_value import Json
from remit.ports.policy import Problem

#: Functions that are defined for all operands of their types.
TOTAL = frozenset(
    [
        "abs",
        "and",
        "array.concat",
        "array.flatten",
        "array.reverse",
        "array.slice",
        "assign",
        "base64.encode",
        "base64.is_valid",
        "base64url.encode",
        "ceil",
        "concat",
        "contains",
        "count",
        "endswith",
        "eq",
        "equal",
        "floor",
        "graph.reachable",
        "gt",
        "gte",
        "internal.member_2",
        "internal.member_3",
        "internal.print",
        "internal.template_string",
        "intersection",
        "is_array",
        "is_boolean",
        "is_null",
        "is_number",
        "is_object",
        "is_set",
        "is_string",
        "json.is_valid",
        "json.marshal",
        "lower",
        "lt",
        "lte",
        "max",
        "min",
        "minus",
        "mul",
        "neq",
        "object.filter",
        "object.get",
        "object.keys",
        "object.remove",
        "object.union",
        "object.union_n",
        "or",
        "plus",
        "print",
        "product",
        "regex.is_valid",
        "rego.metadata.chain",
        "rego.metadata.rule",
        "replace",
        "round",
        "sort",
        "split",
        "startswith",
        "strings.replace_n",
        "strings.reverse",
        "sum",
        "trim",
        "trim_left",
        "trim_prefix",
        "trim_right",
        "trim_space",
        "trim_suffix",
        "type_name",
        "union",
        "upper",
    ]
)
#: Functions that Wasm has and that can fail whatever literals they are given.
FALLIBLE = frozenset(
    [
        "base64.decode",
        "base64url.decode",
        "bits.and",
        "bits.lsh",
        "bits.negate",
        "bits.or",
        "bits.rsh",
        "bits.xor",
        "format_int",
        "glob.match",
        "json.filter",
        "json.remove",
        "json.unmarshal",
        "net.cidr_contains",
        "net.cidr_intersects",
        "numbers.range",
        "regex.find_all_string_submatch_n",
        "rem",
        "to_number",
        "walk",
    ]
)
_ELSEWHERE = "write it otherwise, or have a policy server decide (`policy.kind: opa`)"


def _literal(operand: Json, kind: str) -> Json | None:
    return operand["value"] if operand.get("type") == kind else None


def _divides(call: FunctionCall) -> bool:
    return bool(_literal(call.operands[1], "number"))


def _matches(call: FunctionCall) -> bool:
    pattern = _literal(call.operands[0], "string")
    if pattern is None:
        return False
    try:
        re2.compile(pattern)
    except re2.error:
        return False
    return True


def _begins(call: FunctionCall) -> bool:
    offset = _literal(call.operands[1], "number")
    return offset is not None and offset >= 0


def _finds(call: FunctionCall) -> bool:
    return bool(_literal(call.operands[1], "string"))


#: Functions that cannot fail with certain literals: what they need, and the test of a call.
WITH_LITERALS: dict[str, tuple[str, Callable[[FunctionCall], bool]]] = {
    "div": ("divide by a literal other than 0", _divides),
    "regex.match": ("write a valid pattern as a literal", _matches),
    "substring": ("write the offset as a literal that is not negative", _begins),
    "indexof": ("write the text to search for as a literal that is not empty", _finds),
}


def problems_of_calls(known: Iterable[Definition]) -> Iterator[Problem]:
    """Yield a problem for each call of a built-in function that is not available in process."""
    known = list(known)
    functions = {one.name for one in known}
    for one, call in calls_of(known):
        # A function of the policies themselves, by its name or by its package's.
        if call.name in TOTAL or call.name.rpartition(".")[2] in functions:
            continue
        if call.name in WITH_LITERALS:
            need, holds = WITH_LITERALS[call.name]
            if not holds(call):
                text = f"`{call.name}` can fail here, and a rule that fails would not refuse"
                yield Problem("error", text, one.file, call.line, one.name, need)
        elif call.name in FALLIBLE:
            text = f"`{call.name}` can fail, and a rule that fails would not refuse"
            yield Problem("error", text, one.file, call.line, one.name, _ELSEWHERE)
        else:
            text = f"`{call.name}` is not available in process"
            yield Problem("error", text, one.file, call.line, one.name, _ELSEWHERE)
