# SPDX-License-Identifier: Apache-2.0
"""The policy engine: the upper bound on what each agent may do. And what proves statements about policies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal, NamedTuple, Protocol

import msgspec

from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.approvers import ApproverDemand
from remit.core.decisions.decision import PolicyAnswer, RuleRef
from remit.core.identity.principals import Agent
from remit.core.json_value import Json
from remit.core.policy.bundle import PolicySource
from remit.core.policy.proof import ProofAnswer, ProofPrograms
from remit.core.policy.rule_exception import RuleException
from remit.core.tasks.history import HistoryCounter
from remit.core.tasks.task import TaskType
from remit.core.tools.tool import Tool

# `PolicySource` is defined in core; the engine's callers import it from here.
__all__ = [
    "LoadedPolicy",
    "PolicyEngine",
    "PolicyProver",
    "PolicySource",
    "Problem",
    "ProvedPolicies",
    "RuleInForce",
    "ServedPolicy",
]


class Problem(msgspec.Struct, frozen=True):
    """A problem in a policy; `severity` is `error` or `warning`. An error prevents loading of the set."""

    severity: str
    text: str
    file: str = ""
    line: int | None = None
    rule: str = ""
    remediation: str = ""


class RuleInForce(NamedTuple):
    """One rule: its effect, its subject, its reason in its own words, and its text as it was written.

    `scope` and `conditions` are digests of its parts: all conditions have to hold. `errs`: whether a
    condition can fail for some call that fits the schema. `reads` are the dotted names of the facts that it
    reads, `compared` the literals that it compares them with. `obligations` are what a permit demands, and
    `bounds` the most calls that one approval may permit, of ordinary tools and of those with a high risk.
    `approvers` are the people that a rule that asks demands. `records` are the records of many facts that it
    reads as one value (empty: all facts), so `reads` does not name all that it reads of them.
    """

    id: str
    digest: str
    text: str
    does: Literal["permits", "asks", "refuses"]
    reason: str
    scope: str = ""
    conditions: tuple[str, ...] = ()
    errs: bool = True
    reads: tuple[str, ...] = ()
    compared: tuple[tuple[str, Json], ...] = ()
    obligations: tuple[str, ...] = ()
    bounds: tuple[int, int] = (0, 0)
    approvers: ApproverDemand | None = None
    records: tuple[str, ...] = ()


class LoadedPolicy(Protocol):
    """One version of the policies, parsed and indexed. Immutable; needs no locks on one event loop."""

    served: ClassVar[Literal[False]]
    digest: str
    #: The names in the history that rules read.
    history: frozenset[str]

    def evaluate(self, request: AccessRequest) -> PolicyAnswer:
        """Decide one request, without I/O.

        INVARIANT: any diagnostic of the engine, a request that does not fit the schema, a missing entity or
        an undefined result is reported in `errors`, which makes the decision Deny. Never raises because of a
        request's content.
        """
        ...

    def rules(self) -> Sequence[RuleInForce]:
        """Return every rule."""
        ...

    def applicable(self, tool: Tool, agent: Agent) -> frozenset[RuleRef]:
        """Return the rules that can match a call of a tool by an agent, whatever else is in the call.

        INVARIANT: two sets of policies with the same applicable rules give the same answer to such a call.
        """
        ...

    def without(self, rules: frozenset[str]) -> LoadedPolicy:
        """Return these policies without some rules, by their ids."""
        ...

    def facts(self, request: AccessRequest, rule: str) -> dict[str, Json]:
        """Return the values of the facts that a rule reads of a request, by their dotted names.

        A fact that the request does not have is left out. Nothing is returned of a request that does not fit.
        """
        ...


class ServedPolicy(Protocol):
    """One version of the policies, which a policy server decides by."""

    served: ClassVar[Literal[True]]
    digest: str
    history: frozenset[str]

    async def ask(self, request: AccessRequest) -> PolicyAnswer:
        """Have the server decide one request.

        INVARIANT: as `LoadedPolicy.evaluate`; a server that does not answer in time, answers something else
        or decides by another version is reported in `errors`, too. Raises only where it is cancelled.
        """
        ...

    def rules(self) -> Sequence[RuleInForce]:
        """Return every rule."""
        ...


class PolicyEngine(Protocol):
    """Checks and loads policy sources against the registered tools and agents."""

    def schema(
        self,
        tools: Sequence[Tool],
        task_types: Sequence[TaskType],
        counters: Sequence[HistoryCounter] = (),
    ) -> str:
        """Return the engine's schema, generated from the tools and their arguments."""
        ...

    def check(
        self,
        sources: Sequence[PolicySource],
        tools: Sequence[Tool],
        task_types: Sequence[TaskType],
        agents: Sequence[Agent] = (),
        counters: Sequence[HistoryCounter] = (),
    ) -> list[Problem]:
        """Return the problems: syntax, types, a word that the compared fact can never be, a rule that never
        applies, an argument that no tool has, a duplicate `@id`.

        Names of agents and groups are checked where `agents` are given.
        """
        ...

    def load(
        self,
        sources: Sequence[PolicySource],
        tools: Sequence[Tool],
        task_types: Sequence[TaskType],
        agents: Sequence[Agent],
        counters: Sequence[HistoryCounter] = (),
        *,
        aside: bool = False,
    ) -> LoadedPolicy | ServedPolicy:
        """Parse and index the policies; raises `ConfigInvalid` with the first error that `check` finds.

        Policies that do not come into force are loaded `aside`, so that they delay no others.
        """
        ...

    def excepted(
        self, sources: Sequence[PolicySource], rule: RuleInForce, exception: RuleException
    ) -> tuple[PolicySource, ...]:
        """Return the sources with an exception in one rule; nothing else is changed.

        Raises `Malformed` where the exception cannot be written.
        """
        ...


