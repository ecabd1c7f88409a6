# SPDX-License-Identifier: Apache-2.0
"""Suggested grants are held to account: learnt on the earlier half of a history, tested on the later half."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import pytest

from remit.core.tasks.grant import Grant
from remit.core.tools.suggestions import (
    LedCalls,
    ObservedCall,
    TypeDraft,
    UpstreamFacts,
    drafted,
    grants_of,
    grants_text,
    with_grants,
    with_observed,
)
from remit.core.tools.suggestions.value_constraints import constrained
from remit.core.tools.tool import Tool
from tests.samples.planted import planted
from tests.samples.work_history import ATTACKS, REQUIRED, Office, observed

Json = Any
SEEDS = range(5)


@functools.cache
def _history() -> tuple[ObservedCall, ...]:
    return tuple(Office(99).history(8_000))


def permits(draft: TypeDraft, tool: str, arguments: dict[str, Json]) -> bool:
    """Return whether a suggested grant permits a call, by the rules that decide calls."""
    found = [Grant.load(one.spec) for one in draft.grants if one.tool == tool]
    return any(not one.permits(arguments) for one in found)


def learnt(calls: Sequence[ObservedCall]) -> TypeDraft:
    """Return the draft from these calls."""
    return grants_of("everyday", calls, REQUIRED)


@pytest.mark.parametrize("seed", SEEDS)
def test_at_most_two_ordinary_calls_in_a_thousand_are_refused(seed: int) -> None:
    """And every planted attack is refused by the grants alone."""
    history = Office(seed).history(8_000)
    draft = learnt(history[:4_000])
    refused = [one for one in history[4_000:] if not permits(draft, one.tool, one.arguments)]
    assert len(refused) <= 8, [(one.tool, one.arguments) for one in refused]
    assert [attack for attack in ATTACKS if permits(draft, *attack)] == []


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda one: str(one[0]))
def test_an_attack_in_the_history_becomes_no_permission(attack: tuple[str, dict[str, Json]]) -> None:
    """It went through once while nothing was refused; the work is permitted as before."""
    history = list(_history())
    earlier = [*history[:1_500], observed(*attack), *history[1_500:4_000]]
    draft = learnt(earlier)
    assert not permits(draft, *attack)
    refused = [one for one in history[4_000:] if not permits(draft, one.tool, one.arguments)]
    assert len(refused) <= 8, [(one.tool, one.arguments) for one in refused]


@pytest.mark.parametrize("seed", SEEDS)
def test_attacks_that_succeeded_often_become_no_permission(seed: int) -> None:
    """Sixteen attacks, five times each: none is learnt, and the work is permitted."""
    history = Office(seed).history(8_000)
    draft = learnt(planted(history[:4_000]))
    assert [attack for attack in ATTACKS if permits(draft, *attack)] == []
    refused = [one for one in history[4_000:] if not permits(draft, one.tool, one.arguments)]
    assert len(refused) <= 8, [(one.tool, one.arguments) for one in refused]
    assert draft.led["files/delete"] == LedCalls(calls=5, tasks=5, arguments={"path": "mail/read text"})
    assert draft.led["mail/send"].granted
    assert sum(one.calls for one in draft.led.values()) == 16 * 5


@pytest.mark.parametrize(
    ("values", "spec"),
    [
        (["a", "b"] * 20, {"one_of": ["a", "b"]}),
        (["main"] * 30, {"exact": "main"}),
        (["main"] * 600 + ["odd"], {"exact": "main"}),
        ([f"INV-{one}" for one in range(100, 400)], {"pattern": "INV-[0-9]{1,6}"}),
        (
            [f"https://api.example.com/{one}" for one in range(50)],
            {"url_host": {"hosts": ["api.example.com"], "schemes": ["https"]}},
        ),
        ([f"p{one}@a.example" for one in range(50)], {"email_domain": ["a.example"]}),
        ([f"src/f{one}.py" for one in range(50)], {"path_under": "src"}),
        ([f"/srv/w/f{one}.py" for one in range(50)], {"path_under": "/srv/w"}),
        (list(range(5, 90)), {"range": {"min": 1, "max": 178}}),
        ([[f"p{one}@a.example"] for one in range(50)], {"each": {"email_domain": ["a.example"]}}),
        ([[]] * 5, {"length": {"max": 0}}),
        ([True] * 30, {"exact": True}),
        ([{"a": 1}] * 30, {"anything": {}}),
        ([f"{{a}} {one}" for one in range(30)], {"length": {"max": 1000}}),
    ],
)
def test_a_constraint_is_as_tight_as_the_evidence(values: list[Json], spec: Json) -> None:
    """Sets, shapes, hosts, domains, folders and ranges; a size where nothing else is shared."""
    assert constrained(values).spec == spec


@pytest.mark.parametrize(
    "values", [["x"] * 3, [f"https://h{one}.example/" for one in range(60)], ["a/b", "c"] * 3]
)
def test_what_is_not_known_is_said(values: list[Json]) -> None:
    """Few uses, or ever new hosts, tell nothing: the review screen marks such an argument."""
    assert constrained(values).free


def test_what_flow_objected_to_is_no_evidence_and_what_is_unused_is_named() -> None:
    """Refused calls, rare tools and unused grants are listed."""
    calls = [observed("u/a", {"n": one % 3}, task=f"tsk_{one}") for one in range(3_000)]
    calls += [observed("u/b", {}, objections=("flow/destination",)), observed("u/c", {}, permitted=False)]
    draft = grants_of("everyday", [*calls, observed("u/d", {})], {}, ("u/a", "u/z"))
    assert [one.tool for one in draft.grants] == ["u/a"]
    assert (draft.rare, draft.objected, draft.unused) == ({"u/d": 1}, {"u/b": 1}, ("u/z",))


def test_a_files_other_lines_stay_as_they_are_written() -> None:
    """Only the grants are replaced, also when they are suggested again."""
    text = "task: everyday # mine\ngrants:\n- tool: u/x\n\n# kept\nbudgets: {calls: 5}\n"
    grants = grants_text(grants_of("everyday", [observed("u/a", {"n\n#": 1})] * 30, {}))
    once = with_grants(text, grants)
    assert once == f"task: everyday # mine\n{grants}budgets: {{calls: 5}}\n"
    assert with_grants(once, grants) == once
    assert with_grants("task: t\n", grants) == f"task: t\n{grants}"
    assert "grants: []" in grants_text(grants_of("t", [], {}))


def test_observed_addresses_make_an_argument_a_destination() -> None:
    """An observation demands more and never less."""
    schema = {"type": "object", "properties": {"note": {"type": "string"}}}
    tool = Tool(upstream="u", name="set_note", surface={"name": "set_note", "inputSchema": schema})
    draft = drafted(tool, UpstreamFacts(audience="internal"), "restricted")
    plain = [observed("u/set_note", {"note": "hello"})] * 9
    assert with_observed({"u/set_note": draft}, plain) == {"u/set_note": draft}
    changed = with_observed({"u/set_note": draft}, [observed("u/set_note", {"note": "a@b.example"})] * 9)[
        "u/set_note"
    ]
    assert (changed.arguments[0].role.value, changed.audience.value) == ("destination", "external")
