# SPDX-License-Identifier: Apache-2.0
"""Questions to people as a page tells them: what would happen, where each value came from, what belongs
together.

Nothing here decides. What a question is, and which answers it has, is in `core.decisions`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from remit.core.decisions.approval import Approval, ApprovalState
from remit.core.decisions.question import told
from remit.core.identity.principals import person_of
from remit.core.json_value import Json
from remit.core.tools.tier_reasons import deed, discloses
from remit.core.tools.tool import LEADING, ArgumentRole, Effect, Tool, fill

#: Characters of a place or of an argument that a card shows.
MAX_PLACE: Final = 200
#: Arguments that one question shows one by one.
MAX_ARGUMENTS: Final = 200
#: Above the risk of every question whose arguments are known.
UNKNOWN_RISK: Final = 1_000

ToolNamed = Callable[[str], Tool]


class ShownOrigin(msgspec.Struct, frozen=True, kw_only=True):
    """Where an argument's value came from. `tone` is `good` for the person's word, `warn` for others'.

    `decision` is the call that it was read with, empty for none; `detail` names that call and the field.
    """

    text: str
    tone: str = ""
    detail: str = ""
    decision: str = ""


class ArgumentRow(msgspec.Struct, frozen=True, kw_only=True):
    """One argument of a call: its role, its origins, and what is told of the values in question."""

    name: str
    value: Json
    role: str
    origins: tuple[ShownOrigin, ...]
    asked: tuple[tuple[str, ...], ...]
    narrowed: bool


class QuestionCard(msgspec.Struct, frozen=True, kw_only=True):
    """A question in plain words.

    `deed` are words before the tool's name; `places` where the call goes or what it is about, after `lead`;
    `risk` orders questions, the highest first; `effects` is what would change outside, each with its tone.
    """

    approval: Approval
    deed: str
    lead: str
    places: tuple[str, ...]
    tier: str
    risk: int
    effects: tuple[tuple[str, str], ...]

    @property
    def person(self) -> str:
        """The person behind the call; empty for none."""
        return person_behind(self.approval)


class QuestionGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Questions about one tool by the same rules, whose arguments differ in their texts alone."""

    cards: tuple[QuestionCard, ...]

    @property
    def first(self) -> QuestionCard:
        """The newest of them."""
        return self.cards[0]

    @property
    def agents(self) -> tuple[str, ...]:
        """The agents that ask."""
        return tuple(dict.fromkeys(one.approval.agent for one in self.cards))


def person_behind(approval: Approval) -> str:
    """Return the person on whose behalf a question is asked; empty for none."""
    return approval.requested_for or person_of(approval.requested_by)


def was_read(approval: Approval) -> bool:
    """Return whether the arguments of a question were read with it: each question has a reason."""
    return bool(approval.reasons)


def state_word(approval: Approval) -> str:
    """Return in words how a question stands."""
    if approval.overtaken or (approval.state is ApprovalState.EXPIRED and approval.decided_by):
        return "withdrawn"
    return _STATES[approval.state]


_STATES: Final = {
    ApprovalState.PENDING: "waits for a person",
    ApprovalState.APPROVED: "approved",
    ApprovalState.CONSUMED: "approved and used",
    ApprovalState.NARROWED: "permitted less",
    ApprovalState.DENIED: "refused",
    ApprovalState.EXPIRED: "no answer in time",
}


def card(approval: Approval, tool: Tool) -> QuestionCard:
    """Return a question as a card; `tool` is as it is described.

    A question whose arguments were not read counts as the highest risk: they may make it one.
    """
    tool = tool.called_with(approval.arguments)
    risk = int(tool.tier) * 4 + 2 * (tool.production or tool.financial) + (tool.effect is Effect.IRREVERSIBLE)
    lead, places = _places(tool, approval.arguments)
    if not was_read(approval):
        risk, lead, places = UNKNOWN_RISK, " with long arguments", ()
    return QuestionCard(
        approval=approval,
        deed=deed(tool),
        lead=lead,
        places=places,
        tier=tool.tier.word,
        risk=risk,
        effects=tuple(_effects(tool)),
    )


def grouped(questions: Iterable[Approval], tool_named: ToolNamed) -> list[QuestionGroup]:
    """Return questions in groups, those of the highest risk first, and of these the newest."""
    cards = [card(one, tool_named(one.tool)) for one in questions]
    cards.sort(key=lambda one: (one.risk, one.approval.requested, one.approval.id), reverse=True)
    groups: dict[str, list[QuestionCard]] = {}
    for one in cards:
        groups.setdefault(_alike(one.approval, tool_named(one.approval.tool)), []).append(one)
    return [QuestionGroup(cards=tuple(found)) for found in groups.values()]


