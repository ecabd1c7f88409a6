# SPDX-License-Identifier: Apache-2.0
"""The facts of a decision, kept with its event so that it can be decided again under other policies.

The event of a decision names its call, and what was decided. A policy reads more: the origins of the
arguments in a few words, the task's label, crossings between trust zones. These are kept here. Everything
else is kept elsewhere: the task with its intent, the arguments (sealed), the registered agent and tool. Of an
agent only a digest is kept, which tells whether it is still the same for a policy.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from remit.core.circumstances.circumstances import Circumstances
from remit.core.decisions.access_request import AccessRequest
from remit.core.flow.facts import Flow, FlowFacts
from remit.core.flow.justification import Justification, Provenance
from remit.core.identity.principals import Agent, AgentState, Principal
from remit.core.identity.workload import Assurance, AttestationMethod
from remit.core.json_value import Json
from remit.core.label import MAX_CROSSINGS, Audience, Classes, Label, Trust
from remit.core.tasks.history import HistoryCounter, HistoryFacts, Unreadable
from remit.core.tasks.task import Task
from remit.core.tools.tool import Tool

#: Characters of an agent's digest: it detects a change, and no one gains by a collision.
DIGEST_CHARACTERS: Final = 16
#: In place of a counter's value that was not kept.
NOT_COUNTED: Final = Unreadable("was not counted when the call was decided")
_SELF: Final = Audience("self")
_UNTRUSTED: Final = Trust.UNTRUSTED
_ACTIVE: Final = AgentState.ACTIVE


class CannotReplay(Exception):
    """Raised for a decision that cannot be decided again exactly; the text is a stable code."""


def recounted(before: Sequence[HistoryCounter], after: Sequence[HistoryCounter]) -> frozenset[str]:
    """Return the names of counters that count something else under another bundle, or are new there."""
    known = set(before)
    return frozenset(one.name for one in after if one not in known)


def with_uncounted(
    request: AccessRequest, read: frozenset[str], recounted: frozenset[str] = frozenset()
) -> AccessRequest:
    """Return a request in which each counter that rules `read` has no value where it was not counted."""
    unknown = (read - request.history.keys()) | (read & recounted)
    if not unknown:
        return request
    history = {**request.history, **dict.fromkeys(unknown, NOT_COUNTED)}
    return msgspec.structs.replace(request, history=history)


def recorded(request: AccessRequest) -> dict[str, Json]:
    """Return the facts of a request that its event has to keep, without those that are as usual."""
    label = request.label
    facts: dict[str, Json] = {"agent": agent_digest(request.agent)}
    if request.agent.state is not _ACTIVE:
        facts["agent_state"] = request.agent.state.value
    if flow := msgspec.to_builtins(request.flow.facts):
        facts["flow"] = flow
    if label.categories:
        facts["categories"] = sorted(label.categories)
    if label.trust is _UNTRUSTED:
        facts["untrusted"] = True
    if label.zones:
        facts["zones"] = sorted(label.zones)
    if request.crossings:
        facts["crossings"] = request.crossings
    if request.max_crossings != MAX_CROSSINGS:
        facts["max_crossings"] = request.max_crossings
    if request.history:
        facts["history"] = {
            name: str(value) if isinstance(value, str) else value for name, value in request.history.items()
        }
    if request.unscoped:
        facts["unscoped"] = True
    if circumstances := msgspec.to_builtins(request.circumstances):
        facts["circumstances"] = circumstances
    if request.principal.method is not None:
        facts["attestation"] = request.principal.method.value
    if request.principal.posture:
        facts["posture"] = request.principal.posture
    return facts


def agent_digest(agent: Agent) -> str:
    """Return the digest of everything about an agent that a policy can read, but for its state."""
    return _digest(
        agent.name,
        agent.owner,
        agent.purpose,
        agent.environment,
        agent.initiative,
        agent.manifest_digest,
        *sorted(agent.groups),
    )


@functools.lru_cache(maxsize=4096)
def _digest(*facts: str) -> str:
    return hashlib.sha256(msgspec.json.encode(facts)).hexdigest()[:DIGEST_CHARACTERS]


def rebuilt(
    record: Mapping[str, Any],
    values: Mapping[str, Json],
    *,
    task: Task,
    agent: Agent,
    tool: Tool,
    classes: Classes,
) -> AccessRequest:
    """Return the request behind a decision's event, as policies read it.

    `record` is the event's leaf, `values` are its sealed values; agent and tool are those of today. Grants,
    budgets and sender constraint are left out: policies do not read them. Raises `CannotReplay`.
    """
    facts = record["facts"]
    kept = facts.get("facts")
    if kept is None:
        raise CannotReplay("no-facts")
    if kept["agent"] != agent_digest(agent):
        raise CannotReplay("agent-changed")
    agent = msgspec.structs.replace(agent, state=AgentState(kept.get("agent_state", _ACTIVE.value)))
    arguments = values.get("arguments")
    if not isinstance(arguments, dict):
        raise CannotReplay("values-forgotten")
    flow = _flow(facts, kept, values, tool)
    tool = tool.called_with(arguments)
    if flow.facts.to_self:
        tool = msgspec.structs.replace(tool, audience=_SELF)
    label = Label(
        data_class=facts["class"],
        categories=frozenset(kept.get("categories", ())),
        trust=_UNTRUSTED if kept.get("untrusted") else Trust.TRUSTED,
        zones=frozenset(kept.get("zones", ())),
    )
    if label.data_class not in classes.order:
        raise CannotReplay("class-gone")
    assurance = Assurance.from_word(facts["assurance"])
    return AccessRequest(
        principal=Principal(
            tenant=task.tenant,
            agent=agent.name,
            on_behalf_of=task.on_behalf_of,
            assurance=assurance,
            method=AttestationMethod(kept["attestation"]) if "attestation" in kept else None,
            posture=kept.get("posture", {}),
        ),
        agent=agent,
        task=task,
        tool=tool,
        arguments=arguments,
        grants=(),
        tier=tool.tier,
        label=label,
        cleared=classes.cleared(tool.audience, label),
        now=datetime.fromisoformat(record["at"]),
        flow=flow,
        crossings=kept.get("crossings", 0),
        max_crossings=kept.get("max_crossings", MAX_CROSSINGS),
        history=_history(kept.get("history", {})),
        unscoped=bool(kept.get("unscoped")),
        circumstances=msgspec.convert(kept.get("circumstances", {}), Circumstances),
    )


def _history(kept: Mapping[str, int | str | None]) -> HistoryFacts:
    return {name: Unreadable(value) if isinstance(value, str) else value for name, value in kept.items()}


def _flow(facts: Mapping[str, Any], kept: Mapping[str, Any], values: Mapping[str, Json], tool: Tool) -> Flow:
    """Return the recorded flow of a call, without the places where values were met."""
    told = facts.get("flow", ())
    if any("more" in one or "*" in one["argument"] for one in told):
        raise CannotReplay("too-many-arguments")
    arguments = {one["argument"]: Justification(Provenance(one["provenance"])) for one in told}
    dates = {one.path.rpartition(".")[2] for one in tool.fields if one.fact == "date"}
    record = values.get("record")
    read: dict[str, Json] = record if isinstance(record, dict) else {}
    return Flow(
        facts=msgspec.convert(kept.get("flow", {}), FlowFacts),
        arguments=arguments,
        record={
            name: datetime.fromisoformat(value) if name in dates and isinstance(value, str) else value
            for name, value in read.items()
        },
    )
