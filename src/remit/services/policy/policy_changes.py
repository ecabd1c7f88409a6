# SPDX-License-Identifier: Apache-2.0
"""What differs between two bundles, in words; whatever may permit more is marked.

INVARIANT: a change without a mark permits no call that was refused before. Where this is not evident from the
form of a change, the change is marked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal

import msgspec

from remit.core.decisions.approvers import ApproverDemand
from remit.core.policy.bundle import Bundle
from remit.core.tasks.model_prices import ModelPrices
from remit.core.tasks.task import Budgets, TaskType
from remit.ports.policy import RuleInForce

Wider = Literal["yes", "maybe", "no"]
Kind = Literal["added", "removed", "changed", "renamed", "reworded"]


class PolicyChange(msgspec.Struct, frozen=True, kw_only=True):
    """One difference: of a `rule`, `tool`, `task-type`, `counter`, HTTP `api`, the data `classes`, the
    `ceilings` of agents, owners and people, or the `prices` of models.

    `wider`: whether the change permits more (`yes`), may do so (`maybe`), or cannot (`no`). `before` and
    `after` are texts of rules; `fields` are what differs of a tool or a task type.
    """

    of: Literal["rule", "tool", "task-type", "counter", "api", "classes", "ceilings", "prices"]
    kind: Kind
    name: str
    words: str
    wider: Wider
    before: str = ""
    after: str = ""
    fields: tuple[str, ...] = ()


_RANK: Final[Mapping[Wider, int]] = {"yes": 0, "maybe": 1, "no": 2}
_MAYBE: Final[Wider] = "maybe"
_VERBS: Final = {"permits": "permits", "refuses": "refuses", "asks": "asks an approver"}


def changes(
    before: Bundle, after: Bundle, rules_before: Sequence[RuleInForce], rules_after: Sequence[RuleInForce]
) -> list[PolicyChange]:
    """Return every difference of two bundles: first what may permit more, then by kind and name."""
    found = [
        *_rules({one.id: one for one in rules_before}, {one.id: one for one in rules_after}),
        *_tools(before, after),
        *_task_types(before, after),
        *_counters(before, after),
        *_rest(before, after),
    ]
    return sorted(found, key=lambda one: (_RANK[one.wider], one.of, one.name))


def widest(found: Sequence[PolicyChange]) -> Wider:
    """Return whether any of some changes permits more, or may do so."""
    return min((one.wider for one in found), key=_RANK.__getitem__, default="no")


def _rules(before: Mapping[str, RuleInForce], after: Mapping[str, RuleInForce]) -> list[PolicyChange]:
    found = []
    gone = {name: rule for name, rule in before.items() if name not in after}
    for name, rule in after.items():
        old = before.get(name)
        if old is None:
            twin = next((one for one in gone.values() if _same(one, rule)), None)
            if twin is None:
                found.append(_added(rule))
            else:
                del gone[twin.id]
                words = f"`{twin.id}` is now called `{name}`: approvals that wait for it ask again"
                found.append(_change("renamed", rule, words, "no", twin))
        elif old.digest != rule.digest:
            found.append(_changed(old, rule))
    return [*found, *(_removed(rule) for rule in gone.values())]


def _same(one: RuleInForce, other: RuleInForce) -> bool:
    return (_extends(one), one.does, one.obligations, one.bounds, one.approvers) == (
        _extends(other),
        other.does,
        other.obligations,
        other.bounds,
        other.approvers,
    )


def _extends(rule: RuleInForce) -> tuple[str, tuple[str, ...]]:
    return rule.scope, rule.conditions


def _change(
    kind: Kind, rule: RuleInForce, words: str, wider: Wider, old: RuleInForce | None = None
) -> PolicyChange:
    after = "" if kind == "removed" else rule.text
    before = rule.text if kind == "removed" else old.text if old else ""
    return PolicyChange(
        of="rule", kind=kind, name=rule.id, words=words, wider=wider, before=before, after=after
    )


def _added(rule: RuleInForce) -> PolicyChange:
    words = f"a rule that {_VERBS[rule.does]}{_why(rule)}"
    return _change("added", rule, words, "yes" if rule.does == "permits" else "no")


def _removed(rule: RuleInForce) -> PolicyChange:
    words = f"a rule that {_VERBS[rule.does]} is gone{_why(rule)}"
    if rule.obligations:
        words += f"; another permit may not demand {_quoted(rule.obligations)}"
    # A permit that can err refuses wherever it does.
    wider: Wider = "yes" if rule.does != "permits" else "maybe" if rule.errs or rule.obligations else "no"
    return _change("removed", rule, words, wider)


def _changed(old: RuleInForce, new: RuleInForce) -> PolicyChange:
    if _same(old, new):
        words = f"only its words: {new.reason or 'no reason is given any more'}"
        return _change("reworded", new, words, "no", old)
    said = [_effect(old, new), *_demands(old, new), *_bounds(old, new), *_approvers(old, new)]
    wider = min((one for _, one in said), key=_RANK.__getitem__)
    return _change("changed", new, "; ".join(words for words, _ in said), wider, old)


def _effect(old: RuleInForce, new: RuleInForce) -> tuple[str, Wider]:
    """Return in words what differs in what a rule does and for which calls, and whether this permits more."""
    wider: Wider = "yes"
    same = _extends(old) == _extends(new)
    # Calls that an obliging permit no longer covers may be permitted by one that obliges to less.
    open_ = old.errs or bool(old.obligations)
    if old.does != new.does:
        if old.does == "permits":
            wider = "maybe" if open_ else "no"
        elif new.does == "refuses" and same:
            wider = "no"
        return f"{_VERBS[old.does]} -> {_VERBS[new.does]}", wider
    if same:
        return _VERBS[new.does], "no"
    words, fewer = _extent(old, new)
    permits = new.does == "permits"
    if fewer is None:
        wider = "maybe"
    elif fewer == permits:
        # A permit that applies to fewer calls, or a refusal that applies to more. A rule refuses where it
        # errs, so a condition that can err and is gone may have refused.
        wider = "maybe" if open_ else "no"
    return f"{_VERBS[new.does]}; {words}", wider


def _demands(old: RuleInForce, new: RuleInForce) -> Iterator[tuple[str, Wider]]:
    """Yield what a permit demands no more, and what it demands now."""
    before, after = set(old.obligations), set(new.obligations)
    if old.does != new.does:
        return
    if gone := before - after:
        yield f"{_quoted(gone)} no longer demanded", "yes"
    if more := after - before:
        yield f"{_quoted(more)} newly demanded", "no"


def _bounds(old: RuleInForce, new: RuleInForce) -> Iterator[tuple[str, Wider]]:
    """Yield for how many calls one approval counts now, where that differs."""
    if old.does != new.does:
        return
    for of, before, after in zip(("calls", "high-risk calls"), old.bounds, new.bounds, strict=True):
        if before != after:
            words = f"one approval permits {max(after, 1)} {of} at most, not {max(before, 1)}"
            yield words, "yes" if after > before else "no"


def _approvers(old: RuleInForce, new: RuleInForce) -> Iterator[tuple[str, Wider]]:
    """Yield which people must answer now, where that differs."""
    if old.does != new.does or old.approvers == new.approvers:
        return
    before, after = old.approvers or ApproverDemand(), new.approvers or ApproverDemand()
    fewer = after.count < before.count or (before.group and not after.group)
    wider: Wider = "yes" if fewer else "maybe" if before.group and before.group != after.group else "no"
    yield f"it asks {after.words}, not {before.words}", wider


def _quoted(obligations: Iterable[str]) -> str:
    return ", ".join(f"`{one}`" for one in sorted(obligations))


def _extent(old: RuleInForce, new: RuleInForce) -> tuple[str, bool | None]:
    """Return in words what differs, and whether the rule now applies to fewer calls; None if that is open."""
    if old.scope != new.scope:
        return "its scope differs", None
    before, after = set(old.conditions), set(new.conditions)
    if before < after:
        return f"{_counted(after - before)} more, so it applies to fewer calls", True
    if after < before:
        return f"{_counted(before - after)} less, so it applies to more calls", False
    return "its conditions differ", None


def _counted(conditions: set[str]) -> str:
    return "one condition" if len(conditions) == 1 else f"{len(conditions)} conditions"


def _why(rule: RuleInForce) -> str:
    return f": {rule.reason}" if rule.reason else ""


def _tools(before: Bundle, after: Bundle) -> list[PolicyChange]:
    return _entries(
        "tool",
        before.tools,
        after.tools,
        added=("is described now, and no longer counts as the worst case", "maybe"),
        removed="has no description any more, and counts as the worst case",
    )


def _task_types(before: Bundle, after: Bundle) -> list[PolicyChange]:
    return _entries(
        "task-type",
        before.task_types,
        after.task_types,
        added=("a new task type, with its grants", "yes"),
        removed="no task of this type can be opened any more",
    )


def _counters(before: Bundle, after: Bundle) -> list[PolicyChange]:
    # A rule that reads a counter cannot be in force without it, so the rule is another change.
    return _entries(
        "counter",
        {one.name: one for one in before.history},
        {one.name: one for one in after.history},
        added=("a new counter; it counts from now on, also in open tasks", "no"),
        removed="nothing is counted under this name any more",
    )


def _entries(
    of: Literal["tool", "task-type", "counter"],
    before: Mapping[str, msgspec.Struct],
    after: Mapping[str, msgspec.Struct],
    *,
    added: tuple[str, Wider],
    removed: str,
) -> list[PolicyChange]:
    """Return the changes by name; `added` and `removed` are their words, and whether an addition is wider."""
    found = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if old is None:
            words, wider = added
            found.append(PolicyChange(of=of, kind="added", name=name, words=words, wider=wider))
        elif new is None:
            found.append(PolicyChange(of=of, kind="removed", name=name, words=removed, wider="no"))
        else:
            found.append(_fields(of, name, old, new))
    return found


def _rest(before: Bundle, after: Bundle) -> list[PolicyChange]:
    found = []
    if before.classes != after.classes:
        words = "the data classes, or what an audience may learn, differ"
        found.append(PolicyChange(of="classes", kind="changed", name="classes", words=words, wider="maybe"))
    for name in sorted(before.apis.keys() | after.apis.keys()):
        old, new = before.apis.get(name), after.apis.get(name)
        if old is None or new is None or old.routes != new.routes:
            words = "its operations differ"
            found.append(PolicyChange(of="api", kind="changed", name=name, words=words, wider="maybe"))
    if before.ceilings != after.ceilings:
        words = "what tasks of agents, owners or people are granted at most differs"
        found.append(PolicyChange(of="ceilings", kind="changed", name="ceilings", words=words, wider="maybe"))
    if before.prices != after.prices:
        words, wider = _repriced(before.prices, after.prices)
        found.append(PolicyChange(of="prices", kind="changed", name="prices", words=words, wider=wider))
    return found


def _repriced(old: ModelPrices, new: ModelPrices) -> tuple[str, Wider]:
    """Return what another table of prices means for budgets of money: what costs less permits more of it."""
    if old.currency != new.currency or old.models.keys() != new.models.keys():
        return "budgets of money count other models, or in another currency", "maybe"
    lower, higher = set[str](), set[str]()
    for name, one in old.models.items():
        for was, now in zip(*map(msgspec.structs.astuple, (one, new.models[name])), strict=True):
            (lower if now < was else higher if now > was else set()).add(name)
    words = [f"`{name}` costs less: budgets of money permit more of it" for name in sorted(lower)]
    words += [f"`{name}` costs more" for name in sorted(higher - lower)]
    return "; ".join(words), "yes" if lower else "no"


def _budgets(old: Budgets, new: Budgets) -> tuple[str, Wider]:
    """Return which budgets of a task type differ, and whether one of them permits more; None is no bound."""
    words, wider = [], False
    for field in msgspec.structs.fields(old):
        was, now = getattr(old, field.name), getattr(new, field.name)
        if was != now:
            raised = was is not None and (now is None or now > was)
            wider = wider or raised
            text = f"`{field.name}` from {_bound(was)} to {_bound(now)}"
            words.append(f"{text}, which permits more" if raised else text)
    return ", ".join(words), "yes" if wider else "no"


def _bound(value: int | None) -> str:
    return "no bound" if value is None else f"{value:,}"


def _fields(
    of: Literal["tool", "task-type", "counter"], name: str, old: msgspec.Struct, new: msgspec.Struct
) -> PolicyChange:
    differing = tuple(
        field.name
        for field in msgspec.structs.fields(old)
        if getattr(old, field.name) != getattr(new, field.name)
    )
    words, wider = f"differs in {', '.join(differing)}", _MAYBE
    if isinstance(old, TaskType) and isinstance(new, TaskType) and old.budgets != new.budgets:
        budgets, raised = _budgets(old.budgets, new.budgets)
        words += f": {budgets}"
        wider = raised if raised == "yes" or differing == ("budgets",) else wider
    if of == "counter" and differing != ("this_call",):
        words += ", and starts again"
    return PolicyChange(of=of, kind="changed", name=name, words=words, wider=wider, fields=differing)
