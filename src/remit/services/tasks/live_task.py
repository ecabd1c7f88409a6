# SPDX-License-Identifier: Apache-2.0
"""One bound task: its label, lease, budget use, index of data it has seen, and pending calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from remit.core.circumstances.circumstances import BudgetUse
from remit.core.decisions.access_request import AccessRequest
from remit.core.endings.suspension import task_scope
from remit.core.errors import BudgetExhausted, Busy, Conflict
from remit.core.evidence.event import CallOutcome
from remit.core.flow.provenance import Index
from remit.core.flow.records.participants import addressees
from remit.core.flow.stated_amounts import joined, payments
from remit.core.flow.task_index import begun
from remit.core.identity.principals import Agent
from remit.core.json_value import Json
from remit.core.label import Classes, Label, Trust
from remit.core.oauth.access_token import AccessClaims
from remit.core.tasks.delegated_task import account_of
from remit.core.tasks.grant import Grant
from remit.core.tasks.history import FamilyHistory
from remit.core.tasks.plan import Plan
from remit.core.tasks.task import Budgets, Task
from remit.core.tools.tool import RESERVED_OPERATIONS, Tool, ToolState
from remit.ports.store.changes import CountHistory, Take, TakeBudget
from remit.ports.store.tasks import Usage
from remit.services.tasks.budgets import (
    MODEL_BUDGETS,
    Ceilings,
    DrawnBudget,
    added,
    ceilings,
    done_by,
    model_account,
    own_accounts,
    sent_account,
    sent_bytes,
    used_up,
    work_account,
    work_done,
)
from remit.services.tasks.calls_in_flight import LiveCall

_UNUSED: Final = Usage()
_MAY_HAVE_WORKED: Final = (CallOutcome.OK, CallOutcome.UNKNOWN)
_BOUNDED: Final = ("calls", "effectful_calls", "result_bytes")
#: Tokens of a task that are remembered for its end.
MAX_TOKENS = 32


class HeardList(msgspec.Struct, frozen=True, eq=False):
    """What a task has seen of one list (`services.mediation.lists`).

    It has the `numbers` of the visible entries, out of those that were `judged`, under these grants and this
    plan, and the index that they were taken into.
    """

    numbers: frozenset[int]
    judged: frozenset[int]
    grants: Mapping[str, tuple[Grant, ...]]
    plan: Plan | None
    index: Index


class LiveFamily:
    """The history of a family, shared by its bound tasks, and the turn of its calls."""

    def __init__(self) -> None:
        """Begin before the history is read."""
        self.turn = asyncio.Lock()
        self.history: FamilyHistory | None = None
        #: The ownership under which it was read.
        self.under: tuple[str, int] | None = None


class LiveTask:
    """A bound task, owned by one event loop.

    While the task lives, label, budgets and index are kept only here. Label and budgets are in the store as
    well, `index` is not: a task that is bound again after it has made calls knows only its intent, and no
    longer trusts any other data.
    """

    #: The family's history, once a decision has needed it (`services.tasks.histories`).
    family: LiveFamily | None = None
    #: What has raised the label since the evidence was told, if that was not a call.
    raised_by = ""
    #: The task is being declassified: it takes no calls.
    lowering = False
    open_calls = 0
    #: The tools of which a call completes each ancestor; set by `LiveTasks`.
    completing: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    #: What ancestors that are not bound have used, as the store said before this call.
    stored: Mapping[str, Usage] = MappingProxyType({})

    def __init__(
        self,
        task: Task,
        agent: Agent,
        *,
        used: dict[str, Usage],
        ancestors: dict[str, Budgets],
        now_boot_s: float,
        key: bytes,
        drawn: Mapping[Grant, tuple[DrawnBudget, ...]] | None = None,
        bound: Callable[[str], LiveTask | None] = lambda _: None,
        types: tuple[str, ...] = (),
    ) -> None:
        """Bind a task that is active now; `used` is what its accounts have spent so far, `key` is random.

        `drawn` returns the ancestors' ceilings that a call under a grant also counts against; `bound` finds
        the ancestors that are bound; `types` are the types of the ancestors.
        """
        self.task = task
        self.agent = agent
        #: The root task of the family, by which the family is owned.
        self.root = task.lineage[-1].task if task.lineage else task.id
        self.label: Label = task.label
        #: The label that the store is known to hold: a higher label goes into every commit.
        self.kept_label: Label = task.label
        #: The label in the evidence.
        self.told_label: Label = task.label
        self.bounds = {**ancestors, task.id: task.budgets}
        self.bounds_bytes = any(one.result_bytes is not None for one in self.bounds.values())
        self.unbounded = dict.fromkeys(self.bounds, Budgets())
        self.own = own_accounts(task)
        self.scopes = task.scopes
        #: The scopes of this task and its ancestors, any of which may be suspended.
        self.task_scopes = tuple(task_scope(name) for name in (task.id, *task.ancestors))
        self.types = frozenset((task.type, *types))
        self.authority_hash = task.authority_hash
        #: Tokens of the task that were issued or shown here: the expiry of each, and its grant.
        self.tokens: dict[str, tuple[int, str]] = {}
        self.in_hand: set[LiveCall] = set()
        self.lease_until_s = now_boot_s + task.lease_s if task.lease_s else None
        self.idle_until_s = now_boot_s + task.idle_s if task.idle_s else None
        #: The deadline on the boot-time clock, which cannot be set back; set by `LiveTasks`.
        self.ends_s = float("inf")
        self.grants = _by_tool(task)
        self._scopes_by_tool: dict[str, tuple[str, ...]] = {}
        self._used = used
        self._reserved: dict[str, Usage] = {}
        self._drawn = drawn or {}
        #: The ceilings of the task's own grants; computed on first use.
        self._ceilings: Ceilings | None = None
        self._bound = bound
        parent = bound(task.parent)
        #: Number of permitted calls, which is also the number of the last one.
        self.calls = used.get(task.id, Usage()).calls
        self.index: Index = begun(task, key, calls=self.calls, above=parent.index if parent else None)
        self.index.clean.plan((task.plan or ()) if self.is_clean else ())
        #: Bytes of this task already counted in what all tasks remember (`services.flow.memory_limit`).
        self.counted_bytes = 0
        #: Held while a result is taken in: one result at a time, however long it is.
        self.learning = asyncio.Lock()
        self.messages_heard = len(task.intent.messages)
        #: What the task has seen of lists, by upstream and kind.
        self.heard: dict[tuple[str, str], HeardList] = {}

    def show(self, claims: AccessClaims) -> None:
        """Remember a token of the task, since the task's end reports each token. Forget expired ones."""
        if claims.token_id in self.tokens:
            return
        for over in [name for name, (expires, _) in self.tokens.items() if expires <= claims.issued]:
            del self.tokens[over]
        if len(self.tokens) >= MAX_TOKENS:
            del self.tokens[next(iter(self.tokens))]
        self.tokens[claims.token_id] = claims.expires, claims.grant_id

    def call_scopes(self, tool: str) -> tuple[str, ...]:
        """Return the scopes of a call to `tool`."""
        found = self._scopes_by_tool.get(tool)
        if found is None:
            found = self._scopes_by_tool[tool] = self.task.call_scopes(tool)
        return found

    def sees(self, tool: Tool, *, observed: bool) -> bool:
        """Return whether the task may know of a tool.

        It holds a grant, or nothing is refused there (`observed`).
        """
        if tool.name in RESERVED_OPERATIONS or "inputSchema" not in tool.surface:
            return False
        if tool.state is ToolState.GONE or not (observed or tool.id in self.grants):
            return False
        # A changed tool is suspended; where nothing is refused it stays usable.
        return tool.state is not ToolState.CHANGED or observed

    def check_room(self, most: int) -> None:
        """Raise `Busy` where the task has `most` pending calls, or is being declassified."""
        if self.open_calls >= most:
            raise Busy(
                f"task `{self.task.id}` has {self.open_calls} calls in progress",
                remediation="wait for one to end",
            )
        if self.lowering:
            raise Busy(
                f"a declassification of task `{self.task.id}` is in progress", remediation="call again"
            )

    def renew(self, now_boot_s: float) -> None:
        """Start the lease again."""
        if self.task.lease_s:
            self.lease_until_s = now_boot_s + self.task.lease_s

    def lapsed(self, now_boot_s: float) -> bool:
        """Return whether the lease was not renewed in time, or the task was idle for too long."""
        return (self.lease_until_s is not None and now_boot_s >= self.lease_until_s) or (
            self.idle_until_s is not None and not self.in_hand and now_boot_s >= self.idle_until_s
        )

    def touch(self, now_boot_s: float) -> None:
        """Restart the idle time: the task is in use."""
        if self.task.idle_s:
            self.idle_until_s = now_boot_s + self.task.idle_s

    def rise(self, label: Label, classes: Classes) -> bool:
        """Join `label` into the task's label; return whether the task's label rose."""
        joined = self.label.join(label, classes)
        if joined == self.label:
            return False
        self.label = joined
        return True

    def rose_beside(self, decided: Label, own: Label, classes: Classes) -> bool:
        """Return whether another call has raised the label since a call was decided under `decided`."""
        return self.label is not decided and self.label != decided.join(own, classes)

    def narrow(self, task: Task) -> None:
        """Hold less from now on: cut pending calls to withdrawn or narrowed tools.

        What was used up of the remaining grants stays used up.
        """
        before, self.grants = self.grants, _by_tool(task)
        lost = {tool for tool, grants in before.items() if self.grants.get(tool) != grants}
        self.task = task
        self.own = own_accounts(task)
        self._ceilings = None
        self.bounds[task.id] = task.budgets
        self.bounds_bytes = any(one.result_bytes is not None for one in self.bounds.values())
        for call in list(self.in_hand):
            if call.tool in lost:
                call.stop()

    def redraw(self, drawn: Mapping[Grant, tuple[DrawnBudget, ...]]) -> None:
        """Count against the current ceilings of ancestors."""
        self._drawn = drawn

    def used_up(self) -> str:
        """Return which of the task's own budgets now blocks every call; empty while a call can pass."""
        if self._ceilings is None:
            self._ceilings = ceilings(self.task)
        return used_up(self.task, self._used, self._ceilings)

    def work_done(self) -> str:
        """Return why the task's work is done; empty while it is not."""
        return work_done(self.task, self._used)

    def worked(self, tool: str, outcome: CallOutcome) -> tuple[TakeBudget, ...]:
        """Count a call that completes the task or an ancestor; return what the store counts.

        INVARIANT: a call that may have taken effect counts, so that no agent makes a task last by giving its
        completing calls up.
        """
        if outcome not in _MAY_HAVE_WORKED:
            return ()
        known = {**self.completing, self.task.id: self.task.ends_after}
        done = [work_account(name) for name, tools in known.items() if tool in tools]
        if not done:
            return ()
        take = TakeBudget(dict.fromkeys(done, Budgets()), calls=1)
        for account in done:
            # Of an ancestor that is not bound, this task remembers it until the store knows it.
            (self._owner(account) or self).book(account, take, held=0, used=1)
        return (take,)

    def _check_work(self) -> None:
        """Raise `BudgetExhausted` where the work of this task, or of one above it, is done."""
        for one in (self, *self.above()):
            if why := one.work_done():
                raise _work_done(why)
        for name, tools in self.completing.items():
            account = work_account(name)
            counted = (self._used.get(account, _UNUSED), self.stored.get(account, _UNUSED))
            if tools and any(one.calls for one in counted):
                raise _work_done(done_by(tools))

    def unbound_above(self) -> list[str]:
        """Return the ancestors of this task that are not bound."""
        names = self.task.ancestors
        return [name for name in names if self._bound(name) is None] if names else []

    def unbound_accounts(self) -> list[str]:
        """Return accounts of ancestors that are not bound: of calls, bytes, model and completing calls."""
        names = self.unbound_above()
        found = [*names, *(work_account(one) for one in names if self.completing.get(one))]
        for name in names:
            found += [
                model_account(name, one)
                for one in MODEL_BUDGETS
                if getattr(self.bounds[name], one) is not None
            ]
            if self.bounds[name].sent_bytes is not None:
                found.append(sent_account(name))
        return found

    def budget_use(self) -> BudgetUse:
        """Return what is used of the task's budgets, and what is left of them and of those above it."""
        mine = self.account_use(self.task.id)
        spends = {
            account: self.stored[account]
            if (owner := self._owner(account)) is None
            else owner.account_use(account)
            for account in self.bounds
        }
        left: dict[str, int] = {}
        for account, bounds in self.bounds.items():
            spent = spends[account]
            for name in _BOUNDED:
                if (bound := getattr(bounds, name)) is not None:
                    rest = max(bound - getattr(spent, name), 0)
                    left[name] = min(left.get(name, rest), rest)
        return BudgetUse(
            calls=mine.calls,
            effectful_calls=mine.effectful_calls,
            result_bytes=mine.result_bytes,
            family_calls=spends[self.root].calls,
            calls_left=left.get("calls"),
            effectful_calls_left=left.get("effectful_calls"),
            result_bytes_left=left.get("result_bytes"),
            tokens_left=self._model_left("tokens"),
            spend_left=self._model_left("spend"),
            sent_bytes_left=self._left("sent_bytes", sent_account),
        )

    def account_use(self, account: str) -> Usage:
        """Return what one of the task's own accounts has used, and what calls on their way have reserved."""
        used, held = self._used.get(account, _UNUSED), self._reserved.get(account, _UNUSED)
        return Usage(
            used.calls + held.calls,
            used.effectful_calls + held.effectful_calls,
            used.result_bytes + held.result_bytes,
        )

    def spend(self, request: AccessRequest) -> None:
        """Use up the statements of the intent that a call relies on.

        Raises `Conflict` where another call has used a statement for something else since this call was
        decided, or where the task holds less than then.
        """
        if request.task.grants is not self.task.grants and request.task.grants != self.task.grants:
            raise Conflict(
                "the task has fewer grants since the decision", code="task-narrowed", remediation="call again"
            )
        facts, statement, parts = (
            request.flow.facts,
            self.index.statement,
            request.tool.parts(request.arguments),
        )
        if addressees(self.index, request.tool, request.arguments).fact != facts.participants:
            raise Conflict(
                "the participants may have changed since the decision",
                code="participants-changed",
                remediation="call again",
            )
        again = statement.repeats(request.tool, parts) and not facts.repeated
        statement.owed.pay(request.tool, payments(joined(request.tool, parts)))
        if (self.index.spend(request.tool, request.arguments) and not facts.spent) or again:
            raise Conflict(
                "the stated value has been used for another call since the decision",
                code="intent-used",
                remediation="call again",
            )

    @property
    def is_clean(self) -> bool:
        """Whether neither this task nor a task above it has ever carried untrusted data.

        A lowered label does not count: the agent has read what it was lowered for.
        """
        if self.label.trust is not Trust.TRUSTED or self.task.lowered is not None:
            return False
        return all(one.label.trust is Trust.TRUSTED and one.task.lowered is None for one in self.above())

    def above(self) -> list[LiveTask]:
        """Return the bound ancestors of this task."""
        names = self.task.ancestors
        return [one for name in names if (one := self._bound(name)) is not None] if names else []

    def takes(
        self, grant: Grant | None, arguments: dict[str, Json], *, effectful: bool, tool: Tool | None = None
    ) -> tuple[TakeBudget, ...]:
        """Return the takes of a call: from the task and its ancestors, and from the ceilings of its grant.

        `tool` is the one that the arguments are sent to, in the form of this call.
        """
        out = [TakeBudget(self.bounds, calls=1, effectful_calls=int(effectful))]
        bounds = {
            sent_account(name): Budgets(calls=one.sent_bytes)
            for name, one in self.bounds.items()
            if one.sent_bytes is not None
        }
        if bounds and tool is not None and (size := sent_bytes(tool, arguments)):
            out.append(TakeBudget(bounds, calls=size))
        if grant is not None and (grant.calls is not None or grant.amounts):
            own = DrawnBudget(account_of(self.task, grant), grant.calls, grant.amounts)
            for one in (own, *(self._drawn.get(grant, ()) if self._drawn else ())):
                out += one.takes(arguments)
        return tuple(out)

    def reserve(self, takes: tuple[TakeBudget, ...]) -> None:
        """Reserve budget for a call that is being decided.

        Raises `BudgetExhausted`, and then reserves nothing. The commit of step 5 counts it for good, against
        all ancestors too.
        """
        self._check_work()
        for take in takes:
            for account, budgets in take.bounds.items():
                owner = self._owner(account)
                if owner is not None:
                    owner.check_account(account, budgets, take)
        for name, what in MODEL_BUDGETS.items():
            if self._model_left(name) == 0:
                text = f"the task's budget of {what} is used up"
                raise BudgetExhausted(text, remediation="open a new task", step=4)
        for take in takes:
            self._book(take, held=1)

    def check_account(self, account: str, budgets: Budgets, take: TakeBudget) -> None:
        """Raise `BudgetExhausted` where one of the task's own accounts cannot pay."""
        used, held = self._used.get(account, _UNUSED), self._reserved.get(account, _UNUSED)
        for bound, spent, wanted, word in (
            (budgets.calls, used.calls + held.calls, take.calls, ""),
            (
                budgets.effectful_calls,
                used.effectful_calls + held.effectful_calls,
                take.effectful_calls,
                "effectful calls",
            ),
            (budgets.result_bytes, used.result_bytes + held.result_bytes, 1, "result bytes"),
        ):
            if bound is not None and wanted and spent + wanted > bound:
                raise _exhausted(account, word)

    def settle(self, takes: tuple[Take, ...], *, taken: bool) -> None:
        """Turn a reservation into use, or release it."""
        for take in takes:
            if type(take) is TakeBudget:
                self._book(take, held=-1, used=int(taken))
            elif type(take) is CountHistory and self.history is not None:
                self.history.settle(take.entries, taken=taken)

    @property
    def history(self) -> FamilyHistory | None:
        """What counters keep of the family, if it was read."""
        return self.family.history if self.family is not None else None

    def calls_so_far(self) -> tuple[int, int]:
        """Return how many calls this task and its descendants have made, and how many of them change
        something; calls in progress count.
        """
        used, held = (one.get(self.task.id, _UNUSED) for one in (self._used, self._reserved))
        return used.calls + held.calls, used.effectful_calls + held.effectful_calls

    def count_result(self, size_bytes: int) -> TakeBudget:
        """Count the bytes of a result, against all ancestors too; return the take."""
        take = TakeBudget(self.unbounded, result_bytes=size_bytes)
        self._book(take, used=1)
        return take

    def model_takes(self, tokens: int, cost: int | None) -> tuple[TakeBudget, ...]:
        """Return the takes of a model call: from this task and those above that have budgets for it.

        A call without a price uses budgets of money up.
        """
        out = []
        for budget, amount in (("tokens", tokens), ("spend", cost)):
            bounds = {
                model_account(name, budget): bound
                for name, one in self.bounds.items()
                if (bound := getattr(one, budget)) is not None
            }
            if bounds:
                taken = max(bounds.values()) if amount is None else amount
                out.append(TakeBudget(dict.fromkeys(bounds, Budgets()), calls=taken))
        return tuple(out)

    def count_model_call(self, takes: tuple[TakeBudget, ...]) -> None:
        """Count a model call that was recorded."""
        for take in takes:
            self._book(take, used=1)

    def _model_left(self, budget: str) -> int | None:
        return self._left(budget, lambda name: model_account(name, budget))

    def _left(self, budget: str, account_of: Callable[[str], str]) -> int | None:
        """Return what is left of a budget with own accounts, here and above; None where nothing bounds it."""
        left = []
        for name, bounds in self.bounds.items():
            if (bound := getattr(bounds, budget)) is not None:
                account = account_of(name)
                owner = self._owner(account)
                used = owner.account_use(account) if owner else self.stored.get(account, _UNUSED)
                left.append(max(bound - used.calls, 0))
        return min(left, default=None)

    def _owner(self, account: str) -> LiveTask | None:
        """Return the bound task that an account belongs to; an ancestor may not be bound."""
        return self if account in self.own else self._bound(account.partition("#")[0])

    def _book(self, take: TakeBudget, *, held: int = 0, used: int = 0) -> None:
        for account in take.bounds:
            if (owner := self._owner(account)) is not None:
                owner.book(account, take, held=held, used=used)

    def book(self, account: str, take: TakeBudget, *, held: int, used: int) -> None:
        """Add a take to one of the task's own accounts: `held` times to reservations, `used` times to use."""
        if held:
            self._reserved[account] = added(self._reserved.get(account, _UNUSED), take, held)
        if used:
            self._used[account] = added(self._used.get(account, _UNUSED), take, used)


def _work_done(why: str) -> BudgetExhausted:
    return BudgetExhausted(why, code="work-done", remediation="open a new task for further work")


def _exhausted(account: str, word: str) -> BudgetExhausted:
    # `task` for its budget, `task#grant#` for a ceiling on calls, `task#grant#argument` on a sum,
    # and `task##sent`.
    _, of_grant, argument = (*account.split("#", 2), "", "")[:3]
    what = "the grant's ceiling on" if of_grant else "the task's budget of"
    spent = word or ((f"`{argument}`" if of_grant else f"{argument} bytes") if argument else "calls")
    return BudgetExhausted(f"{what} {spent} is used up", remediation="open a new task", step=4)


def _by_tool(task: Task) -> dict[str, tuple[Grant, ...]]:
    out: dict[str, tuple[Grant, ...]] = {}
    for grant in task.grants:
        out[grant.tool] = (*out.get(grant.tool, ()), grant)
    return out
