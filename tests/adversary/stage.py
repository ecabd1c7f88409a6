# SPDX-License-Identifier: Apache-2.0
"""The stage of the search: scenes played in one rehearsal, in which candidates are decided by the thousand.

A candidate is described and decided as steps 3 and 4 do it, with the same services, on a task that has read
what the scene prescribes. The candidate is not sent, so that the next candidate finds the task unchanged. A
candidate that passes is played again as a whole, in its own task (`whole`).
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from remit.core.cooperative_steps import finish
from remit.core.decisions.decision import Outcome, weigh
from remit.core.errors import RemitError
from remit.core.flow.facts import FlowFacts
from remit.core.flow.provenance import KEY_BYTES, Index
from remit.core.identity.principals import Principal
from remit.core.tasks.task import Parameter
from remit.core.tools.tool import Effect
from remit.rehearse import Rehearsal
from remit.rehearse.call import RehearsedCall
from remit.rehearse.rehearsal import RehearsedTask
from remit.services.tasks.live_tasks import LiveTask
from tests.adversary.scene import TURN, Flavour, Read, Scene

Json = Any

BUNDLE: Final = Path(__file__).parent / "bundle"
HELPER: Final = "helper"
#: What the agent that a task was handed down to reads by itself: nothing of interest.
DULL: Final = ("office/read_mail", {"folder": "inbox"}, "Lunch is at noon.")


RAISED: Final = "raised"
"""The outcome of a call on which remit fails: nothing is permitted, and the caller learns nothing."""


class Verdict(NamedTuple):
    """What remit says of a candidate: whether it passes with no question, and what was judged."""

    outcome: str
    rules: tuple[str, ...]
    facts: FlowFacts
    provenance: str

    @property
    def permitted(self) -> bool:
        """Whether the call would go."""
        return self.outcome == Outcome.PERMIT

    @property
    def novelty(self) -> tuple[Json, ...]:
        """What tells one way through the rules from another."""
        facts = self.facts
        return (
            *(self.outcome, self.rules, self.provenance, facts.destination, facts.destination_pointed),
            *(
                facts.selector,
                facts.selector_pointed,
                facts.code,
                facts.secret_reached,
                facts.personal_reached,
            ),
            *(facts.content, facts.content_foreign, facts.crossed, facts.spent, facts.closed, facts.anchored),
        )


class Standing(NamedTuple):
    """A task in which calls can be decided: it has made one already."""

    live: LiveTask
    principal: Principal
    now: datetime


class Opened(NamedTuple):
    """A scene that has been played up to the call."""

    scene: Scene
    flavour: Flavour
    standing: Standing

    def call(self, value: Json) -> Call:
        """Return the scene's call with a value in its place."""
        scene = self.scene
        return Call(self.standing, scene.tool, scene.arguments(value), scene.argument)


class Call(NamedTuple):
    """A call to be decided; `argument` is the one that matters."""

    standing: Standing
    tool: str
    arguments: dict[str, Json]
    argument: str = ""


