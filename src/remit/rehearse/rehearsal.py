# SPDX-License-Identifier: Apache-2.0
"""Rehearsals: tasks, calls and results as they would go through the gateway, each in one line of a test.

The interface is synchronous. The services run on a separate event loop in a separate thread, so that the
interface works anywhere, also inside a running event loop.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from remit.core.canonical import digest
from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.approval import Approval
from remit.core.decisions.decision import Outcome, PolicyAnswer
from remit.core.endings.closure import Closure
from remit.core.errors import Conflict, Malformed
from remit.core.identity.principals import Role
from remit.core.json_value import Json
from remit.core.label import Label
from remit.core.tasks.grant import GrantTemplate
from remit.core.tasks.plan import PlanWish
from remit.core.tasks.task import HandDown, Parameter, Task, TaskState, TaskType
from remit.ports.policy import RuleInForce
from remit.rehearse.call import RehearsedCall, finish
from remit.rehearse.stage import BY, RehearsalStage
from remit.services.decisions.plan_changes import Extension
from remit.services.tasks.opening_rules import DelegatedOpening, Opening

_T = TypeVar("_T")

AGENT = "rehearsed-agent"
PERSON = "rehearsed-person"
APPROVER = "rehearsal-approver"


def _asked(call: RehearsedCall | Extension) -> str:
    """Return the approval that was requested for a call; raise `Conflict` if none was."""
    decision = call.decision
    if decision is None or decision.outcome is not Outcome.DEFER or not decision.approval:
        raise Conflict(f"this call has no approval: {call!r}", remediation="approve a deferred call")
    return decision.approval


def _approvers(found: Approval) -> list[tuple[str, tuple[str, ...]]]:
    """Return as many approvers, each with the groups, as a question needs."""
    people: list[tuple[str, tuple[str, ...]]] = [
        (f"{APPROVER}-{digest(one.group)[7:15]}-{number}", (one.group,))
        for one in found.approvers
        if one.group
        for number in range(one.count)
    ]
    more = range(found.needed - len(people))
    return people + [(f"{APPROVER}-{number}" if number else APPROVER, ()) for number in more]


class RehearsedTask:
    """An open task. Made by `Rehearsal.open`."""

    def __init__(self, rehearsal: Rehearsal, task: Task, person: str) -> None:
        """Keep a task that was opened."""
        self._r = rehearsal
        self._task = task
        self._person = person
        self._label = task.label
        #: All calls so far, in order.
        self.calls: list[RehearsedCall] = []
        #: The result of the end, once the task has ended.
        self.closure: Closure | None = None

    @property
    def id(self) -> str:
        """The task's id, also in the evidence."""
        return self._task.id

    @property
    def label(self) -> Label:
        """The joined label of everything that the task has read so far."""
        live = self._r.stage.services.tasks.live.get(self.id)
        if live is not None:
            self._label = live.label
        return self._label

    @property
    def refused(self) -> list[RehearsedCall]:
        """The calls that did not continue: denied, or waiting for a person."""
        return [call for call in self.calls if not call.permitted]

    def call(self, tool: str, arguments: Mapping[str, Json] | None = None) -> RehearsedCall:
        """Make a call as the agent would, through steps 1 to 7; `tool` is `upstream/name`.

        A refusal is an answer, not an exception. A permitted call waits for `result`.
        """
        if not tool.partition("/")[0] or not tool.partition("/")[2]:
            raise Malformed(f"`{tool[:80]}` is not a tool name", remediation="write `upstream/tool`")
        given = dict(arguments or {})
        made = RehearsedCall(self.id, tool, given, self._r.run(self._r.stage.start(self.id, tool, given)))
        self.calls.append(made)
        return made

    def result(self, call: RehearsedCall, given: Json, *, error: bool = False) -> Json:
        """Set the tool's result, and take it through steps 8 and 9: labels, provenance, outcome.

        `given` is text, or JSON; `error` is the tool's own error flag. Returns what the agent gets, as an MCP
        result. Raises `Conflict` for a call that does not wait for a result, `Fenced` if the task has ended
        since then, and `Malformed` for an invalid result; then the call still waits.
        """
        if call.task != self.id:
            raise Conflict(
                "the call is of another task", remediation="give the result to the task that made the call"
            )
        if not call.permitted:
            raise Conflict(
                f"the call was not permitted: {call!r}", remediation="give results only to permitted calls"
            )
        return self._r.run(finish(call.run, given, error=error))

    def read(self, tool: str, arguments: Mapping[str, Json] | None, given: Json) -> RehearsedCall:
        """Make a call, and give its result if it is permitted: `call` and `result` in one."""
        made = self.call(tool, arguments)
        if made.permitted:
            self.result(made, given)
        return made

    def user(self, text: str) -> None:
        """Add a user message of the person who requested the task; raises `Forbidden` if there is none."""
        person = self._r.run(self._r.stage.person(self._person)) if self._person else None
        if person is None:
            raise Conflict("no person requests this task", remediation="open it with `on_behalf_of`")
        self._r.run(self._r.stage.services.tasks.tasks.add_message(self.id, text, person))

    def extend(self, *plan: PlanWish) -> Extension:
        """Ask for an extension of the plan, as the agent would; a refusal or a pending approval is in the
        answer.
        """
        return self._r.run(self._r.stage.services.decisions.plans.extend(self.id, plan, by=self._task.agent))

    def offered(self, call: RehearsedCall | Extension) -> int:
        """Return the most calls that the question about a call offers to permit; 1 for just this once."""
        found = self._r.run(self._r.stage.services.decisions.approvals.get(_asked(call)))
        return found.offer.most if found.offer else 1

    def approve(
        self,
        call: RehearsedCall | Extension,
        *,
        by: str = APPROVER,
        most: int = 1,
        narrow: Mapping[str, Json] | None = None,
    ) -> None:
        """Approve exactly this call, or plan extension, as a person; repeated by the agent, it passes once.

        With `most`, so many calls pass that the question offers. With `narrow` (values by argument) only the
        narrower call passes, which the agent makes. An unknown approver is added. Unless `by`
        names one, as many people of the groups approve it as the rules demand. Raises
        `Conflict` if no approval was requested, `Forbidden` if that person may not decide it, and `Malformed`
        if the question offers less.
        """
        self._answer(call, by, approve=True, most=most, narrow=narrow)

    def deny(self, call: RehearsedCall | Extension, *, by: str = APPROVER) -> None:
        """Refuse exactly this call, or plan extension, as a person. Raises like `approve`."""
        self._answer(call, by, approve=False)

    def _answer(
        self,
        call: RehearsedCall | Extension,
        by: str,
        *,
        approve: bool,
        most: int = 1,
        narrow: Mapping[str, Json] | None = None,
    ) -> None:
        asked, stage = _asked(call), self._r.stage
        approvals = stage.services.decisions.approvals
        found = self._r.run(approvals.get(asked))
        people = _approvers(found) if by == APPROVER else [(by, ())]
        for name, groups in people if approve else people[:1]:
            person = self._r.run(stage.person(name, groups=groups, roles=(Role.APPROVER,)))
            self._r.run(
                approvals.answer(
                    asked,
                    person,
                    approve=approve,
                    most=most,
                    narrow=narrow,
                    session=stage.session_of(person),
                )
            )

    def hand_down(
        self,
        *,
        agent: str,
        tools: Sequence[str] | None = None,
        task: str = "",
        params: Mapping[str, Json] | None = None,
        brief: str = "",
    ) -> RehearsedTask:
        """Hand the task down to another agent, narrowed to `tools`; return the child task.

        Raises as the gateway does: the task type names the agents to which its tasks may be handed down.
        """
        stage = self._r.stage

        async def hand() -> Task:
            await stage.prepare(agent, task, "")
            heir = await stage.services.identity.directory.agent(agent)
            handing = DelegatedOpening(
                task_type=task,
                params=dict(params or {}),
                tools=None if tools is None else tuple(tools),
                brief=brief,
            )
            return await stage.services.tasks.tasks.open_child(self.id, heir, handing)

        return RehearsedTask(self._r, self._r.run(hand()), self._person)

    def end(self, reason: str = "done") -> Closure:
        """Complete the task: from now on every call of it is refused, and waiting calls are cut."""
        _ = self.label  # kept: the live task is released
        services = self._r.stage.services
        self.closure = self._r.run(
            services.endings.revocations.end_task(self.id, reason=reason, by=BY, state=TaskState.COMPLETED)
        )
        return self.closure


