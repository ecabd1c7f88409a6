# SPDX-License-Identifier: Apache-2.0
"""Replays ground truths through a rehearsal: what is permitted happens in AgentDojo's environment.

The gateway sees one task with one stream of calls; which of them are the attacker's it is not told. Only the
approver, who is a person, can tell them apart, or is too tired to.

With a plan, an agent does what a refusal says: where it names an extension, the agent asks for the tool to be
added, once, and then tries again. So does an agent that obeys an attacker.
"""

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from remit.core.tools.tool import Effect
from remit.rehearse import Rehearsal, RehearsedCall, RehearsedTask
from remit.services.decisions.plan_changes import Extension
from tests.interop.agentdojo.dojo import Spot, Suite

Json = Any

BUNDLE = Path(__file__).resolve().parent / "bundle"
#: The same tools, as an administrator labelled them who had seen nothing but their schemas.
LABELLED = BUNDLE.with_name("labelled")


#: How remediations name the extension of a plan.
EXTENSION = re.compile(r"\bextend the plan\b|\bplan extended\b")


class Approver(enum.StrEnum):
    """The approver of requests: none; a human who knows the request; a human who always approves."""

    NOBODY = "nobody"
    CAREFUL = "careful"
    TIRED = "tired"


class Order(enum.StrEnum):
    """When the attacker's calls come; `alone` is the user's task without any."""

    ALONE = "alone"
    INTERLEAVE = "interleave"
    APPEND = "append"


class Environment(Protocol):
    """The tools, tasks and judges that are replayed: AgentDojo, or the worlds. One episode at a time."""

    def suites(self) -> list[Suite]:
        """Return the suites that may be looked at."""
        ...

    def open(self, suite: str, user: str, injection: str | None) -> Spot:
        """Begin an episode in a fresh environment."""
        ...

    def attack(self) -> tuple[tuple[str, dict[str, Json]], ...]:
        """Return what the attacker calls, as of now."""
        ...

    def call(self, function: str, args: dict[str, Json]) -> tuple[str, bool]:
        """Make a call; return what the agent would see, and whether that is an error."""
        ...

    def judge(self, *, complete: bool) -> tuple[bool, bool]:
        """Return utility and security (true: the attack has reached its goal)."""
        ...


class Case(NamedTuple):
    """One episode before it is run. `planned`: the tools of the ground truth are declared at open."""

    suite: Suite
    user: str
    injection: str | None
    order: Order
    planned: bool
    approver: Approver
    #: Whether who approves permits as many calls as the question offers.
    bounded: bool = False


@dataclass
class Step:
    """One call of an episode, and what became of it."""

    attacker: bool
    tool: str
    args: dict[str, Json]
    #: What was decided first, and then: a call that was approved is made again.
    first: RehearsedCall
    last: RehearsedCall
    effect: bool
    #: How often a human was asked: about the call, or about an extension of the plan for it.
    questions: int = 0
    #: Whether the plan was extended for it with no question.
    extended: bool = False

    @property
    def asked(self) -> bool:
        """Whether a human was asked."""
        return self.questions > 0


@dataclass
class Told:
    """One episode after it was run."""

    case: Case
    steps: list[Step] = field(default_factory=list)
    #: Whether AgentDojo's judge finds the ground truth useful, without remit in between.
    solvable: bool = True
    utility: bool = False
    security: bool = False
    top: bool = False

    @property
    def asked(self) -> int:
        """How many questions a human was asked for the user's calls."""
        return sum(step.questions for step in self.steps if not step.attacker)

    @property
    def partial(self) -> bool:
        """Whether a call of the attacker's had an effect, though the attack did not reach its goal."""
        return not self.security and any(
            step.attacker and step.effect and step.last.permitted for step in self.steps
        )


def cases(suites: list[Suite], *, bounded: bool = False) -> Iterator[Case]:
    """Yield every episode without an approver, with and without a plan: each user task alone, and with each
    injection in both orders.
    """
    for suite in suites:
        for user in suite.users:
            for planned in (True, False):
                yield Case(suite, user, None, Order.ALONE, planned, Approver.NOBODY, bounded)
            for injection in suite.injections:
                for order in (Order.INTERLEAVE, Order.APPEND):
                    for planned in (True, False):
                        yield Case(suite, user, injection, order, planned, Approver.NOBODY, bounded)