def _alike(approval: Approval, tool: Tool) -> str:
    """Return what questions of one group share: tool, rules, and the arguments without the texts.

    A question whose arguments were not read is like no other.
    """
    if not was_read(approval):
        return approval.id
    parts = tool.called_with(approval.arguments).parts(approval.arguments)
    same = {name: value for name, value in parts.items() if not _is_text(tool, name, value)}
    what = [approval.tool, sorted((one.id, one.digest) for one in approval.rules), sorted(parts), same]
    return hashlib.sha256(msgspec.json.encode(what, order="sorted")).hexdigest()


def _is_text(tool: Tool, name: str, value: Json) -> bool:
    spec = tool.arguments.get(name)
    return (
        spec is not None and spec.role is ArgumentRole.CONTENT and not spec.secret and isinstance(value, str)
    )


def _places(tool: Tool, arguments: Mapping[str, Json]) -> tuple[str, tuple[str, ...]]:
    """Return where a call goes, or what it is about, and the word before."""
    if tool.target:
        return ":", (fill(tool.target, dict(arguments))[:MAX_PLACE],)
    parts = tool.parts(dict(arguments))
    led = {name: spec.role for name in parts if (spec := tool.arguments.get(name)) and spec.role in LEADING}
    to = [name for name, role in led.items() if role is ArgumentRole.DESTINATION]
    return " to" if to else ":", tuple(_short(parts[name]) for name in (to or list(led))[:4])


def _short(value: Json) -> str:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        text = ", ".join(map(str, value[:5])) + (f" and {len(value) - 5} more" if len(value) > 5 else "")
    else:
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= MAX_PLACE else f"{text[:MAX_PLACE]}…"


_EFFECTS: Final = {
    Effect.NONE: ("It changes nothing.", "good"),
    Effect.REVERSIBLE: ("What it changes can be undone.", ""),
    Effect.IRREVERSIBLE: ("What it changes cannot be undone.", "warn"),
}


def _effects(tool: Tool) -> Iterable[tuple[str, str]]:
    if not tool.described:
        yield "No file describes this tool, so the worst is assumed of it.", "warn"
    yield _EFFECTS[tool.effect]
    if tool.production:
        yield "It acts on production.", "warn"
    if tool.financial:
        yield "It moves money.", "warn"
    if told_to := discloses(tool):
        yield f"{told_to[:1].upper()}{told_to[1:]}.", "warn" if tool.audience.name == "external" else ""


def arguments(approval: Approval, tool: Tool, flow: Sequence[Mapping[str, Any]]) -> list[ArgumentRow]:
    """Return the arguments of a call with their origins; `flow` is what its decision has recorded of them."""
    person = person_behind(approval)
    roles = {name: one.role.value for name, one in tool.arguments.items()}
    return [
        ArgumentRow(
            name=name,
            value=value,
            role=roles.get(name, ""),
            origins=tuple(
                _origins(name, roles.get(name, ""), flow, person, written=name in approval.narrowed)
            ),
            asked=tuple(dict.fromkeys(told(one) for one in approval.questioned if _part(name, one.argument))),
            narrowed=name in approval.narrowed,
        )
        for name, value in list(approval.arguments.items())[:MAX_ARGUMENTS]
    ]


def _part(name: str, path: str) -> bool:
    return path == name or path.startswith((f"{name}[", f"{name}."))


def _origins(
    name: str, role: str, flow: Sequence[Mapping[str, Any]], person: str, *, written: bool
) -> Iterable[ShownOrigin]:
    if written:
        yield ShownOrigin(text="written by the approver", tone="good")
        return
    for one in flow:
        if not _part(name, str(one.get("argument", ""))):
            continue
        stated, provenance = str(one.get("stated", "")), one.get("provenance")
        if stated:
            where = f"as the task's {stated}" if stated != "words" else "in the words that state the task"
            yield ShownOrigin(text=f"stated by {person or 'the agent itself'}", tone="good", detail=where)
        origins = list(one.get("origins") or ())
        for call, decision, tool, field, trust in origins[: 1 if stated else 4]:
            others = trust == "untrusted"
            yield ShownOrigin(
                text="written by others" if others else "read from a trusted source",
                tone="warn" if others else "",
                detail=f"call {call}, {tool}" + (f", field {field}" if field else ""),
                decision=str(decision),
            )
        if not stated and not origins:
            text, tone = _WITHOUT_PLACE.get(str(provenance), ("", ""))
            yield ShownOrigin(text=text, tone="" if role == ArgumentRole.CONTENT else tone)


_WITHOUT_PLACE: Final = {
    "intent": ("the person's words lead to it", "good"),
    "trusted": ("from trusted data", ""),
    "untrusted": ("written by others", "warn"),
    "unknown": ("no known source", "warn"),
}
