# SPDX-License-Identifier: Apache-2.0
"""An exception of a rule in Rego, as one more condition of each of its bodies.

A rule can have any form. The form that is changed here is the one of the rules that remit ships: each body is
`forbid contains "id" if {`, its conditions line by line, and `}` on a line. Each body gets
`not excepted_...`, and a helper says which calls that is. A helper that is undefined excepts nothing, so
whatever is not as expected is asked about as before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import msgspec

from remit.core.canonical import digest
from remit.core.errors import Malformed
from remit.core.json_value import Json
from remit.core.policy.bundle import PolicySource
from remit.core.policy.rule_exception import RuleException

_BY_HAND = "see in `remit approvals stats` which rules ask, and write the exception by hand"
#: Whole numbers that every reader of JSON takes for the same.
_WHOLE = range(-(2**53) + 1, 2**53)


def with_exception(
    sources: Sequence[PolicySource], rule_id: str, exception: RuleException
) -> tuple[PolicySource, ...]:
    """Return the sources with the exception in the rule of this id; raise `Malformed` for another form."""
    head = f"forbid contains {json.dumps(rule_id)} if"
    holding = [one for one in sources if re.search(rf"^\s*{re.escape(head)}", one.text, re.MULTILINE)]
    bodies = [
        one
        for source in holding
        for one in re.finditer(rf"^{re.escape(head)} \{{\n(?:\t[^\n]*\n|\n)+?\}}$", source.text, re.MULTILINE)
    ]
    mentions = sum(source.text.count(json.dumps(rule_id)) for source in sources)
    if len(holding) != 1 or not bodies or mentions != len(bodies) or any("`" in one[0] for one in bodies):
        raise Malformed("a rule in Rego can have any form, and this one is not simple", remediation=_BY_HAND)
    name = _name(rule_id, exception)
    text = holding[0].text
    if name in text:
        raise Malformed("the rule has this exception already", remediation=_BY_HAND)
    helper = f"\n\n{_helper(name, exception)}"
    for one in reversed(bodies):
        changed = f"{one[0].removesuffix('}')}\tnot {name}\n}}"
        text = f"{text[: one.start()]}{changed}{helper}{text[one.end() :]}"
        helper = ""
    written = msgspec.structs.replace(holding[0], text=text)
    return tuple(written if one is holding[0] else one for one in sources)


def _name(rule_id: str, exception: RuleException) -> str:
    short = digest({"rule": rule_id, "exception": msgspec.to_builtins(exception)})[7:15]
    return f"excepted_{re.sub(r'[^a-z0-9]+', '_', rule_id.lower())}_{short}"


def _helper(name: str, exception: RuleException) -> str:
    names = sorted((*exception.same, *exception.texts))
    tests = [
        f"input.principal.id == {_literal(exception.agent)}",
        f"input.resource.id == {_literal(exception.tool)}",
        "not input.context.flow.tainted",
        f"input.context.label.class_level <= {exception.class_level}",
        f"{{name | some name in input.context.arg_names}} == {{{', '.join(map(_literal, names))}}}",
        *(
            f"input.context.args[{_literal(one)}] == {_literal(value)}"
            for one, value in sorted(exception.same.items())
        ),
    ]
    return f"{name} if {{\n" + "".join(f"\t{one}\n" for one in tests) + "}"


def _literal(value: Json) -> str:
    """Return a value in Rego; raise `Malformed` for one that its input may not hold as it was sent."""
    # Of a text nothing is hidden from a reader of the diff: what is not ASCII is escaped.
    if isinstance(value, bool | str) or (isinstance(value, int) and value in _WHOLE):
        return json.dumps(value)
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        return json.dumps(value)
    raise Malformed("such a value is not compared", remediation=_BY_HAND)
