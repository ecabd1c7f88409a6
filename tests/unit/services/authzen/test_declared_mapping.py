# SPDX-License-Identifier: Apache-2.0
"""A tool's mapping gives the evaluations that its text says, or a mapping error; never another subject."""

from typing import Any

import pytest

from remit.adapters.expressions.cel import value_of
from remit.core.errors import Malformed
from remit.services.authzen.declared_mapping import (
    MAX_EVALUATIONS,
    MappedEvaluation,
    mapped,
    no_expressions,
)

Json = Any
TOKEN: Json = {"sub": "alice@example.com", "client_id": "agent", "roles": ["treasury"]}
SUBJECT: Json = {"type": "identity", "id": "$token.sub"}


def a_mapping(**changes: Json) -> Json:
    """Return a mapping of one evaluation."""
    template = {
        "subject": SUBJECT,
        "action": {"name": "get_customer"},
        "resource": {"type": "customer", "id": "$params.arguments.id"},
        "context": {"agent": "$token.?client_id", "case": "$params.arguments.?case"},
    }
    return {"evaluation": template | changes}


def params(**arguments: Json) -> Json:
    """Return the params of a call."""
    return {"name": "get_customer", "arguments": {"id": "cust-1", **arguments}}


def test_one_evaluation_is_made_of_literals_and_expressions() -> None:
    """COAZ-MCP, the example of one evaluation."""
    (one,) = mapped(a_mapping(), params(case="case-1"), TOKEN, value_of)
    assert one == MappedEvaluation(upstream="customer", name="get_customer", arguments={"id": "cust-1"})


def test_several_evaluations_share_what_stands_above_them() -> None:
    """COAZ-MCP, the example of several: an entry replaces a default as a whole."""
    above = {"subject": SUBJECT, "resource": {"type": "object", "id": "$params.arguments.id"}}
    entries = [
        {"action": {"name": "read"}},
        {"action": {"name": "write"}, "resource": {"type": "object", "id": "$params.arguments.to"}},
    ]
    found = mapped({"evaluations": {**above, "evaluations": entries}}, params(to="b"), TOKEN, value_of)
    assert [(one.name, one.arguments["id"]) for one in found] == [("read", "cust-1"), ("write", "b")]


def test_conditions_literals_and_escapes_are_told_apart() -> None:
    """`$` begins an expression, `$$` a literal that begins with `$`; everything else is itself."""
    resource = {
        "type": "account",
        "id": "$params.arguments.id",
        "properties": {
            "kind": "$params.arguments.amount > 10000 ? 'high' : 'standard'",
            "literal": "$$50",
            "number": 10,
            "absent": "$params.arguments.?nothing",
            "treasury": "$token.roles.exists(r, r == 'treasury')",
            "or": "$params.arguments.?nothing.orValue('else')",
        },
    }
    (one,) = mapped(a_mapping(resource=resource), params(amount=10001), TOKEN, value_of)
    assert one.arguments == {
        "id": "cust-1", "kind": "high", "literal": "$50", "number": 10, "treasury": True, "or": "else",
    }  # fmt: skip


@pytest.mark.parametrize(
    "mapping",
    [
        {}, [], "$params", None,
        {"evaluation": {}, "evaluations": {}},
        {"search": a_mapping()["evaluation"]},
        {"evaluation": a_mapping()["evaluation"] | {"evaluations": []}},
        {"evaluations": {"evaluations": []}},
        {"evaluations": {**a_mapping()["evaluation"], "evaluations": [{}] * (MAX_EVALUATIONS + 1)}},
        {"evaluations": {**a_mapping()["evaluation"], "evaluations": [{"subject": SUBJECT}]}},
        {"evaluations": {**a_mapping()["evaluation"], "evaluations": ["$params"]}},
        a_mapping(options={"evaluations_semantic": "permit_on_first_permit"}),
        a_mapping(subject={"type": "identity", "id": "bob@example.com"}),
        a_mapping(subject={"type": "identity", "id": "$params.arguments.id"}),
        a_mapping(subject="$token.sub"),
        a_mapping(action={"name": "$params.arguments.?nothing"}),
        a_mapping(action={"name": ""}),
        a_mapping(action={"name": "resources:read"}),
        a_mapping(resource={"type": "customer", "id": "$params.arguments.nothing"}),
        a_mapping(resource={"type": "customer", "id": "$params.arguments"}),
        a_mapping(resource={"type": "customer", "id": "c", "properties": {"id": "d"}}),
        a_mapping(resource="$params.arguments"),
        a_mapping(context={"x": "$other.x"}),
        a_mapping(context={"x": "$params."}),
        a_mapping(context={"x": "$" + "1+" * 400 + "1"}),
        a_mapping(context={"x": "$params.arguments.list.map(x, params.arguments.list)"}),
        a_mapping(context={"x": "$[1].all(x, [1].all(y, true))"}),
        a_mapping(context={"x": "$timestamp('2026-01-01T00:00:00Z')"}),
        a_mapping(context={"x": "$b'bytes'"}),
        a_mapping(context={"x": "$" + "(" * 100 + "1" + ")" * 100}),
        a_mapping(context={str(n): n for n in range(200)}),
        a_mapping(context={"a": {"a": {"a": {"a": {"a": {"a": {"a": 1}}}}}}}),
    ],
)  # fmt: skip
def test_everything_else_is_a_mapping_error(mapping: Json) -> None:
    """No envelope, two, another subject, unknown members, expressions without a value or beyond a bound."""
    with pytest.raises(Malformed) as fault:
        mapped(mapping, params(list=[1, 2]), TOKEN, value_of)
    assert fault.value.code == "mapping"


def test_mapping_without_a_subject_has_the_token_s() -> None:
    """A mapping that names no subject is of the token's."""
    mapping = a_mapping()
    del mapping["evaluation"]["subject"]
    assert mapped(mapping, params(), TOKEN, value_of)
    with pytest.raises(Malformed):
        mapped(mapping, params(), {}, value_of)


def test_large_params_are_refused_before_any_expression() -> None:
    """Expressions read a bounded input: the macro here would scan it for every item."""
    with pytest.raises(Malformed, match="over 16384 bytes"):
        mapped(a_mapping(), params(list=list(range(5000))), TOKEN, value_of)


def test_costliest_expression_ends_within_its_budget() -> None:
    """One macro over the largest list with a costly body: a pattern takes linear time, so it ends."""
    items = {"l": ["a"] * 2000, "s": "b" * 8000}
    expression = "params.l.all(x, params.s.matches('(b|bb)*c') || true)"
    assert value_of(expression, {"params": items, "token": {}}) is True


def test_without_an_evaluator_each_mapping_with_an_expression_is_an_error() -> None:
    """Where the library is not installed, nothing is guessed."""
    with pytest.raises(Malformed) as fault:
        mapped(a_mapping(), params(), TOKEN, no_expressions)
    assert "remit[coaz]" in fault.value.remediation
