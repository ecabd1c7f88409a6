# SPDX-License-Identifier: Apache-2.0
"""Budget accounts: where the ceilings of grants are counted, for a task and for its ancestors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final

import msgspec

from remit.core.json_value import Json
from remit.core.tasks.delegated_task import account_of
from remit.core.tasks.grant import Grant
from remit.core.tasks.task import Budgets, Task
from remit.core.tools.tool import Tool
from remit.ports.store.changes import TakeBudget
from remit.ports.store.tasks import Usage

_UNUSED: Final = Usage()
_SELF: Final = "self"

#: The budgets that reported model calls use up, in words.
MODEL_BUDGETS: Final = {"tokens": "model tokens", "spend": "money for model calls"}

#: For each grant, the accounts in which its own ceilings are counted, and the amount of each.
Ceilings = tuple[tuple[tuple[str, int], ...], ...]


class DrawnBudget(msgspec.Struct, frozen=True):
    """The ceilings of one grant, counted in one account: of the task itself, or of an ancestor."""

    account: str
    calls: int | None
    amounts: Mapping[str, int | float]

    def takes(self, arguments: dict[str, Json]) -> list[TakeBudget]:
        """Return what a call with these arguments takes."""
        out = []
        if self.calls is not None:
            out.append(TakeBudget({f"{self.account}#": Budgets(calls=self.calls)}, calls=1))
        for name, total in self.amounts.items():
            bound = Budgets(calls=_millionths(total, ROUND_FLOOR))
            spent = _millionths(arguments[name], ROUND_CEILING)
            out.append(TakeBudget({f"{self.account}#{name}": bound}, calls=spent))
        return out

    def bounds(self) -> list[tuple[str, Budgets]]:
        """Return the account of each ceiling, with its amount."""
        out = [] if self.calls is None else [(f"{self.account}#", Budgets(calls=self.calls))]
        out += [
            (f"{self.account}#{name}", Budgets(calls=_millionths(total, ROUND_FLOOR)))
            for name, total in self.amounts.items()
        ]
        return out


def drawn_from(task: Task, ancestors: Iterable[Task]) -> dict[Grant, tuple[DrawnBudget, ...]]:
    """Return, for each grant of a task, the ceilings of its ancestors' grants that it was narrowed from.

    The ceilings of an unknown ancestor are closed: nothing can be taken from them.
    """
    known = {account_of(one, grant): grant for one in ancestors for grant in one.grants}
    out: dict[Grant, tuple[DrawnBudget, ...]] = {}
    for grant in task.grants:
        accounts = task.drawn_from.get(grant.digest, ())
        out[grant] = tuple(_drawn(account, known.get(account)) for account in accounts)
    return out


def _drawn(account: str, grant: Grant | None) -> DrawnBudget:
    return (
        DrawnBudget(account, grant.calls, grant.amounts) if grant is not None else DrawnBudget(account, 0, {})
    )


def grant_account(task: Task, grant: Grant, argument: str = "") -> str:
    """Return the account of a grant's ceiling: on calls, or on the sum of an argument in millionths."""
    return f"{account_of(task, grant)}#{argument}"


def work_account(task_id: str) -> str:
    """Return the account in which the calls that complete a task are counted."""
    return f"{task_id}#ends-after"


def work_done(task: Task, used: Mapping[str, Usage]) -> str:
    """Return why the work of a task is done; empty while it is not. `used`: what its accounts have spent."""
    done = task.ends_after and used.get(work_account(task.id), _UNUSED).calls
    return done_by(task.ends_after) if done else ""


def done_by(tools: Iterable[str]) -> str:
    """Return why work is done of which a call of these tools is the last."""
    return f"its work is done: a call of {' or '.join(f'`{one}`' for one in tools)} succeeded, or may have"


def model_account(task_id: str, budget: str) -> str:
    """Return the account of a task's model calls: of their `tokens`, or of what they cost (`spend`)."""
    return f"{task_id}#model#{budget}"


def sent_account(task_id: str) -> str:
    """Return the account of the bytes that a task has sent."""
    return f"{task_id}##sent"


def sent_bytes(tool: Tool, arguments: dict[str, Json]) -> int:
    """Return the bytes of a call's arguments, as JSON, that leave the agent's own sphere."""
    return 0 if tool.audience.name == _SELF or not arguments else len(msgspec.json.encode(arguments))


def own_accounts(task: Task) -> frozenset[str]:
    """Return the accounts that belong to a task alone."""
    out = {task.id, work_account(task.id)} if task.ends_after else {task.id}
    out |= {model_account(task.id, name) for name in MODEL_BUDGETS if getattr(task.budgets, name) is not None}
    if task.budgets.sent_bytes is not None:
        out.add(sent_account(task.id))
    for grant in task.grants:
        if grant.calls is not None:
            out.add(grant_account(task, grant))
        out.update(grant_account(task, grant, name) for name in grant.amounts)
    return frozenset(out)


def ceilings(task: Task) -> Ceilings:
    """Return, for each grant of a task, the accounts that it takes from, and the amount of each.

    Returns nothing where a grant has no ceiling: then the grants are never all used up.
    """
    found = []
    for grant in task.grants:
        own = DrawnBudget(account_of(task, grant), grant.calls, grant.amounts)
        held = tuple((account, bound.calls) for account, bound in own.bounds() if bound.calls is not None)
        if not held:
            return ()
        found.append(held)
    return tuple(found)


def used_up(task: Task, used: Mapping[str, Usage], held: Ceilings | None = None) -> str:
    """Return which of a task's own budgets now blocks every call; empty while a call can pass.

    `used` is what the accounts have spent; `held` are the task's `ceilings`, where the caller knows them.
    """
    budgets, spent = task.budgets, used.get(task.id, _UNUSED)
    if budgets.calls is not None and spent.calls >= budgets.calls:
        return f"its budget of {budgets.calls} call{'' if budgets.calls == 1 else 's'} is used up"
    if budgets.result_bytes is not None and spent.result_bytes >= budgets.result_bytes:
        return f"its budget of {budgets.result_bytes} result bytes is used up"
    for name, what in MODEL_BUDGETS.items():
        bound = getattr(budgets, name)
        if bound is not None and used.get(model_account(task.id, name), _UNUSED).calls >= bound:
            return f"its budget of {what} is used up"
    held = ceilings(task) if held is None else held
    if held and all(any(used.get(name, _UNUSED).calls >= most for name, most in one) for one in held):
        return "the ceilings of all its grants are used up"
    return ""


def _millionths(value: float, rounding: str) -> int:
    """Return a number in whole millionths: sums of these never drift, as sums of floats do."""
    return int((Decimal(repr(value)) * 1_000_000).to_integral_value(rounding))


def added(usage: Usage, take: TakeBudget, sign: int) -> Usage:
    """Return a usage with a take added (`sign` 1) or removed (-1)."""
    return Usage(
        usage.calls + sign * take.calls,
        usage.effectful_calls + sign * take.effectful_calls,
        usage.result_bytes + sign * take.result_bytes,
    )
