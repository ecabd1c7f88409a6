# SPDX-License-Identifier: Apache-2.0
"""Groups that are a part of another audience."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from remit.config.reading.decoding import Problems
from remit.config.reading.yaml_lines import Node
from remit.core.label import AUDIENCE_RULE, Classes, audience_fault

GROUP = "group:"


def check_within(
    within: Mapping[str, str], classes: Classes, groups: Collection[str], node: Node, problems: Problems
) -> None:
    """Note groups that cannot lie within the audience that the file names."""
    for group, outer in within.items():
        key = f"classes.within.{group}"
        if found := _fault(group, outer, classes, groups):
            fault, way = found
            problems.add(fault, line=node.line_of(key), key=key, remediation=way)


def _fault(group: str, outer: str, classes: Classes, groups: Collection[str]) -> tuple[str, str] | None:
    """Return the fault of one entry, with its remediation."""
    for one in (group, outer):
        if fault := audience_fault(one):
            return fault, AUDIENCE_RULE
        if one.startswith(GROUP) and not _is_known(one, classes, groups):
            return f"`{one}` is not a group", "declare it under `groups` or `classes.clearance`"
    if not group.startswith(GROUP):
        return f"`{group}` is not a group", "write the group that lies within another audience: `group:team`"
    if outer in ("self", "external"):
        return f"nothing lies within `{outer}`", "write `internal` or a group"
    if group in classes.around(outer):
        return f"`{outer}` lies within `{group}`", "remove one of the entries"
    # INVARIANT: who belongs to both learns what goes to the outer one.
    order = classes.order
    inner_class, outer_class = classes.ceiling(group), classes.ceiling(outer)
    if inner_class in order and outer_class in order and order.index(inner_class) < order.index(outer_class):
        way = f"raise `{group}` to `{outer_class}`, or remove the entry: its members are no part of `{outer}`"
        return f"is cleared for less than `{outer}`", way
    mine, theirs = classes.learnable(group), classes.learnable(outer)
    if mine is not None and (theirs is None or not theirs <= mine):
        way = f"add the categories of `{outer}` to `{group}`, or remove the entry"
        return f"may learn fewer categories than `{outer}`", way
    return None


def _is_known(name: str, classes: Classes, groups: Collection[str]) -> bool:
    return name.removeprefix(GROUP) in groups or name in classes.clearance
