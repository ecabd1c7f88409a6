# SPDX-License-Identifier: Apache-2.0
"""Scoped calls: the grant of a call says where the call goes, what it concerns, and how much it may use.

INVARIANT: a grant that leaves one such argument of the call open does not scope the call, whatever its other
arguments are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from remit.core.json_value import Json
from remit.core.tasks.grant import Grant
from remit.core.tools.constraint import Anything, OptionalArgument, decode
from remit.core.tools.json_path import path_of
from remit.core.tools.tool import Argument, ArgumentRole, Tool

_SCOPING: Final = frozenset(ArgumentRole) - {ArgumentRole.CONTENT}


def scoped(grants: Iterable[Grant], tool: Tool, arguments: dict[str, Json]) -> bool:
    """Return whether a grant that permits these arguments constrains each one that leads, counts or runs.

    A call that no grant permits counts as scoped: it is refused for another reason.
    """
    permitting = [grant for grant in grants if not grant.permits(arguments)]
    leading = _leading(tool, arguments)
    return not permitting or any(all(_bounds(grant, name) for name in leading) for grant in permitting)


def _leading(tool: Tool, arguments: dict[str, Json]) -> set[str]:
    parts = tool.parts(arguments)
    known = {name: one for name, one in tool.arguments.items() if name in parts}
    return {name if name in arguments else path_of(name)[0] for name, one in known.items() if _counts(one)}


def _counts(argument: Argument) -> bool:
    powers = argument.secret or argument.least or argument.hands_over
    return argument.role in _SCOPING or bool(powers)


def _bounds(grant: Grant, name: str) -> bool:
    """Return whether some condition of a grant excludes values of an argument."""
    if any(name in layer.ceilings.amount for layer in grant.layers):
        return True
    for layer in grant.layers:
        if (written := layer.arguments.get(name)) is not None:
            constraint = decode(written)
            if isinstance(constraint, OptionalArgument):
                constraint = constraint.part
            if not isinstance(constraint, Anything):
                return True
    return False
