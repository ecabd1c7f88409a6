# SPDX-License-Identifier: Apache-2.0
"""An exception is written into one rule alone, and says exactly which calls it is about."""

from __future__ import annotations

import re
from typing import Any

import pytest

from remit.adapters.policy.cedar.policy_text import with_exception
from remit.adapters.policy.rego.exceptions import with_exception as with_rego_exception
from remit.core.errors import Malformed
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


REGO = """package remit

# Why people are asked.
forbid contains "ask" if {
\tinput.context.args.to != ""
}

forbid contains "ask" if {
\tdescribed

\tfar_reaching
}

other if true
"""


def test_each_body_of_a_rule_in_rego_gets_the_condition() -> None:
    """And one helper says which calls it is about."""
    (changed,) = with_rego_exception((PolicySource("a.rego", REGO),), "ask", an_exception("a@x.example"))
    name = re.search(r"not (excepted_ask_[0-9a-f]{8})\n", changed.text)
    assert name is not None
    assert changed.text.count(f"\tnot {name[1]}\n}}") == 2
    helper = (
        f"{name[1]} if {{\n"
        '\tinput.principal.id == "b\\"ot"\n'
        '\tinput.resource.id == "desk/mail"\n'
        "\tnot input.context.flow.tainted\n"
        "\tinput.context.label.class_level <= 1\n"
        '\t{name | some name in input.context.arg_names} == {"body", "to"}\n'
        '\tinput.context.args["to"] == "a@x.example"\n'
        "}"
    )
    assert changed.text.count(helper) == 1
    without = changed.text.replace(f"\n\n{helper}", "").replace(f"\tnot {name[1]}\n", "")
    assert without == REGO
    with pytest.raises(Malformed, match="already"):
        with_rego_exception((changed,), "ask", an_exception("a@x.example"))


@pytest.mark.parametrize(
    "text",
    [
        "package remit\n",
        'package remit\nforbid contains "ask" if unplanned\n',
        'package remit\nforbid contains "ask" if { true }\n',
        'package remit\nforbid contains id if {\n\tid := "ask"\n}\n',
        'package remit\nforbid contains "ask" if {\n\tx == `\n}\n`\n}\n',
        REGO + 'forbid contains "ask" if other\n',
        REGO + 'names := {"ask"}\n',
    ],
)
def test_a_rule_in_rego_of_another_form_is_left_alone(text: str) -> None:
    """It says what to do by hand."""
    with pytest.raises(Malformed) as refused:
        with_rego_exception((PolicySource("a.rego", text),), "ask", an_exception("a"))
    assert "by hand" in refused.value.remediation
