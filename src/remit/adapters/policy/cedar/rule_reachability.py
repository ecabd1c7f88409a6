# SPDX-License-Identifier: Apache-2.0
"""Finds rules that can never apply, and permits that no other rule bounds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from remit.adapters.policy.cedar.conditions import Conditions
from remit.adapters.policy.cedar.index import RuleIndex
from remit.adapters.policy.cedar.rule import CedarRule, Scope
from remit.adapters.policy.cedar.schema import GROUPS
from remit.core.json_value import Json
from remit.core.tools.tool import Effect, Tool
from remit.ports.policy import Problem

_EFFECTS: Final = {("Action", f"effect:{effect}"): effect.value for effect in Effect}
#: The audience of a call that reaches only the person behind the task, whatever the tool's file says.
_ONESELF: Final = "self"
_PRINCIPAL: Final = "Agent"
#: A condition that has none of these reads no fact of `_facts`.
_TOLD: Final = (b'{"Var":"resource"}', b'"attr":"effect"', b'"attr":"audience"')
MAX_NAMED: Final = 3


def never_applies(rule: CedarRule, conditions: Conditions, met: Sequence[Tool]) -> Iterator[Problem]:
    """Yield a problem if no call can meet a rule's conditions; `met` are the tools in its scope."""
    clash = conditions.impossible(rule.policy, _scoped(rule.action))
    if clash is not None:
        yield rule.problem(
            f"this rule never applies: {contradicted(clash)}",
            at=_first(rule, clash),
            # A rule that says `false` is off, as its author knows.
            severity="error" if clash else "warning",
            remediation="write `||` in place of `&&` where one of several is enough, or remove the rule",
        )
        return
    if not met or not _named(rule) or not any(one in rule.canonical for one in _TOLD):
        return
    policy, last = rule.policy, None
    for tool in met:
        if (last := conditions.impossible(policy, _facts(tool))) is None:
            return
    if last is not None:
        tools = _list(dict.fromkeys(tool.id for tool in met))
        yield rule.problem(
            f"this rule never applies to {tools}: {contradicted(last)}",
            at=_first(rule, last),
            severity="warning",
            remediation="compare its conditions with the descriptions of these tools in `tools/`",
        )


def unbounded(rules: Sequence[CedarRule], forms: Iterable[Tool]) -> Iterator[Problem]:
    """Yield a warning for each permit of calls with an effect, or to outsiders, that no rule may forbid."""
    index = RuleIndex(rules)
    free: dict[int, dict[str, None]] = {}
    seen: set[tuple[str, Effect]] = set()
    for tool in forms:
        if (tool.effect is Effect.NONE and tool.audience.name != "external") or (
            tool.id,
            tool.effect,
        ) in seen:
            continue
        seen.add((tool.id, tool.effect))
        covering = index.for_tool(tool)
        bounds = {rules[number].principal for number in covering if not rules[number].permits}
        if any(_wider(one, Scope()) for one in bounds):
            continue
        for number in covering:
            permit = rules[number]
            if permit.permits and not any(_wider(one, permit.principal) for one in bounds):
                free.setdefault(number, {})[tool.id] = None
    for number, tools in free.items():
        yield rules[number].problem(
            f"no rule bounds what this permits: {_list(tools)}",
            severity="warning",
            remediation="add a rule that forbids what must not happen there; `remit init` writes guardrails",
        )


def _wider(one: Scope, other: Scope) -> bool:
    """Return whether one scope certainly matches whatever another one matches."""
    if one.type not in ("", _PRINCIPAL, other.type):
        return False
    if one.uids is not None:
        return other.uids is not None and other.uids <= one.uids
    return one.below is None or (other.below is not None and other.below <= one.below)


def _scoped(action: Scope) -> dict[str, frozenset[Json]]:
    """Return what the scope of a rule says of the call's effect."""
    named = action.uids if action.uids is not None else action.below
    if named is None or not named <= _EFFECTS.keys():
        return {}
    return {"context.effect": frozenset(_EFFECTS[uid] for uid in named)}


def _named(rule: CedarRule) -> bool:
    """Return whether a rule names tools or upstreams; other rules wait for tools to come."""
    named = {name for scope in (rule.action,) for _, name in (scope.uids or scope.below or ())}
    return rule.resource != Scope() or bool(named - set(GROUPS))


def _facts(tool: Tool) -> dict[str, frozenset[Json]]:
    """Return what facts are for every call of a tool in this form."""
    facts: dict[str, frozenset[Json]] = {
        "context.effect": frozenset({tool.effect.value}),
        "context.audience": frozenset({tool.audience.name, _ONESELF}),
        "resource.name": frozenset({tool.name}),
        "resource.upstream": frozenset({tool.upstream}),
        "resource.production": frozenset({tool.production}),
        "resource.financial": frozenset({tool.financial}),
    }
    return facts


def contradicted(clash: Sequence[str]) -> str:
    """Return in words which facts contradict each other."""
    named = [f"`{one}`" for one in clash if not one.startswith("{")]
    return f"no value of {_list(named)} meets its conditions" if named else "its conditions never hold"


def _first(rule: CedarRule, clash: Sequence[str]) -> str:
    names = (one.rpartition(".")[2] for one in clash if not one.startswith("{"))
    return next((name for name in names if name in rule.text), "")


def _list(names: Iterable[str]) -> str:
    shown = list(names)
    more = len(shown) - MAX_NAMED
    told = [one if one.startswith("`") else f"`{one}`" for one in shown[:MAX_NAMED]]
    return ", ".join(told) + (f" and {more} more" if more > 0 else "")
