# SPDX-License-Identifier: Apache-2.0
"""Flow: what is known of a call from where its arguments came from, as policies see it.

`judged` asks a task's `Index` of every argument of a call and gives a `Flow`: the justification of each
argument, and `FlowFacts`, the few words that guardrails are written in. What follows from them is said in
Cedar, not here.
"""

from __future__ import annotations

from typing import Any

import msgspec

from remit.core.label import Label
from remit.core.plan import Plan, standing
from remit.core.provenance import Index, Justification, Provenance, worst
from remit.core.tool import ArgumentRole, Tool

Json = Any

NO_VALUE = "none"


class FlowFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What policies read of a call's flow, as `context.flow`.

    `destination`, `selector`, `content`, `code`, `secret` are the worst provenance of the arguments of that
    role (`intent`, `trusted`, `unknown`, `untrusted`, or `none` where the call has none). `reached` ones are
    those that stand in a record which the intent names. `pointed`: what is untrusted comes from one source
    that the intent points to, which holds one candidate only and states the rest of the action too.
    `parameter`: everything of the intent is a typed parameter of it, not a word. `crossed`: untrusted data
    holds what the intent states. `spent`: the intent states it, and it was used for something else already.
    `anchored`: at least one destination or selector is of the intent or reached. `asked`: the intent's words
    ask for what the tool does. `plan` is `planned`, `unplanned`, or `none` where the task has no plan.
    `tainted`: the task has read untrusted data. `full`: the index could not remember everything.
    """

    destination: str = NO_VALUE
    destination_reached: bool = False
    destination_pointed: bool = False
    selector: str = NO_VALUE
    selector_reached: bool = False
    selector_pointed: bool = False
    personal: str = NO_VALUE
    personal_reached: bool = False
    content: str = NO_VALUE
    code: str = NO_VALUE
    secret: str = NO_VALUE
    parameter: bool = False
    crossed: bool = False
    spent: bool = False
    anchored: bool = False
    asked: bool = False
    plan: str = NO_VALUE
    tainted: bool = False
    full: bool = False


class Flow(msgspec.Struct, frozen=True):
    """What is known of a call: the facts, and what justified each argument, by name."""

    facts: FlowFacts = FlowFacts()
    arguments: dict[str, Justification] = {}


NO_FLOW = Flow()


def judged(index: Index, tool: Tool, arguments: dict[str, Json], *, label: Label, plan: Plan | None) -> Flow:
    """Give the flow of a call; `label` is the task's, `plan` what it said that it would need."""
    found = {name: index.judge(value) for name, value in arguments.items()}
    by_role: dict[ArgumentRole, list[Justification]] = {}
    for name, one in found.items():
        spec = tool.arguments.get(name)
        by_role.setdefault(spec.role if spec else ArgumentRole.CONTENT, []).append(one)

    def of(role: ArgumentRole) -> str:
        provenance = worst(by_role.get(role, ()))
        return NO_VALUE if provenance is None else provenance.value

    facts = FlowFacts(
        destination=of(ArgumentRole.DESTINATION),
        selector=of(ArgumentRole.SELECTOR),
        content=of(ArgumentRole.CONTENT),
        code=of(ArgumentRole.CODE),
        plan=standing(plan, tool, arguments),
        tainted=label.trust.value == "untrusted",
        full=index.full,
    )
    return Flow(facts, found)


def chains(flow: Flow) -> list[tuple[str, str]]:
    """Give (argument, sentence) for each argument that is not of the intent: how it came into the task."""
    out = []
    for name, one in flow.arguments.items():
        if one.provenance is Provenance.INTENT:
            continue
        first = next((met for met in one.origins if met.trust.value == "untrusted"), None) or next(
            iter(one.origins), None
        )
        if first is None:
            out.append((name, f"`{name}` is neither of the intent nor of anything that this task has read"))
        else:
            out.append((name, f"`{name}` first appeared in {first}"))
    return out
