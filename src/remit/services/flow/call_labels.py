# SPDX-License-Identifier: Apache-2.0
"""What one call means for labels at rest: who wrote what it read, and what it writes itself."""

from __future__ import annotations

from remit.core.decisions.access_request import AccessRequest
from remit.core.flow.justification import leaves
from remit.core.flow.stored_labels import MAX_WRITERS, StoredLabel, WrittenValues, missing
from remit.core.json_value import Json
from remit.core.label import Trust
from remit.core.tools.tool import ArgumentRole, Tool
from remit.services.flow.resource_labels import UpstreamLabels


def writers_of(found: list[StoredLabel], whole: list[StoredLabel]) -> tuple[WrittenValues, ...]:
    """Return the calls that wrote what was read, untrusted ones first; none that wrote only beside it."""
    all_of = dict.fromkeys(one for held in found if held in whole or held.label for one in held.writers)
    return tuple(sorted(all_of, key=lambda one: one.trust is not Trust.UNTRUSTED))[:MAX_WRITERS]


def justified(request: AccessRequest) -> bool:
    """Whether every value that a call writes is of the intent, or of a trusted source."""
    for name, value in request.tool.parts(request.arguments).items():
        if value is None or isinstance(value, bool):
            continue
        one = request.flow.arguments.get(name)
        if one is None or not one.justified:
            return False
    return True


def mark(shelf: UpstreamLabels, request: AccessRequest) -> None:
    """Note by value what a call writes that is neither of the intent nor of a trusted source."""
    tool = request.tool
    if not tool.described:
        # What it writes, nobody knows.
        shelf.marks = None
        return
    for name, value in tool.parts(request.arguments).items():
        one, spec = request.flow.arguments.get(name), tool.arguments.get(name)
        # What selects a record was there before, and an amount is nobody's address.
        written = spec is None or spec.role not in (ArgumentRole.SELECTOR, ArgumentRole.AMOUNT)
        if written and (one is None or not one.justified):
            shelf.mark(leaves(value))


def chosen_by_upstream(tool: Tool, arguments: dict[str, Json]) -> bool:
    """Whether the upstream chooses what a call writes to, and its result may name it."""
    return bool(missing(tool, arguments))
