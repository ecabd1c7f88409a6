# SPDX-License-Identifier: Apache-2.0
"""Bounded approvals: one answer for several calls of one tool to one destination in one task.

Only the texts of such calls differ. INVARIANT: everything else that a person was shown, or that a rule can
read, is the same: the task, the tool as it was reviewed and described, each argument that leads anywhere or
gives a power, and the facts of the flow. What the task and the texts carry may be less than when the question
was asked, never more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Final

import msgspec

from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.bounds import BoundedOffer
from remit.core.flow.justification import Provenance
from remit.core.flow.records.participants import KNOWN
from remit.core.json_value import Json
from remit.core.label import Classes
from remit.core.tools.constraint import Constraint
from remit.core.tools.tool import LEADING, ArgumentRole, Effect, Tool

MAX_SHOWN: Final = 64
"""Most arguments of a call for which more than one call is offered."""

#: Facts about the texts of a call; the other facts stay the same.
_OF_TEXTS: Final = ("content", "content_foreign", "content_near", "crossed", "discloses_code")
_NO_CONTENT: Final = "none"
_LISTS: Final = frozenset({"enum", "const", "allOf", "$ref", "pattern", "format"})
"""Keywords of a schema that leave less than any text, or that are not read here."""
_CONTENT_RANK: Final = {_NO_CONTENT: 0} | {one.value: at for at, one in enumerate(Provenance, 1)}


def offered(request: AccessRequest, *, ordinary: int, high_risk: int) -> BoundedOffer | None:
    """Return what a question may offer beyond the call itself; None: just this once.

    `ordinary` and `high_risk` are the most calls that all asking rules allow. Nothing is offered where the
    call leads nowhere that a person can be shown, or where the question is about its texts.
    """
    tool, parts = request.tool, request.tool.parts(request.arguments)
    most = high_risk if is_high_risk(tool, parts) else ordinary
    leading = [name for name in parts if name in tool.arguments and tool.arguments[name].role in LEADING]
    facts = request.flow.facts
    texts = _texts(tool, parts)
    if most < 2 or not tool.described or not leading or not texts or len(parts) > MAX_SHOWN:
        return None
    if facts.content_foreign or facts.discloses_code or request.observed or request.own_files:
        return None
    stored = tool.stored_destination
    if stored is not None and not stored.overridden(request.arguments) and facts.participants != KNOWN:
        return None  # the server knows where it goes, and may learn otherwise between two calls
    return BoundedOffer(
        most=most,
        until=request.task.deadline,
        same=tuple(sorted(parts.keys() - set(texts))),
        texts=texts,
        scope=scope_of(request),
        label=request.label.known,
        content=facts.content,
        crossed=facts.crossed,
        crossings=request.crossings,
    )


def covers(offer: BoundedOffer, request: AccessRequest, classes: Classes) -> bool:
    """Return whether a call is one of those that an offer describes."""
    facts = request.flow.facts
    return (
        not (facts.content_foreign or facts.discloses_code or request.observed or request.own_files)
        and _CONTENT_RANK[facts.content] <= _CONTENT_RANK.get(offer.content, 0)
        and facts.crossed <= offer.crossed
        and request.crossings <= offer.crossings
        and offer.label.data_class in classes.order
        and offer.label.covers(request.label.known, classes)
        and scope_of(request) == offer.scope
    )


def is_high_risk(tool: Tool, parts: dict[str, Json]) -> bool:
    """Return whether a rule must allow several calls of a tool by name of its risk.

    The call touches production, moves money, runs code, gives a power, passes on stored data, uses a secret,
    or destroys: it changes for good what it selects, or its server says so (MCP `destructiveHint`).
    """
    specs = [spec for name in parts if (spec := tool.arguments.get(name)) is not None]
    roles = {one.role for one in specs}
    hints = tool.surface.get("annotations")
    return (
        tool.production
        or tool.financial
        or ArgumentRole.CODE in roles
        or any(one.secret or one.least or one.hands_over for one in specs)
        or (tool.effect is Effect.IRREVERSIBLE and ArgumentRole.DESTINATION not in roles)
        or (isinstance(hints, dict) and hints.get("destructiveHint") is True)
    )


def scope_of(request: AccessRequest) -> str:
    """Return the digest of all that stays the same in the calls that one bounded approval permits."""
    tool, parts = request.tool, request.tool.parts(request.arguments)
    texts = _texts(tool, parts)
    facts = request.flow.facts
    same = {
        "task": request.task.id,
        "tool": _written(tool),
        "same": {name: value for name, value in parts.items() if name not in texts},
        "texts": texts,
        "facts": {name: getattr(facts, name) for name in facts.__struct_fields__ if name not in _OF_TEXTS},
        "participants": request.flow.to.people,
        "enforcement_point": request.enforcement_point,
    }
    return "sha256:" + hashlib.sha256(msgspec.json.encode(same, order="sorted")).hexdigest()


def _written(value: object) -> object:
    """Return a part of a tool as JSON that is the same in every process; constraints as they are written."""
    if isinstance(value, Constraint):
        return value.spec()
    if isinstance(value, msgspec.Struct):
        return {name: _written(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, Mapping):
        return {name: _written(one) for name, one in value.items()}
    if isinstance(value, AbstractSet):
        return sorted(value)
    return [_written(one) for one in value] if isinstance(value, list | tuple) else value


def _texts(tool: Tool, parts: dict[str, Json]) -> tuple[str, ...]:
    """Return the arguments that may hold another text in another call.

    These are described as content, and free text by the reviewed schema. A switch, a number, one of a list, a
    power, a secret and what people are not shown stay as they are.
    """
    offered = tool.input_schema.get("properties")
    properties = offered if isinstance(offered, dict) else {}
    return tuple(
        sorted(
            name
            for name, value in parts.items()
            if isinstance(value, str)
            and (spec := tool.arguments.get(name)) is not None
            and spec.role is ArgumentRole.CONTENT
            and not (spec.sensitive or spec.secret or spec.least or spec.personal or spec.hands_over)
            and _is_free_text(properties.get(name))
        )
    )


def _is_free_text(schema: Json) -> bool:
    """Return whether a schema describes any text, and no list of values."""
    if not isinstance(schema, dict) or not _LISTS.isdisjoint(schema):
        return False
    options = schema.get("anyOf", schema.get("oneOf"))
    if isinstance(options, list):
        texts = [one for one in options if one != {"type": "null"}]
        return bool(texts) and all(map(_is_free_text, texts))
    types = schema.get("type")
    return types == "string" or (isinstance(types, list) and set(map(str, types)) == {"string", "null"})
