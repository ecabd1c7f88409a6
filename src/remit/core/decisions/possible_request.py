# SPDX-License-Identifier: Apache-2.0
"""The access request of a call that a proof found, so that the policies in use decide it as well.

Only what a call brings with it is taken over. What remit derives of a call (the tool's form, tier, clearance,
purpose) is derived again: a call that cannot happen is decided otherwise than the proof says.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import msgspec

from remit.core.decisions.access_request import AccessRequest
from remit.core.flow.facts import Flow, FlowFacts
from remit.core.flow.justification import Justification, Provenance
from remit.core.flow.records.participants import KNOWN
from remit.core.identity.principals import Agent, AgentState, Principal
from remit.core.identity.workload import Assurance
from remit.core.json_value import Json
from remit.core.label import Audience, Classes, Label, Trust
from remit.core.policy.proof import PossibleCall
from remit.core.tasks.plan import PLAN_TOOL
from remit.core.tasks.task import Ancestor, Intent, Task
from remit.core.tools.tool import Tool, ToolState

_TENANT: Final = "proof"
_EVER: Final = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
_ONESELF: Final = Audience("self")


class ImpossibleCall(Exception):
    """Raised for a call that cannot happen; the text states why."""


def request_of(call: PossibleCall, tool: Tool, classes: Classes) -> AccessRequest:
    """Return the access request of a call of a tool, which is as its file describes it.

    Raises `ImpossibleCall`.
    """
    context = call.context
    arguments = dict.fromkeys(context["arg_names"]) | context["args"]
    facts = msgspec.convert(context["flow"], FlowFacts)
    provenance = {name: Justification(Provenance(one)) for name, one in context["provenance"].items()}
    formed = _formed(call, tool, facts, arguments)
    told = context["label"]
    label = Label(
        data_class=told["class"],
        categories=frozenset(told["categories"]),
        trust=Trust.UNTRUSTED if told["untrusted"] else Trust.TRUSTED,
        zones=frozenset(told["zones"]),
    )
    agent = _agent(call)
    task = _task(agent, context["task"])
    return AccessRequest(
        principal=Principal(
            tenant=_TENANT,
            agent=agent.name,
            on_behalf_of=task.on_behalf_of,
            assurance=Assurance.from_word(context["assurance"]),
        ),
        agent=agent,
        task=task,
        tool=formed,
        arguments=arguments,
        grants=(),
        tier=formed.tier,
        label=label,
        cleared=tool.id == PLAN_TOOL.id or classes.cleared(formed.audience, label),
        now=context["now"],
        flow=Flow(facts=facts, arguments=provenance, record=context["record"]),
        crossings=context["crossings"],
        max_crossings=context["max_crossings"],
    )


def _formed(call: PossibleCall, tool: Tool, facts: FlowFacts, arguments: dict[str, Json]) -> Tool:
    """Return the tool in the form that the call gives it."""
    found = msgspec.structs.replace(tool.called_with(arguments), state=ToolState(call.state))
    wanted = call.context["effect"], call.context["audience"], call.context["tier"]
    forms = [found]
    if facts.participants == KNOWN and tool.stored_destination is not None:
        forms += [
            msgspec.structs.replace(found, audience=one.audience, effect=one.effect or found.effect)
            for one in tool.stored_destination.narrowings
        ]
    if facts.to_self:
        forms = [msgspec.structs.replace(one, audience=_ONESELF) for one in forms]
    for one in forms:
        if (one.effect.value, one.audience.name, one.tier.word) == wanted:
            return one
    raise ImpossibleCall("the arguments of the call do not give the tool this effect and audience")


def _agent(call: PossibleCall) -> Agent:
    told = call.agent
    return Agent(
        tenant=_TENANT,
        name=told["name"],
        owner=told["owner"],
        purpose=told["purpose"],
        environment=told["environment"],
        initiative=told["initiative"],
        groups=call.groups,
        state=AgentState(told["state"]),
        manifest_digest=told["manifest"],
        created=_EVER,
        created_by=told["owner"],
    )


def _task(agent: Agent, told: dict[str, Json]) -> Task:
    return Task(
        tenant=_TENANT,
        id=told["id"],
        type=told["type"],
        agent=agent.name,
        owner=told["owner"],
        on_behalf_of=told["on_behalf_of"],
        initiative=told["initiative"],
        environment=told["environment"],
        intent=Intent(goal="", params=told["params"], requested_by=told["requested_by"], stated_at=_EVER),
        grants=(),
        lineage=(Ancestor("parent", "parent", ""),) * told["depth"],
        opened=_EVER,
        deadline=_EVER,
    )