class ProvedPolicies(msgspec.Struct, frozen=True):
    """Policies with the tools and task types that they are about, and the counters that they may read."""

    sources: Sequence[PolicySource]
    tools: Sequence[Tool]
    task_types: Sequence[TaskType]
    counters: Sequence[HistoryCounter] = ()


class PolicyProver(Protocol):
    """Proves or refutes statements about policies, tool by tool; `only` limits the tools by their ids.

    INVARIANT: an answer is `PROVEN` only if the statement holds for every call that can reach a decision.
    Each question is bounded in time and memory, and all questions of one method together take at most
    `seconds`; a question beyond that is `UNDECIDED`. Every method raises `NotFound` where the programs are
    not installed, and `ConfigInvalid` for policies that are not valid.
    """

    def programs(self) -> ProofPrograms:
        """Return the versions of the programs."""
        ...

    def change(
        self, old: ProvedPolicies, new: ProvedPolicies, only: frozenset[str] = frozenset(), *, seconds: float
    ) -> Iterator[ProofAnswer]:
        """Answer for each tool that a change can touch: no rule fails, and nothing more is permitted."""
        ...

    def errors(
        self, policies: ProvedPolicies, only: frozenset[str] = frozenset(), *, seconds: float
    ) -> Iterator[ProofAnswer]:
        """Answer for each tool whether one of its rules can fail."""
        ...

    def bounded(
        self,
        policies: ProvedPolicies,
        guardrail: PolicySource,
        only: frozenset[str] = frozenset(),
        *,
        seconds: float,
    ) -> Iterator[ProofAnswer]:
        """Answer for each tool in a guardrail's scope whether nothing is permitted that it refuses."""
        ...

    def reached(
        self,
        policies: ProvedPolicies,
        by: Sequence[str],
        only: frozenset[str] = frozenset(),
        *,
        seconds: float,
    ) -> Iterator[ProofAnswer]:
        """Answer for each tool whether only these agents, or members of these groups (`group:NAME`), reach
        it.
        """
        ...
