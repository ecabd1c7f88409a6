# SPDX-License-Identifier: Apache-2.0
"""The arguments that a call gives, and the containers that they name.

An argument that equals the default of the pinned input schema counts as left out: without it, the call would
be the same. An item *within* a container that the intent leads to is a selector, and no destination: what is
sent there stays in that container. The item is judged for itself.
"""

from __future__ import annotations

import msgspec

from remit.core.cooperative_steps import Steps
from remit.core.flow.provenance import Index
from remit.core.json_value import Json
from remit.core.tools.constraint.base import same
from remit.core.tools.tool import ArgumentRole, Tool

_BY_DEFAULT = (ArgumentRole.SELECTOR, ArgumentRole.DESTINATION, ArgumentRole.AMOUNT)


def absent(value: Json) -> bool:
    """Return whether an argument is empty: a tool treats it like an argument that is left out."""
    return value is None or value in ([], {}) or (isinstance(value, str) and not value.strip())


def given(tool: Tool, arguments: dict[str, Json]) -> dict[str, Json]:
    """Return the parts of a call's arguments, without those that say what the tool does anyway.

    INVARIANT: the pinned schema decides. A server that states another default is suspended until a person has
    reviewed it.
    """
    defaults = tool.defaults
    if defaults:
        arguments = {
            name: value
            for name, value in arguments.items()
            if not (
                name in defaults
                and name in tool.arguments
                and _by_default(tool, name)
                and isinstance(value, str | int | float | bool)
                and same(value, defaults[name])
            )
        }
    return tool.parts(arguments)


def _by_default(tool: Tool, name: str) -> bool:
    spec = tool.arguments[name]
    return spec.role in _BY_DEFAULT and not spec.personal and not spec.hands_over


def placed(index: Index, tool: Tool, arguments: dict[str, Json]) -> Steps[Tool]:
    """Return the tool with each item within a reached container as a selector.

    Not where money moves: there the item may decide who gets it.
    """
    if not tool.contained or tool.financial:
        return tool
    parts = given(tool, arguments)
    out = dict(tool.arguments)
    for name, within in tool.contained.items():
        spec, around = out[name], parts.get(within)
        if spec.role is not ArgumentRole.DESTINATION or absent(around):
            continue
        if (yield from index.judging(around, tool, within, None)).reached:
            out[name] = msgspec.structs.replace(spec, role=ArgumentRole.SELECTOR)
    return msgspec.structs.replace(tool, arguments=out)


def containers_in(tool: Tool, parts: dict[str, Json]) -> frozenset[str]:
    """Return the containers of the items that a call names.

    A container to which the intent leads says nothing of the item in it.
    """
    return frozenset(around for name, around in tool.contained.items() if not absent(parts.get(name)))
