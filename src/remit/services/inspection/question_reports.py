# SPDX-License-Identifier: Apache-2.0
"""Count the questions to people in the evidence, and those that are like an open one."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final

import msgspec

from remit.core.decisions.approval import Approval
from remit.core.decisions.question_report import QuestionCount, QuestionFigures
from remit.core.errors import NotFound
from remit.core.evidence.event import EventKind
from remit.core.evidence.merkle import leaf_hash
from remit.core.json_value import Json
from remit.ports.store.approvals import ApprovalStore
from remit.ports.store.log import Entry
from remit.services.decisions.approvals import Approvals
from remit.services.decisions.authorizer import Authorizer
from remit.services.evidence.log import Evidence

#: Events that are read at most, the newest, and by default.
MOST: Final = 100_000
USUAL: Final = 10_000
PAGE: Final = 1_000
_KINDS: Final = (
    EventKind.DECISION_MADE,
    EventKind.REFUSALS_COUNTED,
    EventKind.APPROVAL_REQUESTED,
    EventKind.APPROVAL_DECIDED,
)


class AlikeQuestions(msgspec.Struct, frozen=True, kw_only=True):
    """Recorded questions like one that offers several calls: the same tool, the same arguments except for the
    texts, and no rule that this one does not waive.

    `read` decisions were looked at. `passed` of the `questions` would not have been asked, if the first one
    of each of the `tasks` had been answered with what is offered.
    """

    read: int
    questions: int
    tasks: int
    passed: int
    approved: int
    denied: int


class QuestionHistory:
    """Reads questions to people from the evidence. Nothing is recorded and nothing changes."""

    def __init__(
        self,
        *,
        log: Evidence,
        store: ApprovalStore,
        authorizer: Authorizer,
        approvals: Approvals,
        tenant: str,
    ) -> None:
        """Take the dependencies."""
        self._log = log
        self._store = store
        self._authorizer = authorizer
        self._approvals = approvals
        self._tenant = tenant

    async def figures(self, limit: int = USUAL) -> QuestionFigures:
        """Return the figures of the newest `limit` events about calls and questions."""
        count = QuestionCount()
        found = [(entry.kind, record) async for entry, record in newest(self._log, limit, _KINDS)]
        for kind, record in reversed(found):
            facts, at = record["facts"], datetime.fromisoformat(record["at"])
            match kind:
                case EventKind.APPROVAL_REQUESTED:
                    count.asked(facts, at)
                case EventKind.APPROVAL_DECIDED:
                    count.ended(facts, at)
                case _:
                    count.decided(facts)
        return count.figures()

    async def alike(self, approval_id: str, limit: int = USUAL) -> AlikeQuestions:
        """Return the recorded questions that are like one; raise `NotFound` if it offers just this once."""
        one = await self._approvals.get(approval_id)
        if one.offer is None:
            raise NotFound(
                f"approval `{one.id}` offers just this once",
                code="not-offered",
                remediation="approve exactly this call, or narrow it",
            )
        wanted, rules = self._same(one, one.arguments), {(rule.id, rule.digest) for rule in one.rules}
        read = 0
        found: dict[str, str] = {}
        async for entry, record in newest(self._log, limit, (EventKind.DECISION_MADE,)):
            read += 1
            facts = record["facts"]
            asked = str(facts.get("approval", ""))
            if facts["outcome"] != "defer" or facts["tool"] != one.tool or asked in ("", one.id):
                continue
            arguments = (entry.opened or {}).get("arguments")
            if not rules.issuperset(map(tuple, facts["rules"])) or not isinstance(arguments, dict):
                continue
            if self._same(one, arguments) == wanted:
                found[asked] = entry.task
        states = Counter([await self._state(asked) for asked in found])
        by_task = Counter(found.values())
        return AlikeQuestions(
            read=read,
            questions=len(found),
            tasks=len(by_task),
            # In the task of this question, this answer is the first.
            passed=sum(
                min(many, one.offer.most - 1) if task == one.task else min(many, one.offer.most) - 1
                for task, many in by_task.items()
            ),
            approved=states["approved"],
            denied=states["denied"],
        )

    def _same(self, one: Approval, arguments: dict[str, Json]) -> tuple[dict[str, Json], frozenset[str]]:
        """Return the parts of a call that stay as they are, and the names of its texts."""
        assert one.offer is not None
        parts = self._authorizer.tool(one.tool).called_with(arguments).parts(arguments)
        texts = frozenset(name for name in parts if name in one.offer.texts)
        return {name: value for name, value in parts.items() if name not in texts}, texts

    async def _state(self, approval_id: str) -> str:
        found = await self._store.approval(self._tenant, approval_id)
        if found is None or not found.decided_by:
            return ""
        return "denied" if found.state.value == "denied" else "approved"


async def newest(
    log: Evidence, limit: int, kinds: tuple[EventKind, ...]
) -> AsyncIterator[tuple[Entry, dict[str, Any]]]:
    """Yield the newest events of these kinds, as far as the store has not changed them."""
    at, left = await log.size(), min(limit, MOST)
    while left > 0 and at > 0:
        page = await log.pages(before=at, limit=min(left, PAGE), kinds=kinds)
        if not page:
            return
        at, left = page[0].index, left - len(page)
        for entry in reversed(page):
            if leaf_hash(entry.leaf) == entry.leaf_hash:
                yield entry, msgspec.json.decode(entry.leaf)
