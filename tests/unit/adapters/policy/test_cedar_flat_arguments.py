# SPDX-License-Identifier: Apache-2.0
"""Rules that read single arguments are given them one by one, and mean the same."""

from __future__ import annotations

import json
from typing import Any

import cedarpy
import pytest

from remit.adapters.policy.cedar.flat_arguments import can_be_flat, flat_shape, flattened
from remit.adapters.policy.cedar.type_text import cedar_type
from remit.adapters.policy.types import STRING, Kind, Shape, record


def policy(condition: str) -> Any:
    """One policy in Cedar's JSON form."""
    text = f"permit (principal, action, resource) when {{ {condition} }};"
    (parsed,) = json.loads(cedarpy.policies_to_json_str(text))["staticPolicies"].values()
    return parsed


@pytest.mark.parametrize(
    ("condition", "same"),
    [
        ("context.args.to == context.tier", 'context["args.to"] == context.tier'),
        (
            'context.args has to && !(context.args.to like "a*")',
            'context has "args.to" && !(context["args.to"] like "a*")',
        ),
        (
            'context has args && context.args.place.city == "x"',
            'true && context["args.place"].city == "x"',
        ),
        ("context.args has place.city", 'context has "args.place" && context["args.place"] has city'),
        (
            "[context.args.to].contains({Value: context.args.to}.Value)",
            '[context["args.to"]].contains({Value: context["args.to"]}.Value)',
        ),
        ("context.label.untrusted", "context.label.untrusted"),
    ],
)
def test_each_argument_is_read_by_its_flat_name(condition: str, same: str) -> None:
    """A rewritten rule is the rule that one would have written for the flat context."""
    assert flattened(policy(condition)) == policy(same)


@pytest.mark.parametrize(
    "condition",
    [
        "context.args == context.args",
        "(if context.cleared then context else context).args.to == context.tier",
        "[context.args].contains(context.args)",
        "{it: context.args}.it has to",
    ],
)
def test_what_reads_all_arguments_at_once_is_left_as_it_is(condition: str) -> None:
    """Of such a rule nothing is rewritten."""
    assert flattened(policy(condition)) is None


def test_the_flat_type_has_each_argument_as_it_was() -> None:
    """What must be there must be there, what may be absent may be absent."""
    args = Shape(Kind.RECORD, fields={"to": STRING, "why": STRING}, required=frozenset({"to"}))
    whole = record(tier=STRING, args=args)
    assert can_be_flat(whole)
    assert not can_be_flat(record(tier=STRING))
    assert cedar_type(flat_shape(whole)) == '{ "args.to": String, "args.why"?: String, tier: String }'