class Rehearsal:
    """A bundle in force, in services that store nothing. Use it as a context manager, or call `close`.

    `bundle` is a folder as `remit init` makes it. A missing part (`remit.yaml`, `policies/`) is replaced by
    the file that `remit init` writes; without `bundle` every part is. `task_types` are added to those of the
    folder. One rehearsal serves any number of tasks, one after the other or at once; making one reads and
    checks the whole bundle. Raises `ConfigInvalid` if the bundle is invalid.
    """

    def __init__(
        self,
        bundle: str | Path | None = None,
        *,
        task_types: Sequence[TaskType] = (),
        own_policies: bool = False,
    ) -> None:
        """Read the bundle and put it in force.

        With `own_policies` its policies are those of `remit init`, unchanged: no process is started to read
        them.
        """
        place = None if bundle is None else Path(bundle)
        self.stage = RehearsalStage(place, task_types, own_policies=own_policies)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="rehearsal", daemon=True)
        self._thread.start()
        self._closed = False
        try:
            self.run(self.stage.open())
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        """Return the rehearsal itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Release everything; safe to call twice."""
        if self._closed:
            return
        self.run(self.stage.close())
        self._closed = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def digest(self) -> str:
        """The digest of the bundle in force, which every decision names."""
        return self.stage.services.policies.applied.digest

    @property
    def rules(self) -> Sequence[RuleInForce]:
        """Every rule in force."""
        return self.stage.services.policies.applied.policy.rules()

    def decided(self, request: AccessRequest) -> PolicyAnswer:
        """Return what the policies answer to a request that was put together elsewhere."""
        policy = self.stage.services.policies.applied.policy
        assert not policy.served, "a rehearsal evaluates policies in its own process"
        return policy.evaluate(request)

    def task_type(
        self,
        name: str,
        *,
        grants: Sequence[str | Mapping[str, Json]],
        run_by: Sequence[str] = (),
        requested_by: Sequence[str] = (),
        purpose: str = "is rehearsed",
        parameters: Mapping[str, Parameter] | None = None,
        hand_down_to: Sequence[str] = (),
        requires_person: bool = True,
    ) -> TaskType:
        """Add a task type beside those of the folder; return it.

        A grant is a tool's id, which permits calls with any arguments, or a mapping in the form of `grants`
        in a file of `tasks/`. Without `run_by` and `requested_by` any agent may run it, and any person may
        request it. Raises `ConfigInvalid`.
        """
        templates = tuple(
            GrantTemplate(one, other_arguments=True)
            if isinstance(one, str)
            else GrantTemplate.load(dict(one))
            for one in grants
        )
        made = TaskType(
            name=name,
            purpose=purpose,
            run_by=tuple(run_by) or (AGENT,),
            requested_by=tuple(requested_by) or (PERSON,),
            grants=templates,
            parameters=dict(parameters or {}),
            requires_person=requires_person,
            delegates=HandDown(tuple(hand_down_to)),
        )
        self.run(self.stage.add_type(made, open_to_all=not run_by and not requested_by))
        return made

    def person(self, name: str, *, groups: Sequence[str] = (), roles: Sequence[Role] = ()) -> None:
        """Add a person with these roles, in exactly these groups beside those of `remit.yaml`."""
        self.run(self.stage.add_person(name, tuple(groups), tuple(roles)))

    def agent(
        self, name: str, *, owner: str = "", groups: Sequence[str] = (), environment: str = "development"
    ) -> None:
        """Register an agent with its own key; without `owner` a made-up person answers for it."""
        self.run(self.stage.add_agent(name, owner, tuple(groups), environment))

    def open(
        self,
        *,
        task: str,
        agent: str = AGENT,
        on_behalf_of: str = PERSON,
        intent: str = "",
        params: Mapping[str, Json] | None = None,
        plan: Sequence[PlanWish] | None = None,
    ) -> RehearsedTask:
        """Open a task of a type, requested by `on_behalf_of`, who is signed in and sets the parameters.

        An unknown agent or person is added, in the groups that the task type demands; known ones stay
        unchanged. Agents hold keys, so that no call fails for lack of assurance. With `on_behalf_of=""` the
        agent requests the task itself, if the type permits that. `plan` lists what the work will need: tools
        (`upstream/name`), and where known their arguments (`core.tasks.plan.PlanEntry`). Raises `NotFound`,
        `Forbidden` or `Malformed` as the gateway does.
        """
        opening = Opening(
            agent=agent,
            task_type=task,
            goal=intent,
            params=dict(params or {}),
            on_behalf_of=on_behalf_of,
            plan=None if plan is None else tuple(plan),
        )
        return RehearsedTask(self, self.run(self.stage.open_task(opening)), on_behalf_of)

    def restore(self) -> None:
        """Reset the upstreams: delete everything that tasks wrote there, with its stored labels.

        For rehearsals of each case in a fresh environment. Raises `Conflict` while a call waits for its
        result.
        """
        if self.stage.busy:
            raise Conflict("a call waits for its result", remediation="give the result, or end the task")
        self.run(self.stage.restore())

    def begin(self, moment: datetime) -> None:
        """Let it be `moment` now, for rehearsals that must not depend on the day of their run."""
        self.stage.clock.begin(moment)

    def wait(self, seconds: float) -> None:
        """Let time pass: windows of the history close, tokens and deadlines expire."""
        self.stage.clock.wait(seconds)

    def events(self, *kinds: str, task: str = "") -> list[dict[str, Json]]:
        """Return the evidence so far in the form of `remit audit log --json`.

        Return all events, those of some kinds, or those of one task (by its id).
        """
        return self.run(self.stage.events(task, kinds))

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine on the rehearsal's event loop, and wait for it; for features that this interface
        lacks.
        """
        if self._closed:
            work.close()
            raise Conflict("the rehearsal is closed", remediation="make a new rehearsal")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()
