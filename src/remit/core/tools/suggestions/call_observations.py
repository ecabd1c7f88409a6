# SPDX-License-Identifier: Apache-2.0
"""Calls in the evidence, and which of them a stranger's text led.

Each decision names where its arguments came from: the person's words, or the fields of earlier results. A
destination, a selector, a secret or code that stands only in a text that outsiders can write (a mail's body,
a comment) was chosen by its author. Such a call is **led**. It is no evidence of the work, however often it
was made: an attacker who was there while remit observed can repeat a text, but cannot make the person state
what it says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from remit.core.json_value import Json
from remit.core.label import Trust
from remit.core.tools.suggestions import vocabulary
from remit.core.tools.suggestions.draft import ToolDraft
from remit.core.tools.suggestions.inference import ArgumentGuess
from remit.core.tools.tool import ArgumentRole

#: Kinds of events that `observed_calls` reads.
KINDS: Final = ("task.opened", "task.message", "decision.made")
#: Rules that judge what the call is and carries, by labels and effects that may be assumed as yet. They hold
#: whatever is granted, so their objection says nothing of what the work needs.
_BESIDE: Final = ("tools/", "data/", "effects/", "identity/")
#: A mailbox or a link.
ADDRESS: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+|https?://\S+")
_ADDRESSES: Final = vocabulary.ADDRESS | vocabulary.PARTY | vocabulary.SENDERS
#: Texts, without the names by which people and things are found.
_PROSE: Final = vocabulary.PROSE - {"name", "label"}
_LEADING: Final = frozenset({ArgumentRole.DESTINATION, ArgumentRole.SELECTOR, ArgumentRole.CODE})
#: Last names of fields that say only in which form the field above them is.
_FORMS: Final = {(one,) for one in ("value", "raw", "plain", "html", "markdown", "rendered")}
#: Fields that are a whole result: none, or the one that servers put around a text without a schema.
_WHOLE: Final = ("", "result")


class ValueOrigin(msgspec.Struct, frozen=True):
    """An earlier result that holds an argument's value: its decision, tool, field and trust."""

    decision: str
    tool: str
    field: str
    trust: str


class ArgumentSource(msgspec.Struct, frozen=True):
    """Where an argument came from: `stated` says where the person states it, if anywhere."""

    provenance: str
    stated: str = ""
    origins: tuple[ValueOrigin, ...] = ()


class ObservedCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call in the evidence.

    `objections` are the rules of flow that would have refused it, `words` what the person had said until
    then. `led` are the arguments that a stranger's text chose, each with the tool and field of that text;
    `followed` says that the call used what such a call had found.
    """

    tool: str
    arguments: dict[str, Json]
    task: str
    task_type: str
    agent: str
    at: str
    decision: str = ""
    permitted: bool = True
    objections: tuple[str, ...] = ()
    words: str = ""
    sources: dict[str, ArgumentSource] = {}
    led: dict[str, str] = {}
    followed: bool = False


def observed_calls(
    events: Iterable[Mapping[str, Json]], types: Mapping[str, str], person_of: Callable[[str], str]
) -> Iterator[ObservedCall]:
    """Yield the calls of these events, in their order.

    `types` are the types of tasks that were opened before. `person_of` returns the person that a requester
    is, if any. Values that can no longer be read, and arguments that were kept as a digest, are no evidence.
    """
    known, words = dict(types), dict[str, str]()
    for event in events:
        facts, values = event.get("facts", {}), event.get("values", {})
        task, kind = str(event.get("task", "")), event.get("kind")
        if kind == "task.opened":
            known[task] = str(facts.get("task_type", ""))
            # The goal that an agent gives itself is the same in each of its sessions.
            words[task] = _text(values.get("goal")) if person_of(_text(values.get("requested_by"))) else ""
        elif kind == "task.message":
            words[task] = f"{words.get(task, '')}\n{_text(values.get('text'))}"
        arguments = values.get("arguments")
        if kind == "decision.made" and isinstance(arguments, dict) and known.get(task):
            yield _call(event, facts, arguments, known[task], words.get(task, ""))


def _call(
    event: Mapping[str, Json], facts: Mapping[str, Json], arguments: dict[str, Json], kind: str, words: str
) -> ObservedCall:
    rules = [str(rule[0]) for rule in facts.get("rules", ()) if rule]
    permitted = facts["outcome"] == "permit"
    return ObservedCall(
        tool=facts["tool"],
        arguments=arguments,
        task=str(event.get("task", "")),
        task_type=kind,
        agent=str(event.get("agent", "")),
        at=str(event.get("at", "")),
        decision=str(event.get("call", "")),
        permitted=permitted or bool(facts.get("observed")),
        objections=() if permitted else tuple(one for one in rules if not one.startswith(_BESIDE)),
        words=words.strip(),
        sources=_sources(facts.get("flow", ())),
    )


def _sources(flow: Iterable[Mapping[str, Json]]) -> dict[str, ArgumentSource]:
    found: dict[str, ArgumentSource] = {}
    for one in flow:
        if "argument" not in one:
            continue
        origins = tuple(
            ValueOrigin(str(decision), str(tool), str(field), str(trust))
            for _, decision, tool, field, trust in one.get("origins", ())
        )
        found[str(one["argument"])] = ArgumentSource(
            str(one["provenance"]), str(one.get("stated", "")), origins
        )
    return found


def with_leads(
    calls: Sequence[ObservedCall], drafts: Mapping[str, ToolDraft], trusted: Collection[str] = ()
) -> list[ObservedCall]:
    """Return calls in order of time, each with the arguments that a stranger's text chose.

    `trusted` are upstreams in which no outsider can write.
    """
    behind: set[str] = set()
    found: list[ObservedCall] = []
    for one in calls:
        leads = _leads(drafts.get(one.tool))
        led = {name: text for name in one.sources if (text := _led(one, name, leads, trusted))}
        followed = any(_follows(one.sources[name], behind) for name in one.sources if _top(name) in leads)
        if one.decision and (led or followed):
            behind.add(one.decision)
        found.append(msgspec.structs.replace(one, led=led, followed=followed) if led or followed else one)
    return found


def _leads(draft: ToolDraft | None) -> dict[str, ArgumentGuess]:
    """Return the arguments that decide where a call goes, what it concerns, or what it runs.

    So may one of which nothing is known.
    """
    if draft is None:
        return {}
    return {
        _top(one.path): one
        for one in draft.arguments
        if one.role.value in _LEADING or one.secret or one.unknown or one.least is not None
    }


def _led(call: ObservedCall, name: str, leads: Mapping[str, ArgumentGuess], trusted: Collection[str]) -> str:
    """Return the text that chose an argument, as `tool field`, or an empty text."""
    source, lead = call.sources[name], leads.get(_top(name))
    if lead is None or source.stated or source.provenance != Trust.UNTRUSTED.value or not source.origins:
        return ""
    address = _is_address(call.arguments.get(name))
    texts = [one for one in source.origins if _is_text(one, call.tool, lead, trusted, address=address)]
    if len(texts) < len(source.origins):
        return ""
    return f"{texts[0].tool} {texts[0].field}".strip()


def _is_text(
    origin: ValueOrigin, tool: str, lead: ArgumentGuess, trusted: Collection[str], *, address: bool
) -> bool:
    upstream, _, name = origin.tool.partition("/")
    if origin.trust != Trust.UNTRUSTED.value or upstream in trusted:
        return False
    if origin.field in _WHOLE:
        # A result without fields is a list of names, which the upstream's other tools take, or prose.
        names = upstream == tool.partition("/")[0] and vocabulary.known(
            vocabulary.tokens(name), vocabulary.LISTS
        )
        return not (names and (lead.unknown or lead.role.value == ArgumentRole.SELECTOR))
    parts = [vocabulary.tokens(one) for one in origin.field.split(".")[-2:]]
    said = parts[0] if len(parts) == 2 and parts[1] in _FORMS else parts[-1]
    if address:
        # Only a field for addresses holds one as a fact; anywhere else an author wrote it.
        return not vocabulary.known(said, _ADDRESSES)
    return bool(vocabulary.known(said[-1:], _PROSE))


def _is_address(value: Json) -> bool:
    texts = value if isinstance(value, list) else [value]
    return any(isinstance(one, str) and ADDRESS.fullmatch(one) is not None for one in texts)


def _follows(source: ArgumentSource, behind: Collection[str]) -> bool:
    return (
        bool(source.origins) and not source.stated and all(one.decision in behind for one in source.origins)
    )


def _top(path: str) -> str:
    return path.partition(".")[0].partition("[")[0]


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""
