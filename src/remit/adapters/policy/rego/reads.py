# SPDX-License-Identifier: Apache-2.0
"""Finds rules that read what no call has, and arguments whose type differs from tool to tool."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from remit.adapters.policy.cedar.policy_text import nearest
from remit.adapters.policy.rego.input_schema import MIXED, joined
from remit.adapters.policy.rego.rules import RegoRule
from remit.adapters.policy.rego.syntax import Names
from remit.adapters.policy.types import Kind, Shape
from remit.ports.policy import Problem

ARGUMENTS: Names = ("context", "args")
#: Names below these differ from tool to tool.
_OWN = (ARGUMENTS, ("context", "provenance"))


def problems_of_reads(
    rules: Sequence[RegoRule], inputs: Mapping[str, Shape], everywhere: Shape
) -> Iterator[Problem]:
    """Yield the problems; `inputs` are the types of `input` by tool, `everywhere` that for any tool."""
    for rule in rules:
        for name in sorted((rule.tools or frozenset()) - inputs.keys()):
            yield rule.problem(f"tool `{name}` does not exist", remediation=nearest(name, inputs))
        met = [inputs[name] for name in sorted(rule.tools & inputs.keys())] if rule.tools is not None else []
        whole = joined(met) if met else everywhere
        for path, file, line in rule.reads:
            problem = _of_path(rule, path, whole)
            if problem is not None:
                text, remediation = problem
                yield rule.problem(text, file=file, line=line, remediation=remediation)


def _of_path(rule: RegoRule, path: Names, whole: Shape) -> tuple[str, str] | None:
    shape = whole
    for depth, name in enumerate(path):
        if shape.kind is not Kind.RECORD:
            return None  # an element of a list, or a method of a value: OPA checks the types
        below = shape.fields.get(name)
        if below is not None:
            shape = below
            continue
        place = ".".join(("input", *path[: depth + 1]))
        why = shape.hidden.get(name, "")
        if why == MIXED:
            return f"`{place}` has several types", "compare `input.action.id` with the tool first"
        if why:
            way = "use `input.context.arg_names` to check whether it is given"
            return f"policies cannot read `{place}`: it is {why}", way
        if path[:depth] in _OWN:
            return f"no tool in its scope has an argument `{name}`", nearest(
                name, {**shape.fields, **shape.hidden}
            )
        return f"`{place}` does not exist", nearest(name, shape.fields)
    return None
