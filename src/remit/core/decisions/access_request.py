# SPDX-License-Identifier: Apache-2.0
"""The access request: all input of a decision, collected in step 3."""

from __future__ import annotations

from datetime import datetime

import msgspec

from remit.core.canonical import digest
from remit.core.circumstances.circumstances import USUAL, Circumstances
from remit.core.decisions.obligations import REDACT
from remit.core.flow.facts import NO_FLOW, Flow
from remit.core.flow.stored_labels import NOTHING_AT_REST, CallLabels
from remit.core.identity.principals import Agent, Principal
from remit.core.identity.workload import Confirmation
from remit.core.json_value import Json
from remit.core.label import MAX_CROSSINGS, Label
from remit.core.tasks.grant import Grant
from remit.core.tasks.history import HistoryFacts
from remit.core.tasks.task import Task
from remit.core.tools.tool import Tier, Tool

#: What remit itself can do with a result.
BY_REMIT = frozenset({REDACT})


class AccessRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One call as presented for a decision.

    `agent` is the registered identity behind `principal.agent`. `label` is the task's label at this moment.
    `cleared` states whether the tool's audience may learn data of that label's class. `grants` are the task's
    grants that name the tool, already instantiated; empty means that the task has no grant for the tool.
    `observed` is true where the upstream is in observe mode. `enforcement_point` names the party that carries
    the call out, where that is not remit itself; `asked_with` is the key that the enforcement point's own
    token was bound to. `unconstrained` is true where the site waived the requirement for sender-constrained
    tokens. `flow` is the known origin of the arguments. `rest` holds the stored labels that earlier writes
    left where the call reads, and in the data that it passes on. `crossings` counts the trust zones, beyond
    the first, that the chain's data has entered, including this call; the default guardrails refuse more than
    `max_crossings`. `follows` is the decision on the deferred call that this call brings input to.
    `own_files` is the argument that reaches remit's own files; no mode permits such a call. `history` is what
    happened before in the task and its family, if that is counted. `unscoped` is true for a call of tier
    autonomous where the grants that permit it leave open where it goes (`core.tasks.grant_scope`).
    `circumstances` are what policies may read that neither the agent nor the arguments determine.
    `stated_reason` is why the agent makes the call, in its own words. `carries_out` are the kinds of
    obligations that concern the result and that the party carrying out the call can meet.
    """

    principal: Principal
    agent: Agent
    task: Task
    tool: Tool
    arguments: dict[str, Json]
    grants: tuple[Grant, ...]
    tier: Tier
    label: Label
    cleared: bool
    now: datetime
    observed: bool = False
    enforcement_point: str = ""
    asked_with: Confirmation = Confirmation()
    unconstrained: bool = False
    flow: Flow = NO_FLOW
    rest: CallLabels = NOTHING_AT_REST
    crossings: int = 0
    max_crossings: int = MAX_CROSSINGS
    follows: str = ""
    own_files: str = ""
    history: HistoryFacts = {}
    unscoped: bool = False
    circumstances: Circumstances = USUAL
    stated_reason: str = ""
    carries_out: frozenset[str] = BY_REMIT

    @property
    def lacks_sender(self) -> bool:
        """Whether the call's tier requires a sender-constrained token and this token is not one.

        An enforcement point sees the sender of a call that it carries out. The sender that remit sees is then
        the enforcement point itself: a copied token of an enforcement point must not obtain permits for calls
        that change something.
        """
        held = self.asked_with if self.enforcement_point else self.principal.confirmation
        return self.tier >= Tier.OPERATOR and not self.unconstrained and not held

    def may_take(self, argument: str) -> bool:
        """Return whether a call may carry an argument of this name at all, whatever its value."""
        return self.observed or any(grant.may_take(argument) for grant in self.grants)

    @property
    def call_digest(self) -> str:
        """The digest of exactly this call (task, tool, arguments), to which an approval is bound."""
        return call_digest(self.task.id, self.tool.id, self.arguments)


def call_digest(task: str, tool: str, arguments: dict[str, Json]) -> str:
    """Return the digest of one exact call (RFC 8785 bytes, SHA-256)."""
    return digest({"task": task, "tool": tool, "arguments": arguments})
