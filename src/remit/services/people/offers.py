# SPDX-License-Identifier: Apache-2.0
"""What a person may let an application do, in plain words.

The words come from task types and tools, never from applications or upstreams.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

import msgspec

from remit.core.canonical import digest
from remit.core.errors import ConfigInvalid, Malformed, NotFound
from remit.core.json_value import Json
from remit.core.tasks.task import TaskType
from remit.core.tools.constraint import load
from remit.core.tools.tier_reasons import deed, discloses
from remit.core.tools.tool import RESERVED_OPERATIONS, Effect, Tier, Tool


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """One tool that a task may use, in plain words; `limits` are sentences about its arguments."""

    tool: str
    effect: Effect
    does: str
    told: str
    limits: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A task type that this person may state, and this application may run."""

    type: TaskType
    tier: Tier
    permissions: tuple[Permission, ...]

    @property
    def sensitive(self) -> bool:
        """Whether the task changes things, so that the person must have authenticated just now."""
        return self.tier >= Tier.OPERATOR

    @property
    def seal(self) -> str:
        """A digest of the complete offer: consent is valid only for exactly what was displayed."""
        told = msgspec.to_builtins({"type": self.type, "tier": self.tier, "permissions": self.permissions})
        return digest(told)


def offer_of(
    task_type: TaskType,
    tool_named: Callable[[str], Tool | None],
    wanted: Collection[str] | None = None,
    within: Collection[str] | None = None,
    taken: Collection[str] = (),
) -> Offer:
    """Return what a task of this type may do; an unknown tool is assumed to have the worst effect.

    `wanted` are the requested tools; operations that are not tools stay, as they do in a plan. `within` are
    the only upstreams that the offer may include, `taken` the tools that a ceiling takes.
    """
    named: dict[str, list[str]] = {}
    for grant in task_type.grants:
        upstream, _, operation = grant.tool.partition("/")
        reserved = operation in RESERVED_OPERATIONS
        if (within is not None and upstream not in within) or grant.tool in taken:
            continue
        if wanted is not None and grant.tool not in wanted and not reserved:
            continue
        limits = named.setdefault(grant.tool, [])
        limits += _limits(grant.arguments, task_type.parameters)
    tools = {name: tool_named(name) or _unknown(name) for name in named}
    return Offer(
        type=task_type,
        tier=max((one.tier for one in tools.values()), default=Tier.CONVERSATION),
        permissions=tuple(
            _permission(tool, tuple(dict.fromkeys(named[name]))) for name, tool in tools.items()
        ),
    )


def offer_named(offers: Iterable[Offer], name: str) -> Offer:
    """Return the offer of a task type; raises `NotFound`."""
    for one in offers:
        if one.type.name == name:
            return one
    raise NotFound("this task type is not offered to you", remediation="choose another one")


def read_params(task_type: TaskType, written: Mapping[str, str]) -> dict[str, Json]:
    """Read the values of a form that a person filled in; leave out empty optional fields.

    Raises `Malformed` that names the field. `tasks.open` checks everything else.
    """
    out: dict[str, Json] = {}
    for name, spec in task_type.parameters.items():
        text = written.get(name, "").strip()
        if spec.type == "boolean":
            out[name] = text == "yes"
        elif not text:
            continue
        elif spec.type == "string":
            out[name] = text
        else:
            try:
                out[name] = int(text) if spec.type == "integer" else float(text)
            except ValueError:
                raise Malformed(f"`{name}` is not a number", remediation="write only digits") from None
    return out


def _unknown(name: str) -> Tool:
    upstream, _, operation = name.partition("/")
    return Tool(upstream=upstream, name=operation)


def _permission(tool: Tool, limits: tuple[str, ...]) -> Permission:
    verb, _, rest = deed(tool).partition(" ")
    return Permission(
        tool=tool.id, effect=tool.effect, does=f"{verb}s {rest}", told=discloses(tool), limits=limits
    )


def _limits(arguments: Mapping[str, Json], parameters: Mapping[str, Json]) -> list[str]:
    out = []
    for name, written in arguments.items():
        try:
            must = load(written).describe()
        except ConfigInvalid:
            must = "match your parameters below"
        for parameter in parameters:
            must = must.replace("{" + parameter + "}", f"\u2039{parameter}\u203a")
        out.append(f"`{name}` must {must}")
    return out
