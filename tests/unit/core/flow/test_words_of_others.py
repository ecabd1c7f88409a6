# SPDX-License-Identifier: Apache-2.0
"""Words and bounds around the flow: names that others chose, plans that say too much, evidence made up."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from remit.cli.evidence.chain import chain_in
from remit.core.errors import Malformed, NotFound
from remit.core.evidence.chain import traced
from remit.core.flow.facts import Flow, FlowFacts, chains
from remit.core.flow.justification import MAX_NAMED, Encounter, Justification, Provenance, bare
from remit.core.label import Trust
from remit.core.tasks.grant import Grant
from remit.core.tasks.plan import MAX_PLAN, PlanEntry, read_plan, within

Json = Any


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("messages[].body", "messages[].body"),
        ("für_alle", "für_alle"),
        ("body`, trusted; `x", "body?, trusted; ?x"),
        ("a\n\x1b[31mb\u202ec\u2028", "a??[31mb?c?"),
        ("x" * 500, "x" * (MAX_NAMED - 1) + "…"),
    ],
)
def test_a_refusal_holds_the_names_of_others_within_its_quotes(name: str, shown: str) -> None:
    """A key of a result, or an argument that an agent made up, ends no sentence and begins none."""
    assert bare(name) == shown
    met = Encounter(3, "dec_x", "mail/read", name, Trust.UNTRUSTED)
    assert str(met) == f"the result of call 3, `mail/read`, field `{shown}`, untrusted"
    one = Justification(Provenance.UNTRUSTED, origins=(met,))
    ((_, said),) = chains(Flow(FlowFacts(), {name: one}))
    assert said == f"`{shown}` first appeared in {met}"


def test_two_long_plans_of_one_tool_are_not_held_against_each_other() -> None:
    """An agent would block all other work; plans without arguments can always be compared."""

    def long(start: int) -> tuple[Grant, ...]:
        names = (f"a{number}@example.com" for number in range(start, start + MAX_PLAN))
        return read_plan([PlanEntry("mail/send", {"to": {"exact": name}}) for name in names], ["mail/send"])

    bound, plan = long(0), long(MAX_PLAN)
    begun = time.process_time()
    with pytest.raises(Malformed):
        within(plan, bound)
    assert time.process_time() - begun < 1
    assert len(within(read_plan(["mail/send"], ["mail/send"]), bound)) == MAX_PLAN


def test_evidence_in_which_a_task_is_its_own_parent_is_traced_to_an_end() -> None:
    """A forged file does not block a person who traces it."""
    origin = [1, "dec_gone", "mail/read", "body", "untrusted"]
    events: Sequence[Mapping[str, Json]] = (
        {"kind": "task.opened", "task": "tsk_a", "facts": {"parent": "tsk_a"}, "index": 0},
        {
            "kind": "decision.made",
            "task": "tsk_a",
            "call": "dec_a",
            "index": 1,
            "facts": {
                "outcome": "deny",
                "flow": [{"argument": "to", "provenance": "untrusted", "origins": [origin]}],
            },
        },
    )
    tracing = traced("tsk_a")
    assert next(tracing) == "tsk_a"
    with pytest.raises(StopIteration) as done:
        tracing.send(events)
    assert [one.decision for one in done.value.value.calls] == ["dec_a"]


@pytest.mark.parametrize(
    "facts",
    [
        [],
        {"outcome": "deny", "number": "x"},
        {"outcome": "deny", "flow": [{"origins": [[]]}]},
        {"outcome": "deny", "rest": 1},
    ],
)
def test_a_file_that_is_no_evidence_is_said_to_be_none(tmp_path: Path, facts: Json) -> None:
    """This holds whatever the file contains."""
    leaf = {"kind": "decision.made", "task": "tsk_a", "call": "dec_a", "facts": facts}
    file = tmp_path / "made-up.jsonl"
    file.write_text(json.dumps({"index": 0, "leaf": json.dumps(leaf)}))
    with pytest.raises(Malformed):
        chain_in(file, "dec_a")
    for line in ("[]", '{"leaf": 1, "index": 0}', '{"leaf": "{}"}', '{"leaf": "[]", "index": 0}'):
        file.write_text(line)
        with pytest.raises((Malformed, NotFound)):
            chain_in(file, "dec_a")
