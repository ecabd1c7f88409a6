# SPDX-License-Identifier: Apache-2.0
"""The form in which a client writes its events and reads answers: a table, and what it cannot say.

The forms differ in names and in what they leave out. `read_event` reads each of them by its table. An event
of a known name without a member of the table is `Malformed`: a client whose form has changed must not pass
for one that reported nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from remit.core.errors import Malformed
from remit.core.hooks.event import HookAnswer, HookEvent, HookKind, HookVerdict
from remit.core.json_value import Json

_MAX_DEPTH: Final = 64


class MemberNames(msgspec.Struct, frozen=True, kw_only=True):
    """What a client calls the members of its events; empty where it has none.

    `results` are the members of which one holds what came of a call, `errors` those that say that it failed.
    """

    session: str = "session_id"
    tool: str = "tool_name"
    arguments: str = "tool_input"
    call: str = "tool_use_id"
    results: tuple[str, ...] = ("tool_response",)
    errors: tuple[str, ...] = ()
    agent: str = "agent_id"
    parent: str = ""
    event: str = "hook_event_name"
    transcript: str = "transcript_path"
    server: str = ""


class HookForm(msgspec.Struct, frozen=True, kw_only=True):
    """A client's form. `version` is the one it was tried with; empty: it is written from documentation alone.

    `asks`: the client can put a call to its person. `allows`: a permit can stand in for the client's own
    rules. `by_command`: its hooks start a command. `open_to` is what the client does not enforce, each in
    one sentence.
    """

    client: str
    title: str
    version: str
    kinds: Mapping[str, HookKind]
    read: Callable[[dict[str, Any], str], HookEvent]
    written: Callable[[str, HookVerdict], Json]
    names: MemberNames = MemberNames()
    asks: bool = False
    allows: bool = False
    by_command: bool = True
    open_to: tuple[str, ...] = ()

    @property
    def events(self) -> tuple[str, ...]:
        """The events that the guard asks for."""
        return tuple(self.kinds)

    def answered(self, name: str, verdict: HookVerdict) -> Json:
        """Return the body of an answer, in words that the client knows.

        INVARIANT: what the client cannot ask is denied, because it would take an unknown word for silence.
        """
        if verdict.answer is HookAnswer.ASK and not self.asks:
            verdict = msgspec.structs.replace(verdict, answer=HookAnswer.DENY)
        if verdict.answer is HookAnswer.PASS or (verdict.answer is HookAnswer.ALLOW and not self.allows):
            return {}
        return self.written(name, verdict)


def read_event(
    told: dict[str, Any], name: str, title: str, kinds: Mapping[str, HookKind], names: MemberNames
) -> HookEvent:
    """Return the event `name` of a client; raises `Malformed`."""
    fields = EventFields(told, title)
    if names.event and told.get(names.event, name) != name:
        raise fields.changed(names.event)
    kind = kinds.get(name, HookKind.OTHER)
    agent = fields.optional(names.agent)
    event = HookEvent(
        kind=kind,
        name=name,
        session=fields.text(names.session),
        agent=agent,
        parent=fields.optional(names.parent) if agent else "",
        cwd=fields.folder(),
        transcript=fields.optional(names.transcript),
    )
    more: dict[str, Any] = {}
    if kind in (HookKind.CALL, HookKind.RESULT):
        more = _called(fields, names)
    if kind is HookKind.RESULT:
        more |= _result(fields, names)
    elif kind is HookKind.WORDS:
        more = {"text": fields.text("prompt", empty=True)}
    elif kind in (HookKind.SUBAGENT_BEGINS, HookKind.SUBAGENT_ENDS) and not agent:
        raise fields.changed(names.agent)
    return msgspec.structs.replace(event, **more)


def _called(fields: EventFields, names: MemberNames) -> dict[str, Any]:
    tool = fields.text(names.tool)
    if names.arguments not in fields.told:
        raise fields.changed(names.arguments)
    given = fields.told[names.arguments]
    if isinstance(given, str):
        # Some clients hand on the text that the model wrote.
        with contextlib.suppress(msgspec.DecodeError):
            given = msgspec.json.decode(given)
    context = fields.told.get(names.server) if names.server else None
    if isinstance(context, dict):
        server, own = context.get("server_name"), context.get("tool_name")
        if isinstance(server, str) and isinstance(own, str):
            tool = f"mcp__{server}__{own}"
    call = fields.text(names.call) if names.call else _digest(tool, given)
    return {"call": call, "tool": tool, "arguments": given}


def _digest(tool: str, given: object) -> str:
    """Return what stands for the id of a call where a client has none: two equal calls share it."""
    said = msgspec.json.encode([tool, given], order="sorted")
    return f"sha256:{hashlib.sha256(said).hexdigest()[:32]}"


def _result(fields: EventFields, names: MemberNames) -> dict[str, Any]:
    told = fields.told
    given = [told[one] for one in (*names.results, *names.errors) if one in told]
    if not given:
        raise fields.changed(names.results[0])
    first = told.get(names.results[0])
    failed = any(one in told for one in names.errors) or (
        isinstance(first, dict) and bool(first.get("error"))
    )
    return {"text": "\n".join(filter(None, (all_texts(one, fields) for one in given))), "error": failed}


class EventFields:
    """The members of one event, read with the refusal that names the client."""

    def __init__(self, told: dict[str, Any], title: str) -> None:
        """Take what the client told."""
        self.told = told
        self._title = title

    def text(self, name: str, *, empty: bool = False) -> str:
        """Return a member; raises `Malformed` where it is missing, or empty and must not be."""
        value = self.told.get(name)
        if not isinstance(value, str) or (not value and not empty):
            raise self.changed(name)
        return value

    def optional(self, name: str) -> str:
        """Return a member; empty where there is none."""
        value = self.told.get(name) if name else None
        return value if isinstance(value, str) else ""

    def folder(self) -> str:
        """Return the folder of an event: its own, else the first one that the person has opened."""
        roots = self.told.get("workspace_roots")
        first = roots[0] if isinstance(roots, list) and roots else ""
        found = self.optional("cwd") or (first if isinstance(first, str) else "")
        if not found:
            raise self.changed("cwd")
        return found

    def changed(self, name: str) -> Malformed:
        """Return the refusal of an event of another form."""
        return Malformed(
            f"the hook lacks `{name}`, or has it in another form: this version of the client reports "
            "otherwise than remit knows",
            code="hook-format",
            remediation=f"use a version of {self._title} that `remit guard status` names as tried, or a "
            "remit that knows this one",
        )


def all_texts(value: object, fields: EventFields, depth: int = 0) -> str:
    """Return all texts in a result, which has another shape for each tool."""
    if isinstance(value, str):
        return value
    if depth > _MAX_DEPTH:
        raise fields.changed("a result of reasonable depth")
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return "\n".join(filter(None, (all_texts(one, fields, depth + 1) for one in inner)))