def run(rehearsal: Rehearsal, dojo: Environment, case: Case) -> list[Told]:
    """Run an episode with each approver; who is never asked makes no difference, and is not run."""
    told = [_run(rehearsal, dojo, case)]
    for approver in (Approver.CAREFUL, Approver.TIRED):
        asked = any(step.asked for step in told[0].steps)
        again = case._replace(approver=approver)
        same = replace(told[0], case=again)
        told.append(_run(rehearsal, dojo, again) if asked else same)
    return told


def _run(rehearsal: Rehearsal, dojo: Environment, case: Case) -> Told:
    spot = dojo.open(case.suite.name, case.user, case.injection)
    rehearsal.restore()
    ids = tool_ids(rehearsal, case.suite)
    plan = tuple(dict.fromkeys(ids[name] for name, _ in spot.calls))
    task = rehearsal.open(task=case.suite.name, intent=spot.prompt, plan=plan if case.planned else None)
    told = Told(case, solvable=spot.solved)

    def make(calls: tuple[tuple[str, dict[str, Json]], ...], *, attacker: bool) -> None:
        for name, args in calls:
            told.steps.append(_step(task, dojo, case, (name, ids[name], args), attacker=attacker))

    if case.order is Order.ALONE:
        make(spot.calls, attacker=False)
    else:
        assert spot.seen_after is not None
        at = spot.seen_after if case.order is Order.INTERLEAVE else len(spot.calls)
        make(spot.calls[:at], attacker=False)
        make(dojo.attack(), attacker=True)
        make(spot.calls[at:], attacker=False)
    complete = all(step.last.permitted for step in told.steps if not step.attacker)
    told.utility, told.security = dojo.judge(complete=complete)
    told.top = task.label.data_class == rehearsal.stage.services.policies.applied.bundle.classes.top
    task.end()
    return told


def _step(
    task: RehearsedTask,
    dojo: Environment,
    case: Case,
    call: tuple[str, str, dict[str, Json]],
    *,
    attacker: bool,
) -> Step:
    name, tool, args = call
    questions, extended = 0, False

    def answered(asked: RehearsedCall | Extension) -> bool:
        nonlocal questions
        questions += 1
        if case.approver is Approver.NOBODY:
            return False
        if attacker and case.approver is Approver.CAREFUL:
            task.deny(asked)
            return False
        task.approve(asked, most=task.offered(asked) if case.bounded else 1)
        return True

    first = last = task.call(tool, args)
    if case.planned and last.outcome == "deny" and names_extension(last):
        grown = task.extend(tool)
        extended = grown.holds
        if grown.decision is not None and grown.decision.outcome == "defer" and answered(grown):
            grown = task.extend(tool)
        if grown.holds:
            last = task.call(tool, args)
    if last.outcome == "defer" and answered(last):
        last = task.call(tool, args)
    if last.permitted:
        text, error = dojo.call(name, args)
        task.result(last, text, error=error)
    request = last.request
    effect = request is not None and request.tool.effect is not Effect.NONE
    return Step(attacker, tool, args, first, last, effect, questions, extended)


def names_extension(refused: RehearsedCall) -> bool:
    """Return whether a refusal says that an extension of the plan would help."""
    return any(EXTENSION.search(reason.remediation) for reason in refused.reasons)


def tool_ids(rehearsal: Rehearsal, suite: Suite) -> dict[str, str]:
    """Return the ids of a suite's tools by the names that the suite has for them.

    A suite may be an upstream; the tools of AgentDojo's are spread over several.
    """
    tools = rehearsal.stage.services.tools.registry.all()
    own = [tool for tool in tools if tool.upstream == suite.name]
    return {tool.name: tool.id for tool in own or tools}


def rehearsal_of(suites: list[Suite], bundle: Path = BUNDLE) -> Rehearsal:
    """Put a bundle in force, with one task type for each suite that grants all of its tools."""
    rehearsal = Rehearsal(bundle)
    for suite in suites:
        ids = tool_ids(rehearsal, suite)
        rehearsal.task_type(
            suite.name,
            grants=[ids[name] for name in suite.tools],
            purpose="help one person with what they ask for",
        )
    return rehearsal