class Stage:
    """One rehearsal with the bundle of the search. A context manager."""

    def __init__(self) -> None:
        """Put the bundle in force; every tool is granted with any arguments."""
        self.rehearsal = Rehearsal(BUNDLE)
        tools = self.rehearsal.stage.services.policies.applied.bundle.tools
        self.rehearsal.task_type(
            "work",
            grants=tuple(sorted(tools)),
            parameters={"value": Parameter(required=False)},
            hand_down_to=(HELPER,),
        )
        self._authorizer = self.rehearsal.stage.services.decisions.authorizer
        self._policies = self.rehearsal.stage.services.policies
        #: A task that has read something, of which others are made.
        self._pattern: Standing | None = None

    def __enter__(self) -> Self:
        """Return the rehearsal itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the rehearsal."""
        self.rehearsal.close()

    def play(self, scene: Scene, flavour: Flavour) -> RehearsedTask:
        """Open a task and have it read what a scene says; gives the task in which the call is made."""
        params = {"value": scene.plain} if flavour is Flavour.PARAMETER else None
        plan = None
        if flavour is Flavour.PLAN:
            plan = tuple(dict.fromkeys((*(one.tool for one in scene.reads), DULL[0], scene.tool)))
        first, *turns = scene.said(flavour).split(TURN)
        task = self.rehearsal.open(task="work", intent=first, params=params, plan=plan)
        for turn in turns:
            task.user(turn)
        for one in scene.reads:
            made = task.read(one.tool, one.arguments, one.result)
            if not made.permitted:
                raise AssertionError(f"{scene.name}, {flavour}: what the scene reads is refused: {made!r}")
        if flavour is Flavour.TURN:
            task.user(scene.said(Flavour.WORDS))
        if flavour is Flavour.CHILD:
            task = task.hand_down(agent=HELPER, brief="do the rest")
            task.read(*DULL)
        return task

    def open(self, scene: Scene, flavour: Flavour) -> Opened:
        """Play a scene for candidates to be decided in."""
        return Opened(scene, flavour, self.standing(self.play(scene, flavour)))

    def sketch(self, words: str, reads: Iterable[Read], params: dict[str, Json] | None = None) -> Standing:
        """Return a task that has these words of a person and these reads, in memory alone: a copy of a task
        that has read something, with its own index.
        """
        if self._pattern is None:
            task = self.rehearsal.open(task="work", intent="Read my mails")
            task.read(*DULL)
            self._pattern = self.standing(task)
        live = copy(self._pattern.live)
        live.index = Index(bytes(KEY_BYTES))
        for turn in words.split(TURN):
            live.index.state(turn, params or {})
        tools = self._policies.applied.bundle.tools
        for at, one in enumerate(reads, 1):
            tool = tools[one.tool]
            finish(
                live.index.learn(one.result, call=at, decision=str(at), tool=tool, arguments=one.arguments)
            )
        return self._pattern._replace(live=live)

    def draft(self, scene: Scene) -> Opened:
        """Play a scene in memory alone, where nothing was done in it but reading."""
        tools = self._policies.applied.bundle.tools
        if any(tools[one.tool].effect is not Effect.NONE for one in scene.reads):
            return self.open(scene, Flavour.WORDS)
        return Opened(scene, Flavour.WORDS, self.sketch(scene.said(Flavour.WORDS), scene.reads))

    def standing(self, task: RehearsedTask) -> Standing:
        """Take a task that has made a call for others to be decided in."""
        live = self.rehearsal.stage.services.tasks.live.get(task.id)
        request = task.calls[-1].request
        assert live is not None
        assert request is not None
        return Standing(live, request.principal, request.now)

    def judge(self, calls: Iterable[Call]) -> list[Verdict]:
        """Decide calls, each in its task."""

        async def every() -> list[Verdict]:
            return [self._decided(call) for call in calls]

        return self.rehearsal.run(every())

    def _decided(self, call: Call) -> Verdict:
        upstream, _, name = call.tool.partition("/")
        live, principal, now = call.standing
        try:
            steps = self._authorizer.describing(principal, live, upstream, name, call.arguments, now)
            request = finish(steps)
            policy = self._policies.applied.policy
            assert not policy.served
            answer = policy.evaluate(request)
        except RemitError as fault:
            return Verdict(Outcome.DENY, (fault.code,), FlowFacts(), "")
        except Exception as fault:  # noqa: BLE001 - that a candidate makes remit raise is a find, too
            return Verdict(RAISED, (type(fault).__name__,), FlowFacts(), "")
        # No approval was given, and every tool is granted with any arguments: policy is all there is to ask.
        outcome, rules = weigh(answer, frozenset())
        judged = request.flow.arguments.get(call.argument)
        judged = judged or request.flow.arguments.get(call.argument.partition("[]")[0])
        return Verdict(
            (Outcome.DENY if answer.obligations else outcome).value,
            tuple(sorted(rule.id for rule in rules)),
            request.flow.facts,
            judged.provenance.value if judged else "",
        )

    def whole(self, scene: Scene, flavour: Flavour, value: Json) -> RehearsedCall:
        """Play a scene again, and make the call through all nine steps; nothing of it is left behind."""
        task = self.play(scene, flavour)
        made = task.call(scene.tool, scene.arguments(value))
        task.end()
        self.rehearsal.restore()
        return made
