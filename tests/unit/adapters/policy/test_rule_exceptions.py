# SPDX-License-Identifier: Apache-2.0
"""An exception is written into one rule alone, and says exactly which calls it is about."""

from __future__ import annotations

from typing import Any

import pytest

from remit.adapters.policy.cedar.policy_text import with_exception
from remit.adapters.policy.rego.engine import RegoPolicies
from remit.core.errors import Malformed, NotFound
from remit.core.policy.bundle import PolicySource
from remit.core.policy.rule_exception import RuleException

Json = Any
RULE = '@id("ask")\n@otherwise("approval")\nforbid (principal, action, resource)\nwhen { true }; // why;'
ASK = RULE.partition(" // ")[0]
OTHER = PolicySource("policies/00.cedar", "permit (principal, action, resource);")


def an_exception(value: Json) -> RuleException:
    """Return one for these arguments."""
    return RuleException(agent='b"ot', tool="desk/mail", same={"to": value}, texts=("body",), class_level=1)


def test_only_the_rule_changes() -> None:
    """By one `unless` at its end."""
    one = PolicySource("policies/10.cedar", f"// before\n{RULE}\n")
    kept, changed = with_exception((OTHER, one), ASK, an_exception("a@x.example"))
    assert kept is OTHER
    assert changed.text == (
        f"// before\n{ASK[:-1]}\n"
        "unless {\n"
        '  principal == Agent::"b\\"ot" && resource == Tool::"desk/mail" &&\n'
        "  !context.flow.tainted && context.label.class_level <= 1 &&\n"
        '  context.arg_names == ["body", "to"] &&\n'
        '  context.args has "to" && context.args["to"] == "a@x.example"\n'
        "}; // why;\n"
    )


@pytest.mark.parametrize(
    ("value", "written"),
    [(True, "true"), (7, "7"), (["b", "a"], '["b", "a"]'), ("\u202e\n", '"\\u{202e}\\n"')],
)
def test_values_are_literals(value: Json, written: str) -> None:
    """Nothing in them is read as policy, and nothing is hidden from a reader of the diff."""
    one = PolicySource("policies/10.cedar", RULE)
    (changed,) = with_exception((one,), ASK, an_exception(value))
    assert f'context.args["to"] == {written}\n' in changed.text


@pytest.mark.parametrize("value", [None, 1.5, 2**63, [], [1], {"a": 1}, [["a"]]])
def test_what_cedar_compares_otherwise_is_refused(value: Json) -> None:
    """A set of lists, a decimal, a record."""
    with pytest.raises(Malformed):
        with_exception((PolicySource("policies/10.cedar", RULE),), ASK, an_exception(value))


def test_a_rule_that_is_written_twice_is_refused() -> None:
    """It is not clear which one is meant."""
    for sources in (
        (PolicySource("a", RULE * 2),),
        (PolicySource("a", RULE), PolicySource("b", RULE)),
        (OTHER,),
    ):
        with pytest.raises(Malformed):
            with_exception(sources, ASK, an_exception("a"))


def test_policies_in_rego_get_no_suggestion() -> None:
    """It says what to do by hand."""
    with pytest.raises(NotFound) as refused:
        RegoPolicies().excepted((), "", an_exception("a"))
    assert refused.value.remediation
