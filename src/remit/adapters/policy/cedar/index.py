# SPDX-License-Identifier: Apache-2.0
"""Finds the rules that can apply to a call.

The index by tool and agent makes unrelated rules cost nothing, at a call and in the check of all tools.

INVARIANT: a rule that is left out for a call cannot match the call by its scope alone. Cedar evaluates a
condition only if the scope matches, so the answer, including errors, equals the answer of the whole set.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from remit.adapters.policy.cache import RecentAnswers
from remit.adapters.policy.cedar.reads import Uid
from remit.adapters.policy.cedar.rule import CedarRule
from remit.adapters.policy.cedar.schema import CALL, GROUPS, groups_of
from remit.core.identity.principals import Agent
from remit.core.tools.tool import Tool

_EVERY: Final = ("Action", CALL)


def action_closure(tool: Tool) -> tuple[Uid, frozenset[Uid]]:
    """Return a tool's action and all its ancestors, itself included."""
    own = ("Action", tool.id)
    return own, frozenset({own, *(("Action", group) for group in groups_of(tool))})


def resource_closure(tool: Tool) -> tuple[Uid, frozenset[Uid]]:
    """Return a tool as a resource and all its ancestors, itself included."""
    own = ("Tool", tool.id)
    return own, frozenset({own, ("Upstream", tool.upstream)})


def principal_closure(agent: Agent) -> tuple[Uid, frozenset[Uid]]:
    """Return an agent and all its ancestors, itself included."""
    own = ("Agent", agent.name)
    return own, frozenset({own, *(("Group", group) for group in agent.groups)})


def scope_uids(rule: CedarRule) -> frozenset[Uid] | None:
    """Return entities of which one is an ancestor of every tool, or of its action, that a rule can match.

    `None` if the scope names none. Of two sets, the one that names single tools is returned.
    """
    scopes = (rule.action.named, rule.resource.named)
    return max((uids for uids in scopes if uids is not None), key=names_tools, default=None)


def names_tools(uids: frozenset[Uid]) -> bool:
    """Return whether entities are single tools or their actions: no groups, no upstreams."""
    return all(kind == "Tool" or (kind == "Action" and name not in GROUPS) for kind, name in uids)


def about_every_call(rule: CedarRule) -> bool:
    """Return whether a rule's scope names no agent, no tool and no group of them."""
    return all(one.named is None for one in (rule.principal, rule.resource)) and (
        rule.action.uids is None and (rule.action.below is None or _EVERY in rule.action.below)
    )


class RuleIndex:
    """Finds rules by the tool and the agent of a call."""

    def __init__(self, rules: Sequence[CedarRule], *, tools_kept: int = 2048) -> None:
        """Index `rules`; the rules of each tool are determined at its first call."""
        self._rules = rules
        self._by_uid: dict[Uid | None, list[int]] = {}
        for number, rule in enumerate(rules):
            uids = scope_uids(rule)
            for uid in (None,) if uids is None else uids:
                self._by_uid.setdefault(uid, []).append(number)
        self._by_tool: RecentAnswers[tuple[str, str, str], tuple[int, ...]] = RecentAnswers(tools_kept)

    def for_tool(self, tool: Tool) -> tuple[int, ...]:
        """Return the numbers of the rules whose action and resource can match `tool`."""
        key = (tool.upstream, tool.name, tool.effect.value)
        found = self._by_tool.get(key)
        if found is None:
            action, resource = action_closure(tool), resource_closure(tool)
            near = {
                number for uid in (None, *action[1], *resource[1]) for number in self._by_uid.get(uid, ())
            }
            found = self._by_tool.put(
                key,
                tuple(
                    number
                    for number in sorted(near)
                    if self._rules[number].action.matches(*action)
                    and self._rules[number].resource.matches(*resource)
                ),
            )
        return found

    def candidates(self, tool: Tool, agent: Agent) -> tuple[int, ...]:
        """Return the numbers of the rules that can match a call of `tool` by `agent`."""
        principal = principal_closure(agent)
        rules = self._rules
        return tuple(number for number in self.for_tool(tool) if rules[number].principal.matches(*principal))
