# SPDX-License-Identifier: Apache-2.0
"""Access reviews of agents: a person certifies, trims or removes what an agent is granted.

1. A reviewer is shown a sheet: what the agent is granted, by which task types and proofs of identity, and
   what it used of that in a window of the log. Its two digests say what was shown.
2. A review answers each task type of the sheet. If anything granted has changed since, it is refused.
3. Where the configuration wants a second person for what is sensitive, one who does not own the agent agrees
   to the same answers. Until then the review only waits.
4. A review changes no authority by itself. What is to be trimmed or removed is drafted, as a diff of the file
   of its task type, for people to apply as they apply every policy change.
5. A review that is due opens a finding, which only a review resolves. If none is given, the owner's
   substitute or the administrators are told, or the agent is suspended, as the configuration says.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Final

import msgspec
import yaml

from remit.core.errors import Conflict, Forbidden, Malformed
from remit.core.evidence.event import Event
from remit.core.evidence.events.identity import AgentReviewed, ReviewOverdue
from remit.core.findings.finding import FindingState
from remit.core.findings.kinds import FindingKind
from remit.core.identity.access_review import (
    AccessReview,
    ReviewAnswer,
    ReviewRecord,
    ReviewRule,
    TypeAnswer,
    UseWindow,
    due_at,
    grants_digest,
    shown_digest,
)
from remit.core.identity.principals import TEAM, Agent, AgentState, Memberships, Person
from remit.core.identity.workload import workload_of
from remit.core.json_value import Json
from remit.core.policy.bundle import Bundle, file_digest, kept_form
from remit.core.tasks.task import Task, TaskType
from remit.ports.runtime import Clock
from remit.ports.store.changes import Change, CheckValue, PutValue
from remit.ports.store.sign_in import SignInStore
from remit.ports.store.units import Unit
from remit.services.decisions.absences import absence_of
from remit.services.findings.findings import Findings
from remit.services.identity.directory import Directory
from remit.services.identity.permissions import Duty, may
from remit.services.inspection.grant_use import GrantedUse, GrantedUseReports, named_by
from remit.services.inspection.task_type_patch import difference, without_agent, without_tools
from remit.services.policy.bundle import Policies
from remit.services.separation.sign_in_methods import hands_of

#: Prefix of what is stored.
REVIEW: Final = "access-review:"
#: How long a sheet stays fresh once events follow it, and how long a review waits for a second person.
FRESH: Final = timedelta(days=1)
WAIT: Final = timedelta(days=7)
LONGEST_COMMENT: Final = 2_000
#: Due reviews that are looked at.
_MOST_DUE: Final = 100_000


class ReviewedType(msgspec.Struct, frozen=True, kw_only=True):
    """A task type that names the agent: its tools, and the name or groups by which it does."""

    name: str
    purpose: str
    tools: tuple[str, ...]
    by: tuple[str, ...]


class ReviewSheet(msgspec.Struct, frozen=True, kw_only=True):
    """What a reviewer is shown. `grants` and `shown` are the digests of the grants and of all of it."""

    agent: Agent
    task_types: tuple[ReviewedType, ...]
    use: GrantedUse
    grants: str
    shown: str
    record: ReviewRecord
    due: datetime | None


class GivenReview(msgspec.Struct, frozen=True, kw_only=True):
    """What a reviewer answers, with the digests and the window of the sheet."""

    grants: str
    shown: str
    window: UseWindow
    answers: tuple[TypeAnswer, ...]
    comment: str = ""


class ReviewDraft(msgspec.Struct, frozen=True, kw_only=True):
    """What a review asked for and is not in force yet: a diff of one file, or why there is none (`note`).

    `others` are other names that run the task type: a trim takes the tools from them as well.
    """

    task_type: str
    answer: ReviewAnswer
    tools: tuple[str, ...]
    file: str = ""
    diff: str = ""
    others: tuple[str, ...] = ()
    note: str = ""


class AccessReviews:
    """Shows sheets, takes reviews, drafts what they ask for, and looks after those that are due."""

    def __init__(
        self,
        *,
        store: SignInStore,
        clock: Clock,
        tenant: str,
        directory: Directory,
        findings: Findings,
        policies: Policies,
        members: Memberships,
        use: GrantedUseReports,
        rule: ReviewRule | None,
        second_person: bool,
        file: Callable[[str], bytes | None],
    ) -> None:
        """Take the dependencies. Without a `rule` no review is ever due; `file` reads one of the bundle."""
        self._store = store
        self._clock = clock
        self._tenant = tenant
        self._directory = directory
        self._findings = findings
        self._policies = policies
        self._members = members
        self._use = use
        self.rule = rule
        self.second_person = second_person
        self._file = file

    async def sheet(self, agent: Agent, open_tasks: list[Task]) -> ReviewSheet:
        """Return what a reviewer of an agent is shown now (1)."""
        bundle = self._policies.applied.bundle
        mine = self._types(bundle, agent)
        grants = self._grants(bundle, agent, mine)
        use = await self._use.of(agent, open_tasks)
        record = await self.record(agent.name)
        return ReviewSheet(
            agent=agent,
            task_types=tuple(self._reviewed(one, agent) for one in mine),
            use=use,
            grants=grants,
            shown=shown_digest(grants, use.window, use.counts),
            record=record,
            due=due_at(record, agent.created, self.rule.every) if self.rule and agent.usable else None,
        )

    async def record(self, agent: str) -> ReviewRecord:
        """Return what is kept of an agent's reviews."""
        kept = await self._store.value(self._tenant, REVIEW + agent)
        return msgspec.convert(kept, ReviewRecord) if kept else ReviewRecord(agent=agent)

    async def due(self, before: datetime) -> list[tuple[Agent, ReviewRecord, datetime]]:
        """Return the agents in service whose review is due before a time, the longest due first."""
        if self.rule is None:
            return []
        kept = await self._records()
        found = []
        for agent in await self._directory.agents():
            record = kept.get(agent.name, ReviewRecord(agent=agent.name))
            due = due_at(record, agent.created, self.rule.every)
            if agent.usable and due <= before:
                found.append((agent, record, due))
        return sorted(found, key=lambda one: (one[2], one[0].name))

    async def review(self, agent: Agent, person: Person, given: GivenReview) -> ReviewRecord:
        """Record a review; one that waits for a second person is `waiting` in the record that is returned.

        Raises `Forbidden`, `Malformed`, and `Conflict` where the agent or what it is granted has changed.
        """
        now = self._clock.now()
        if not may_review(agent, person):
            raise Forbidden(
                f"`{person.name}` may not review agent `{agent.name}`",
                code="role",
                remediation="ask its owner or an administrator",
            )
        if agent.state is AgentState.RETIRED:
            raise Conflict(f"agent `{agent.name}` is retired", remediation="nothing is left to review")
        await self._check_shown(agent, given)
        self._check_answers(agent, given)
        record = await self.record(agent.name)
        hands = await hands_of(self._store, self._tenant, person.name, now)
        review = AccessReview(
            by=(person.name,),
            at=now,
            grants=given.grants,
            shown=given.shown,
            window=given.window,
            answers=tuple(sorted(given.answers, key=lambda one: one.task_type)),
            hands=tuple(sorted(hands)),
        )
        first = await self._first_word(agent, person, record, review, hands)
        if self.second_person and first is None:
            after = msgspec.structs.replace(record, waiting=review)
        else:
            by = (*(first.by if first else ()), person.name)
            after = ReviewRecord(agent=agent.name, last=msgspec.structs.replace(review, by=by))
        await self._put(record, after, self._told(agent, after, person, given.comment))
        if after.last is not record.last:
            await self._findings_settled(agent.name, person.name)
        return after

    async def drafts(self, agent: Agent, record: ReviewRecord) -> list[ReviewDraft]:
        """Return what the last review asked for and is still granted, as policy changes (4)."""
        bundle = self._policies.applied.bundle
        asked = [
            one
            for one in (record.last.answers if record.last else ())
            if one.answer is not ReviewAnswer.CERTIFY
        ]
        files = await asyncio.to_thread(self._task_files, bundle) if asked else {}
        drafts = []
        for one in asked:
            task_type = bundle.task_types.get(one.task_type)
            if task_type is None or not named_by(task_type, self._members.of_agent(agent)):
                continue
            left = tuple(tool for tool in one.tools if tool in {grant.tool for grant in task_type.grants})
            if one.answer is ReviewAnswer.REMOVE or left:
                drafts.append(self._draft(agent, task_type, one.answer, left, files.get(one.task_type)))
        return drafts

    async def turn(self) -> None:
        """Open a finding for each agent that is due, and act on those that were not reviewed since (5)."""
        rule, now = self.rule, self._clock.now()
        if rule is None:
            return
        due = await self.due(now)
        kinds = (FindingKind.ACCESS_REVIEW_DUE,)
        open_now = await self._findings.about(state=FindingState.OPEN, kinds=kinds, limit=_MOST_DUE)
        asked = {one.about for one in open_now}
        for agent, record, since in due:
            try:
                # One that was out of service meanwhile is asked about again, and has its whole time.
                if record.asked is None or f"agent:{agent.name}" not in asked:
                    await self._ask(agent, record, since, now + rule.grace)
                elif now >= (record.acted or record.asked) + rule.grace:
                    await self._act(agent, record, now)
            except Conflict:
                continue  # it was reviewed or moved meanwhile: the next turn looks again
        names = {f"agent:{agent.name}" for agent, _, _ in due}
        for one in open_now:
            if one.about not in names:
                await self._findings_settled(one.agent, "remit")

    async def _check_shown(self, agent: Agent, given: GivenReview) -> None:
        """Raise `Conflict` unless a sheet is of the grants in force, and its counts are of the log."""
        bundle, window = self._policies.applied.bundle, given.window
        grants = self._grants(bundle, agent, self._types(bundle, agent))
        later = await self._use.newer_than(window.size) if given.grants == grants else None
        old = later is not None and later < self._clock.now() - FRESH
        if given.grants == grants and not old and await self._use.covers(agent, window):
            counts: dict[str, Counter[str]] = await self._use.counted_in(agent.name, window)
            if given.shown == shown_digest(grants, window, counts):
                return
        raise Conflict(
            f"what agent `{agent.name}` is granted has changed since it was shown, or it was shown long ago",
            code="review-stale",
            remediation="look at it again, and review what it is granted now",
        )

    def _check_answers(self, agent: Agent, given: GivenReview) -> None:
        if len(given.comment) > LONGEST_COMMENT:
            raise Malformed("the comment is too long", remediation=f"write {LONGEST_COMMENT} characters")
        types = {one.name: one for one in self._types(self._policies.applied.bundle, agent)}
        if sorted(one.task_type for one in given.answers) != sorted(types):
            raise Malformed(
                "a review answers each task type of the agent, once",
                code="review-answers",
                remediation=f"answer these: {', '.join(types) or 'none'}",
            )
        for one in given.answers:
            granted, gone = {grant.tool for grant in types[one.task_type].grants}, set(one.tools)
            if bool(gone) is not (one.answer is ReviewAnswer.TRIM) or not gone <= granted:
                raise Malformed(
                    f"`{one.task_type}` is trimmed of tools that it grants, and of no others",
                    code="review-answers",
                    remediation="name tools for `trim` alone",
                )
            if gone == granted and gone:
                raise Malformed(
                    f"nothing would be left of `{one.task_type}`",
                    code="review-answers",
                    remediation="remove the agent from it",
                )

    async def _first_word(
        self, agent: Agent, person: Person, record: ReviewRecord, review: AccessReview, hands: frozenset[str]
    ) -> AccessReview | None:
        """Return the review of another person with the same answers that this one completes (3)."""
        first = record.waiting
        if (
            not self.second_person
            or first is None
            or first.grants != review.grants
            or first.answers != review.answers
            or review.at > first.at + WAIT
            or person.name in first.by
        ):
            return None
        other = await self._store.person(self._tenant, first.by[0])
        if other is None or not may_review(agent, self._members.of_person(other)):
            return None
        if not hands.isdisjoint(first.hands):
            raise Forbidden(
                "the person who reviewed it first may be the same: one made a sign-in code for the other",
                code="code-maker",
                remediation="let another person review it",
            )
        if agent.owned_by(person) and agent.owned_by(self._members.of_person(other)):
            raise Forbidden(
                "both reviewers own the agent",
                code="second-person",
                remediation="let an administrator who does not own it review it too",
            )
        return first

    def _told(self, agent: Agent, after: ReviewRecord, person: Person, comment: str) -> Event:
        review = after.waiting or after.last
        assert review is not None
        of = {kind: [one for one in review.answers if one.answer is kind] for kind in ReviewAnswer}
        told = AgentReviewed(
            grants=review.grants,
            shown=review.shown,
            since=review.window.since.isoformat(),
            first=review.window.first,
            size=review.window.size,
            certified=[one.task_type for one in of[ReviewAnswer.CERTIFY]],
            trimmed={one.task_type: list(one.tools) for one in of[ReviewAnswer.TRIM]},
            removed=[one.task_type for one in of[ReviewAnswer.REMOVE]],
            waits=after.waiting is not None,
            comment=comment,
            first_by="" if len(review.by) == 1 else review.by[0],
            by=person.name,
        )
        return Event.of(told, at=review.at, tenant=self._tenant, agent=agent.name, subject=person.name)

    async def _ask(self, agent: Agent, record: ReviewRecord, since: datetime, until: datetime) -> None:
        last = record.last.at.isoformat() if record.last else ""
        facts: dict[str, Json] = {"due": since.isoformat(), "last": last, "until": until.isoformat()}
        kind, about = FindingKind.ACCESS_REVIEW_DUE, f"agent:{agent.name}"
        sighting = await self._findings.sighting(kind, about, agent.name, facts)
        asked = msgspec.structs.replace(record, asked=self._clock.now(), acted=None)
        await self._put(record, asked, *sighting.unit.events, changes=sighting.unit.changes)
        await self._findings.written(sighting)

    async def _act(self, agent: Agent, record: ReviewRecord, now: datetime) -> None:
        assert self.rule is not None
        assert record.asked is not None
        to = "" if self.rule.suspends else await self._substitute(agent, now)
        if self.rule.suspends:
            reason = f"its access review is overdue since {record.asked.date()}"
            # INVARIANT: an agent that was reviewed meanwhile is not suspended: the same commit checks.
            await self._directory.move(
                agent.name, AgentState.SUSPENDED, by="remit", reason=reason, checks=(self._stands(record),)
            )
        told = ReviewOverdue(asked=record.asked.isoformat(), to=to, suspended=self.rule.suspends)
        event = Event.of(told, at=now, tenant=self._tenant, agent=agent.name)
        await self._put(record, msgspec.structs.replace(record, acted=now), event)

    async def _substitute(self, agent: Agent, now: datetime) -> str:
        """Return who is told in the owner's place: the owner's substitute, else the administrators."""
        away = None if agent.team else await absence_of(self._store, self._tenant, agent.owner)
        return away.substitute if away is not None and away.begins <= now < away.ends else "administrators"

    async def _findings_settled(self, agent: str, by: str) -> None:
        # Scans say what they like about an agent, thousands of times: only this kind is looked for.
        kinds = (FindingKind.ACCESS_REVIEW_DUE,)
        for one in await self._findings.about(f"agent:{agent}", FindingState.OPEN, kinds):
            told = "the agent was reviewed, or is out of service"
            await self._findings.resolve(one.id, by=by, resolution=told, reviewed=True)

    async def _put(
        self, before: ReviewRecord, after: ReviewRecord, *events: Event, changes: Iterable[Change] = ()
    ) -> None:
        """Write what is kept of an agent's reviews, unless another one has done so meanwhile."""
        put = PutValue(self._tenant, REVIEW + after.agent, _kept(after))
        await self._store.commit(Unit((self._stands(before), put, *changes), events))

    def _stands(self, record: ReviewRecord) -> CheckValue:
        """Return the check that no one has reviewed the agent, or been told of it, since this was read."""
        kept = None if record == ReviewRecord(agent=record.agent) else _kept(record)
        return CheckValue(self._tenant, REVIEW + record.agent, kept)

    async def _records(self) -> dict[str, ReviewRecord]:
        kept = await self._store.values(self._tenant, REVIEW)
        return {one.agent: one for one in (msgspec.convert(each, ReviewRecord) for each in kept)}

    def _types(self, bundle: Bundle, agent: Agent) -> list[TaskType]:
        known = self._members.of_agent(agent)
        return [one for _, one in sorted(bundle.task_types.items()) if named_by(one, known)]

    def _reviewed(self, task_type: TaskType, agent: Agent) -> ReviewedType:
        return ReviewedType(
            name=task_type.name,
            purpose=task_type.purpose,
            tools=tuple(dict.fromkeys(grant.tool for grant in task_type.grants)),
            by=_names_of(task_type, self._members.of_agent(agent)),
        )

    def _grants(self, bundle: Bundle, agent: Agent, mine: list[TaskType]) -> str:
        kept = kept_form(Bundle(task_types={one.name: one for one in mine}))
        ceilings = {
            of: msgspec.to_builtins(found.get(name))
            for of, name, found in (
                ("agent", agent.name, bundle.ceilings.agents),
                ("owner", agent.owner, bundle.ceilings.owners),
            )
        }
        return grants_digest(
            agent=agent.name,
            owner=agent.owner,
            workloads=[workload_of(one) for one in agent.bindings],
            ceilings=ceilings,
            task_types=kept["task_types"],
        )

    def _task_files(self, bundle: Bundle) -> dict[str, tuple[str, str]]:
        """Return file name and text by task type, of the files in force that are here."""
        found = {}
        for name, known in bundle.files.items():
            if not name.endswith((".yaml", ".yml")):
                continue
            content = self._file(name)
            if content is None or file_digest(content) != known:
                continue
            try:
                text = content.decode()
                said = yaml.safe_load(text)
            except (ValueError, yaml.YAMLError):
                continue
            if isinstance(said, dict) and isinstance(said.get("task"), str):
                found[said["task"]] = name, text
        return found

    def _draft(
        self,
        agent: Agent,
        task_type: TaskType,
        answer: ReviewAnswer,
        tools: tuple[str, ...],
        source: tuple[str, str] | None,
    ) -> ReviewDraft:
        names = _names_of(task_type, self._members.of_agent(agent))
        groups = [one for one in names if one.startswith(TEAM)]
        others = tuple(one for one in (*task_type.run_by, *task_type.delegates.to) if one not in names)
        draft = ReviewDraft(
            task_type=task_type.name, answer=answer, tools=tools, others=tuple(dict.fromkeys(others))
        )
        if source is None:
            note = (
                "the file of this task type that is in force is not on this machine: change it at its source"
            )
            return msgspec.structs.replace(draft, note=note)
        file, text = source
        if answer is ReviewAnswer.REMOVE and groups:
            note = f"it runs as a member of `{groups[0]}`: take it out of that group"
            return msgspec.structs.replace(draft, file=file, note=note)
        trims = answer is ReviewAnswer.TRIM
        new = without_tools(text, tools) if trims else without_agent(text, agent.name)
        if new is None or (not trims and not others):
            note = (
                "change this file by hand" if others or trims else "no other agent runs it: delete this file"
            )
            return msgspec.structs.replace(draft, file=file, note=note)
        return msgspec.structs.replace(draft, file=file, diff=difference(file, text, new))


def _kept(record: ReviewRecord) -> Json:
    """Return a record as the store gives it back."""
    kept: Json = msgspec.json.decode(msgspec.json.encode(record))
    return kept


def may_review(agent: Agent, person: Person) -> bool:
    """Return whether a person may review an agent: its owner, or an administrator."""
    return person.active and (agent.owned_by(person) or may(person, Duty.ADMINISTER))


def _names_of(task_type: TaskType, agent: Agent) -> tuple[str, ...]:
    """Return the names by which a task type names an agent: its own, or those of its groups."""
    own = (agent.name, *(TEAM + group for group in agent.groups))
    named = {*task_type.run_by, *task_type.delegates.to}
    return tuple(one for one in own if one in named)
