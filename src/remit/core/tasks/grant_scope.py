# SPDX-License-Identifier: Apache-2.0
"""Scoped calls: the grant of a call says where the call goes, what it concerns, and how much it may use.

INVARIANT: a grant that leaves one such argument of the call open does not scope the call, whatever its other
arguments are. One that fixes no place and no thing scopes no call that names none: the upstream chooses then,
and may choose all.
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
#: The roles of arguments that name a place or a thing.
_NAMING: Final = (ArgumentRole.DESTINATION, ArgumentRole.SELECTOR)


def scoped(grants: Iterable[Grant], tool: Tool, arguments: dict[str, Json]) -> bool:
    """Return whether a grant that permits these arguments constrains each one that leads, counts or runs.

    A call that no grant permits counts as scoped: it is refused for another reason.
    """
    permitting = [grant for grant in grants if not grant.permits(arguments)]
    counting = {name: one for name, one in tool.arguments.items() if _counts(one)}
    naming = {name: one for name, one in counting.items() if one.role in _NAMING} or counting
    given, names = _heads(counting.keys() & tool.parts(arguments), arguments), _heads(naming, arguments)
    return not permitting or any(
        all(_bounds(grant, name) for name in given) and _fixes(grant, names) for grant in permitting
    )


def _heads(keys: Iterable[str], arguments: dict[str, Json]) -> set[str]:
    """Return the arguments that parts belong to."""
    return {name if name in arguments else path_of(name)[0] for name in keys}


def _fixes(grant: Grant, names: set[str]) -> bool:
    """Return whether a grant constrains one of some arguments, or takes none of them."""
    return any(_bounds(grant, name) for name in names) or not any(grant.may_take(name) for name in names)


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
