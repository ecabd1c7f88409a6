# SPDX-License-Identifier: Apache-2.0
"""The words that the facts of a call can be.

A rule that compares a fact with any other word never applies, and no engine notices: to an engine every
string is as good as another. So the words are listed here, for each fact, for every policy language.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from remit.core.circumstances.circumstances import RISKS, UNATTESTED, UNKNOWN
from remit.core.findings.kinds import FindingKind
from remit.core.identity.principals import Agent, AgentState
from remit.core.identity.workload import Assurance, AttestationMethod
from remit.core.label import Classes
from remit.core.tasks.task import TaskType
from remit.core.tools.tool import RESERVED_OPERATIONS, Effect, Tier, Tool, ToolState

AUDIENCES: Final = ("self", "internal", "external")
GROUP: Final = "group:"
#: Names that remit itself gives meaning or that its defaults use.
_ENVIRONMENTS: Final = ("development", "production")
_CATEGORIES: Final = ("secret",)


class DeclaredNames(msgspec.Struct, frozen=True):
    """The names that the configuration declares: trust zones, groups, AI programmes, time windows, networks.

    `claims` are the claims of identity tokens that policies may read: their types by name.
    """

    zones: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    initiatives: tuple[str, ...] = ()
    windows: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    claims: dict[str, str] = {}


class Words(msgspec.Struct, frozen=True):
    """The words of one fact, and what they are.

    `closed`: the fact is never another word. Otherwise others may be added later. `grows`: it is never
    another word now, and can be one when tools or groups are added. Words that begin with `free` may be any.
    `levels`: the number that another fact has for each word, from `first`, where there is one.
    """

    what: str
    words: tuple[str, ...]
    closed: bool = True
    levels: str = ""
    first: int = 0
    grows: bool = False
    free: str = ""


def vocabulary(
    tools: Sequence[Tool],
    task_types: Iterable[TaskType],
    classes: Classes,
    *,
    agents: Sequence[Agent] = (),
    declared: DeclaredNames | None = None,
    flow: Mapping[str, tuple[str, ...]],
) -> dict[str, Words]:
    """Return the words of each fact that has a limited number of them, by the fact's path.

    `flow` are the words of the facts about a call's flow. Without `declared`, the configuration is not known.
    """
    types = tuple(task_types)
    audience = _audiences(tools, classes, declared)
    effect = Words("an effect", tuple(Effect))
    tier = Words("a tier", tuple(one.word for one in Tier), levels="tier_level")
    data_class = Words("a data class", classes.order)
    ranked = msgspec.structs.replace(data_class, levels="class_level")
    environments = {*_ENVIRONMENTS, *(agent.environment for agent in agents)}
    initiatives = {*(declared.initiatives if declared else ()), *(one.initiative for one in agents)} - {""}
    environment = Words("an environment", tuple(sorted(environments)), closed=False)
    initiative = Words("an AI programme", tuple(sorted(initiatives)), closed=False)
    out = {
        "context.audience": audience,
        "context.audiences": audience,
        "resource.audience": audience,
        "context.effect": effect,
        "resource.effect": effect,
        "context.tier": tier,
        "resource.tier": tier,
        "context.assurance": Words(
            "an assurance level", tuple(one.word for one in Assurance), levels="assurance_level", first=1
        ),
        "context.sink_clearance.class": ranked,
        "resource.data_class": msgspec.structs.replace(data_class, levels="data_class_level"),
        "principal.state": Words("a state of agents", tuple(AgentState)),
        "resource.state": Words("a state of tools", tuple(ToolState)),
        "resource.name": Words(
            "a tool's name",
            tuple(sorted({*RESERVED_OPERATIONS, *(tool.name for tool in tools)})),
            grows=True,
        ),
        "resource.upstream": Words(
            "an upstream", tuple(sorted({tool.upstream for tool in tools})), grows=True
        ),
        "principal.environment": environment,
        "context.task.environment": environment,
        "principal.initiative": initiative,
        "context.task.initiative": initiative,
        "context.task.type": Words("a task type", tuple(sorted(one.name for one in types)), closed=False),
        "context.task.purpose": Words(
            "a purpose of task types", tuple(sorted({one.purpose for one in types})), closed=False
        ),
        **{path: Words("a word of this fact", words) for path, words in flow.items()},
        **_circumstances(declared),
    }
    zones = Words("a trust zone", tuple(sorted(declared.zones if declared else ())), closed=bool(declared))
    for label in ("context.label", "context.task_label"):
        out[f"{label}.class"] = ranked
        out[f"{label}.categories"] = _categories(tools, types, classes)
        out[f"{label}.zones"] = zones
    return out


def _circumstances(declared: DeclaredNames | None) -> dict[str, Words]:
    known, names = bool(declared), declared or DeclaredNames()
    return {
        "context.environment.windows": Words("a time window", tuple(sorted(names.windows)), closed=known),
        "context.environment.network": Words(
            "a network zone", (*sorted(names.networks), UNKNOWN), closed=known
        ),
        "context.environment.risk": Words("a level of risk", RISKS),
        "context.posture.attestation": Words("a method of proof", (*AttestationMethod, UNATTESTED)),
        "context.posture.findings": Words("a kind of finding", tuple(FindingKind)),
    }


def _audiences(tools: Iterable[Tool], classes: Classes, declared: DeclaredNames | None) -> Words:
    named = {tool.audience.name for tool in tools}
    named |= {form.audience.name for tool in tools for form in (one.of(tool) for one in tool.variants)}
    named |= {*AUDIENCES, *classes.clearance, *classes.categories, *classes.within, *classes.within.values()}
    if declared is not None:
        named |= {f"{GROUP}{group}" for group in declared.groups}
    free = "" if declared is not None else GROUP
    return Words("an audience", tuple(sorted(named)), grows=bool(free), free=free)


def _categories(tools: Iterable[Tool], types: Iterable[TaskType], classes: Classes) -> Words:
    known: set[str] = set(_CATEGORIES)
    for tool in tools:
        known |= tool.label.categories.union(*(field.label.categories for field in tool.fields))
    known = known.union(*(one.withhold.categories for one in types), *classes.categories.values())
    return Words("a category of data", tuple(sorted(known)), closed=False)
