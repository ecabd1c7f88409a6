# SPDX-License-Identifier: Apache-2.0
"""A tool's mapping gives the evaluations that its text says, or a mapping error; never another subject."""

import sys
from typing import Any

import pytest
from msgspec import UNSET

from remit.adapters.expressions.cel import CelExpressions
from remit.core.errors import Malformed
from remit.services.authzen.declared_mapping import (
    MAX_EVALUATIONS,
    MappedEvaluation,
    NoExpressions,
    mapped,
)

Json = Any
CEL = CelExpressions()
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
    (one,) = mapped(a_mapping(), params(case="case-1"), TOKEN, CEL)
    assert one == MappedEvaluation(upstream="customer", name="get_customer", arguments={"id": "cust-1"})


def test_several_evaluations_share_what_stands_above_them() -> None:
    """COAZ-MCP, the example of several: an entry replaces a default as a whole."""
    above = {"subject": SUBJECT, "resource": {"type": "object", "id": "$params.arguments.id"}}
    entries = [
        {"action": {"name": "read"}},
        {"action": {"name": "write"}, "resource": {"type": "object", "id": "$params.arguments.to"}},
    ]
    found = mapped({"evaluations": {**above, "evaluations": entries}}, params(to="b"), TOKEN, CEL)
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
    (one,) = mapped(a_mapping(resource=resource), params(amount=10001), TOKEN, CEL)
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
        mapped(mapping, params(list=[1, 2]), TOKEN, CEL)
    assert fault.value.code == "mapping"


def test_mapping_without_a_subject_has_the_token_s() -> None:
    """A mapping that names no subject is of the token's."""
    mapping = a_mapping()
    del mapping["evaluation"]["subject"]
    assert mapped(mapping, params(), TOKEN, CEL)
    with pytest.raises(Malformed):
        mapped(mapping, params(), {}, CEL)


def test_large_params_are_refused_before_any_expression() -> None:
    """Expressions read a bounded input: the macro here would scan it for every item."""
    with pytest.raises(Malformed, match="over 16384 bytes"):
        mapped(a_mapping(), params(list=list(range(5000))), TOKEN, CEL)


@pytest.mark.parametrize(
    "expression",
    [
        "params.l.exists(x, params.s.matches('(a{1,50}){1,20}b'))",
        "params.l.all(x, params.l + params.l != [])",
        "params.l.all(x, x in params.l)",
        "params.l.all(x, token.sub == x)",
        "params.l.all//\n(x, params.l.all//\n(y, x + y >= 0))",
        "params.l.all(x, x.matches('a'))",
        "params.l.map(x, x)",
        "params.l.filter(x, true)",
        "params.?s.optMap(y, y)",
        "params.s.matches('(a{1,50}){1,20}b')",
        "params.s.matches(params.s)",
        r"params.s.matches('\\pL')",
        "params.s.matches('" + "a" * 65 + "')",
        "google.protobuf.Struct{}",
        "params.l.all(x," * 30 + "true" + ")" * 30,
        "params.s.\ud800",
        "type(1)",
        "int",
        "{'a': params.?s}",
        "[params.?s.orValue(null)]",
        "-" * 400 + "params.n",
    ],
)
def test_expression_whose_work_has_no_small_bound_is_refused_whatever_the_call(expression: str) -> None:
    """Its work grows faster than the input, so it is refused before it runs, also over nothing."""
    with pytest.raises(Malformed) as fault:
        mapped(a_mapping(context={"x": f"${expression}"}), params(), TOKEN, CEL)
    assert fault.value.code == "mapping"
    assert "expression" in str(fault.value)


def test_many_expressions_share_one_bound_on_their_work() -> None:
    """What a short input is not too much for can be too much for a long one, and for none."""
    mapping = a_mapping(context={str(n): "$params.arguments.id" for n in range(30)})
    assert mapped(mapping, params(), TOKEN, CEL)
    with pytest.raises(Malformed, match="too much work over these params"):
        mapped(mapping, params(long="x" * 16_000), TOKEN, CEL)
    mapping = a_mapping(context={str(n): f"$[{'params,' * 50}params]" for n in range(10)})
    with pytest.raises(Malformed, match="too much work"):
        mapped(mapping, params(), TOKEN, CEL)
    mapping = a_mapping(context={str(n): f"${n} + {'1+' * 200}1" for n in range(11)})
    with pytest.raises(Malformed, match="longer than 4096"):
        mapped(mapping, params(), TOKEN, CEL)


def test_nulls_of_a_call_are_counted_right() -> None:
    """The evaluator releases a null in a list once too often: a few calls of many nulls ended the process."""
    before = sys.getrefcount(None)
    for _ in range(50):
        evaluate = CEL.over({"params": {"l": [None] * 100, "n": None}, "token": {}})
        assert evaluate("params.n") is evaluate("params.?n") is None
        assert evaluate("params.?absent") is UNSET
        assert evaluate("params.l[0] == null") is True
        for expression in ("params.l", "params", "[params.n]", "params.?l"):
            with pytest.raises(Malformed, match="may hold a null"):
                evaluate(expression)
    assert sys.getrefcount(None) > before - 1000


def test_lists_that_expressions_give_are_bounded_together() -> None:
    """Each item becomes a value here, which takes longer than all that an expression does."""
    evaluate = CEL.over({"params": {"l": list(range(4000))}, "token": {}})
    assert evaluate("params.l") == evaluate("params.l")
    with pytest.raises(Malformed, match="too large"):
        evaluate("params.l")


def test_evaluations_are_bounded_in_size() -> None:
    """A mapping does not make large calls of small ones."""
    copies = {str(n): "$params" for n in range(12)}
    mapping = a_mapping(resource={"type": "customer", "id": "c", "properties": copies})
    assert mapped(mapping, params(), TOKEN, CEL)
    with pytest.raises(Malformed, match="are over 65536 bytes"):
        mapped(mapping, params(long="x" * 10_000), TOKEN, CEL)


def test_without_an_evaluator_each_mapping_with_an_expression_is_an_error() -> None:
    """Where the library is not installed, nothing is guessed."""
    with pytest.raises(Malformed) as fault:
        mapped(a_mapping(), params(), TOKEN, NoExpressions())
    assert "remit[coaz]" in fault.value.remediation
