# SPDX-License-Identifier: Apache-2.0
"""The policy engine: the upper bound on what each agent may do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, NamedTuple, Protocol

import msgspec

from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.decision import PolicyAnswer
from remit.core.identity.principals import Agent
from remit.core.policy.bundle import PolicySource
from remit.core.tasks.task import TaskType
from remit.core.tools.tool import Tool

# `PolicySource` is defined in core; the engine's callers import it from here.
__all__ = ["LoadedPolicy", "PolicyEngine", "PolicySource", "Problem", "RuleInForce", "ServedPolicy"]


class Problem(msgspec.Struct, frozen=True):
    """A problem in a policy; `severity` is `error` or `warning`. An error prevents loading of the set."""

    severity: str
    text: str
    file: str = ""
    line: int | None = None
    rule: str = ""
    remediation: str = ""


class RuleInForce(NamedTuple):
    """One rule: its effect, its subject, its reason in its own words, and its text as it was written."""

    id: str
    digest: str
    text: str
    does: Literal["permits", "asks", "refuses"]
    reason: str


class LoadedPolicy(Protocol):
    """One version of the policies, parsed and indexed. Immutable; needs no locks on one event loop."""

    served: ClassVar[Literal[False]]
    digest: str

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


class ServedPolicy(Protocol):
    """One version of the policies, which a policy server decides by."""

    served: ClassVar[Literal[True]]
    digest: str

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

    def schema(self, tools: Sequence[Tool], task_types: Sequence[TaskType]) -> str:
        """Return the engine's schema, generated from the tools and their arguments."""
        ...

    def check(
        self, sources: Sequence[PolicySource], tools: Sequence[Tool], task_types: Sequence[TaskType]
    ) -> list[Problem]:
        """Return the problems: syntax, types, an argument that no tool has, a duplicate `@id`."""
        ...

    def load(
        self,
        sources: Sequence[PolicySource],
        tools: Sequence[Tool],
        task_types: Sequence[TaskType],
        agents: Sequence[Agent],
    ) -> LoadedPolicy | ServedPolicy:
        """Parse and index the policies; raises `ConfigInvalid` with the first error that `check` finds."""
        ...
