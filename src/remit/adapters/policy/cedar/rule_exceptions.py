# SPDX-License-Identifier: Apache-2.0
"""An exception of a rule, written into the rule's own text as a further `unless`."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from remit.adapters.policy.cedar.policy_text import quoted
from remit.core.errors import Malformed
from remit.core.json_value import Json
from remit.core.policy.bundle import PolicySource
from remit.core.policy.rule_exception import RuleException

#: Whole numbers of Cedar.
_WHOLE = range(-(2**63), 2**63)


def with_exception(
    sources: Sequence[PolicySource], rule_text: str, exception: RuleException
) -> tuple[PolicySource, ...]:
    """Return the sources with the exception in the one rule that has this text; raise `Malformed`."""
    holding = [one for one in sources for _ in range(one.text.count(rule_text))]
    if len(holding) != 1:
        raise Malformed("the text of this rule is not unique", remediation="write the exception by hand")
    written = f"{rule_text.removesuffix(';')}\n{_clause(exception)};"
    changed = msgspec.structs.replace(holding[0], text=holding[0].text.replace(rule_text, written))
    return tuple(changed if one is holding[0] else one for one in sources)


def _clause(exception: RuleException) -> str:
    names = sorted((*exception.same, *exception.texts))
    tests = [
        f"principal == Agent::{quoted(exception.agent)} && resource == Tool::{quoted(exception.tool)}",
        f"!context.flow.tainted && context.label.class_level <= {exception.class_level}",
        f"context.arg_names == {_literal(names)}",
        *(_equal(name, value) for name, value in sorted(exception.same.items())),
    ]
    lines = " &&\n  ".join(tests)
    return f"unless {{\n  {lines}\n}}"


def _equal(name: str, value: Json) -> str:
    key = quoted(name)
    return f"context.args has {key} && context.args[{key}] == {_literal(value)}"


def _literal(value: Json) -> str:
    """Return a value in Cedar; raise `Malformed` for one that Cedar compares in another way."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value in _WHOLE:
        return str(value)
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        return f"[{', '.join(map(quoted, value))}]"
    raise Malformed("Cedar cannot compare such a value", remediation="write the exception by hand")
