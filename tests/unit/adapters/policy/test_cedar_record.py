# SPDX-License-Identifier: Apache-2.0
"""Business rules over the record that a call selects: `context.record`."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from remit.adapters.policy.cedar import CedarPolicies
from remit.core.decisions.decision import Outcome, weigh
from remit.core.flow.facts import Flow
from remit.core.label import Label
from remit.core.tools.tool import FieldLabel, Tool
from tests.samples.policy_requests import CLERK, READ, SUMMARISE, request, source

TYPES = {"state": "string", "placed": "date", "total": "number", "items": "integer", "refundable": "boolean"}
FACTS = tuple(FieldLabel(f"orders[].{name}", Label(), fact=kind) for name, kind in TYPES.items())
TOOL = msgspec.structs.replace(READ, fields=FACTS)
RECORD = {
    "state": "open",
    "placed": datetime(2026, 8, 1, tzinfo=UTC),
    "total": 40.5,
    "items": 2,
    "refundable": True,
}
NEEDS = [
    'context.record has state && context.record.state == "open"',
    'context.record has placed && context.record.placed < datetime("2026-09-01")',
    'context.record has total && context.record.total.lessThan(decimal("50.0"))',
    "context.record has items && context.record.items <= 2",
    "context.record has refundable && context.record.refundable",
]


def rule(need: str) -> str:
    """Return a policy that permits only what has the needed fact."""
    everything = '@id("all") permit (principal, action, resource);'
    return f'{everything}\n@id("it") forbid (principal, action, resource) unless {{ {need} }};'


def outcome(need: str, record: dict[str, Any], *tools: Tool) -> Outcome:
    """Return how a call about a record is decided."""
    loaded = CedarPolicies().load(source(rule(need)), tools or (TOOL,), [SUMMARISE], [CLERK])
    return weigh(loaded.evaluate(request(TOOL, flow=Flow(record=record))), frozenset())[0]


@pytest.mark.parametrize("need", NEEDS)
def test_a_rule_reads_each_type_and_a_missing_fact_permits_nothing(need: str) -> None:
    """Text, date, number, whole number, boolean."""
    assert outcome(need, RECORD) is Outcome.PERMIT
    assert outcome(need, {}) is Outcome.DENY


@pytest.mark.parametrize(
    ("need", "said"),
    [
        ('context.record.state == "open"', "state"),
        ("context.record has statte", "statte"),
        ("context.record has items && context.record.items", "Bool"),
    ],
)
def test_the_check_knows_the_facts_and_their_types(need: str, said: str) -> None:
    """A fact without `has`, an unknown name, a wrong type."""
    problems = CedarPolicies().check(source(rule(need)), [TOOL], [SUMMARISE])
    assert any(one.severity == "error" and said in one.text for one in problems), problems


def test_the_schema_lists_the_facts_and_those_of_several_types() -> None:
    """A name with two types has none for policies."""
    other = msgspec.structs.replace(
        READ, name="other", fields=(FieldLabel("state", Label(), fact="integer"),)
    )
    schema = CedarPolicies().schema([TOOL, other], [SUMMARISE])
    assert '// not readable by policies: record."state", of several types' in schema
    assert "type Facts = { items?: Long, placed?: datetime, refundable?: Bool, total?: decimal };" in schema
