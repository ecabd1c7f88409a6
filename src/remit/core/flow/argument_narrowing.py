# SPDX-License-Identifier: Apache-2.0
"""The arguments that a call gives, and the containers that they name.

An argument that equals the default of the pinned input schema counts as left out: without it, the call would
be the same. An item *within* a container that the intent leads to is a selector, and no destination: what is
sent there stays in that container. The item is judged for itself.

A container that the agent chose while the task was clean is pointed at where its look-ups found the items of
the call, and the intent leads to these.
"""

from __future__ import annotations

import msgspec

from remit.core.cooperative_steps import Steps
from remit.core.flow.justification import Justification, Provenance, Reach
from remit.core.flow.provenance import Index
from remit.core.flow.records.search import is_container
from remit.core.flow.values.strict_reading import exact
from remit.core.json_value import Json
from remit.core.tools.constraint.base import same
from remit.core.tools.tool import LEADING, ArgumentRole, Tool

_LEADING = (ArgumentRole.SELECTOR, ArgumentRole.DESTINATION)
_NONE: frozenset[int] = frozenset()
_NO_NAMES: frozenset[str] = frozenset()
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
    if not tool.contained:
        return _NO_NAMES
    return frozenset(around for name, around in tool.contained.items() if not absent(parts.get(name)))


def place_containers(
    index: Index,
    tool: Tool,
    parts: dict[str, Json],
    found: dict[str, Justification],
    kinds: dict[str, list[Justification]],
) -> None:
    """Replace the justifications of clean containers to which the items in them lead."""
    for name, one in _of_items(index, tool, parts, found).items():
        _replace(tool, name, one, found, kinds)


def drop_rivals(
    index: Index, tool: Tool, found: dict[str, Justification], kinds: dict[str, list[Justification]]
) -> None:
    """Drop the hints to some of several items of which the words do not choose."""
    hints = frozenset().union(*(one.hints for one in found.values()))
    if not hints or not index.naming.rivals(hints):
        return
    for name, one in list(found.items()):
        if one.hints and name in tool.arguments:
            unled = msgspec.structs.replace(
                one, reach=Reach.NONE, sources=frozenset(), records=frozenset(), structured=False, hints=_NONE
            )
            _replace(tool, name, unled, found, kinds)


def _replace(
    tool: Tool,
    name: str,
    one: Justification,
    found: dict[str, Justification],
    kinds: dict[str, list[Justification]],
) -> None:
    ones = kinds.get(tool.arguments[name].role.value, [])
    if found[name] in ones:
        ones[ones.index(found[name])] = found[name] = one


def _of_items(
    index: Index, tool: Tool, parts: dict[str, Json], found: dict[str, Justification]
) -> dict[str, Justification]:
    """Return the clean containers of a call to which the items in them lead.

    Nothing that the task has read chose the container. The item must be in a field of a result that no
    outsider writes, and that result must come from a look-up in the container.
    """
    out = {}
    around = containers_in(tool, parts)
    for name, one in found.items():
        value = parts[name]
        if (
            one.reached
            or not one.clean
            or not isinstance(value, str)
            or not (name in around or is_container(name))
        ):
            continue
        items = [item for key, item in found.items() if key != name and _is_item(tool, key, item)]
        calls = frozenset.intersection(*(item.sources for item in items)) if items else frozenset()
        if calls := index.clean.looked_up(calls, exact(value), tool, name):
            out[name] = msgspec.structs.replace(
                one,
                reach=Reach.MENTIONED,  # a person is asked
                sources=calls,
                records=frozenset(),
                candidates=1,
                near=all(item.near or item.reached for item in items),
                structured=True,
                hints=frozenset().union(*(item.hints for item in items)),
            )
    return out


def _is_item(tool: Tool, name: str, one: Justification) -> bool:
    spec = tool.arguments.get(name)
    leads = spec is not None and spec.role in LEADING
    return leads and one.provenance is Provenance.TRUSTED and one.pointed and one.candidates == 1
