# SPDX-License-Identifier: Apache-2.0
"""What `remit suggest` says: read from the evidence, drafted, and put into files."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from remit.cli.global_options import current
from remit.cli.rest_client import Client
from remit.core.canonical import digest
from remit.core.json_value import Json

if TYPE_CHECKING:
    from remit.core.tools.suggestions import KindOfWork, ObservedCall, ToolDraft, TypeDraft

PAGE: Final = 1_000


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What the person says: how far back to read, what is known of upstreams, whether to split types."""

    since: str = ""
    audience: dict[str, str] = {}
    classes: dict[str, str] = {}
    trusted: frozenset[str] = frozenset()
    accepted: frozenset[str] = frozenset()
    split: bool = False


class FileChange(msgspec.Struct, frozen=True):
    """A file as it is, and as it is suggested; an empty `old` is a new file."""

    name: str
    old: str
    new: str


class Suggestions(msgspec.Struct, frozen=True, kw_only=True):
    """What is suggested: drafts of task types and of tools, and the files that hold them.

    `kept` are task types that are left as they are, each with the reason; `kinds` are the kinds of work in
    each type that has several; `refused` are the calls, of those that count, that each type's grants would
    refuse; `instructions` are texts of upstreams about their use that no person has reviewed; `called` are
    the tools with a call.
    """

    types: tuple[TypeDraft, ...]
    tools: dict[str, tuple[ToolDraft, ...]]
    files: tuple[FileChange, ...]
    kept: dict[str, str]
    calls: int
    called: frozenset[str]
    kinds: dict[str, tuple[KindOfWork, ...]] = {}
    refused: dict[str, int] = {}
    instructions: dict[str, str] = {}

    @property
    def digest(self) -> str:
        """The digest of the suggested files, which a person confirms."""
        return digest([[one.name, one.old, one.new] for one in self.files])


# What was observed.


def _observed(client: Client, since: str) -> list[ObservedCall]:
    """Return the calls in the evidence, with the type of their task."""
    from remit.cli.evidence.time_bounds import time_of
    from remit.core.identity.principals import person_of
    from remit.core.tools.suggestions import observed_calls

    at = time_of(since, "--since")
    types = {one["id"]: one["type"] for one in _all(client, "tasks")}
    events = _events(client, at.isoformat() if at is not None else None)
    return list(observed_calls(events, types, person_of))


def _events(client: Client, since: str | None) -> Iterator[dict[str, Json]]:
    from remit.core.tools.suggestions import KINDS

    start: int | None = 0
    while start is not None:
        page = client.get("events", start=start, limit=PAGE, kinds=",".join(KINDS), since=since)
        yield from page["items"]
        start = page["next"]


def _all(client: Client, *path: str) -> list[Json]:
    return list(client.get(*path)["items"])


# What is suggested.


def suggested(client: Client, given: Given) -> Suggestions:
    """Return what is suggested; raises `NotFound` if nothing was observed."""
    from remit.core.errors import NotFound
    from remit.core.tools.suggestions import with_leads

    calls = _observed(client, given.since)
    if not calls:
        raise NotFound(
            "no calls were observed", remediation="use the client for a while, then run this command again"
        )
    known = {one["tool"]: one for one in _all(client, "tools")}
    called = {one.tool for one in calls}
    # What a list said of a tool counts as untrusted until the tool is described, called or not.
    listed = {tool for tool, one in known.items() if not one["described"] and _is_listed(tool)}
    surfaces = {tool: _surface(client, tool) for tool in sorted(listed | (called & known.keys()))}
    guessed = _guessed(surfaces, given)
    calls = with_leads(calls, guessed, given.trusted)
    drafting = _Drafting(calls, surfaces, guessed, given)
    for view in _all(client, "task-types"):
        drafting.add(view)
    tools = _described(
        {tool: one for tool, one in guessed.items() if not known[tool]["described"]}, calls, given
    )
    said = {
        one["name"]: one["instructions"]
        for one in _all(client, "upstreams")
        if one["instructions"] and not one["reviewed"]
    }
    files = list(drafting.files)
    for name, drafts in tools.items():
        files.append(drafting.folder.tool_file(name, drafts, said.get(name, "")))
    return Suggestions(
        types=tuple(drafting.types),
        tools=tools,
        files=tuple(one for one in files if one.old != one.new),
        kept=drafting.kept | dict.fromkeys(drafting.by_type, "no such type any more"),
        calls=len(calls),
        called=frozenset(called),
        kinds=drafting.kinds,
        refused=drafting.refused,
        instructions=said,
    )


class _Drafting:
    """Drafts the task types, one after the other."""

    def __init__(
        self,
        calls: Iterable[ObservedCall],
        surfaces: Mapping[str, dict[str, Json]],
        guessed: Mapping[str, ToolDraft],
        given: Given,
    ) -> None:
        self.by_type: dict[str, list[ObservedCall]] = defaultdict(list)
        for one in calls:
            self.by_type[one.task_type].append(one)
        self.folder = _Folder()
        self.types: list[TypeDraft] = []
        self.files: list[FileChange] = []
        self.kept: dict[str, str] = {}
        self.kinds: dict[str, tuple[KindOfWork, ...]] = {}
        self.refused: dict[str, int] = {}
        self._required = {tool: _required(surface) for tool, surface in surfaces.items()}
        self._guessed = guessed
        self._given = given

    def add(self, view: Json) -> None:
        """Draft the grants of a task type from its calls, and with `--split` those of its kinds of work."""
        from remit.core.tools.suggestions import grants_text, kinds_of_work, refused_by, with_grants

        name = view["name"]
        calls = self.by_type.pop(name, [])
        draft = self._draft(name, calls, view["tools"])
        if not draft.calls:
            self.kept[name] = "no calls"
            return
        self.types.append(draft)
        self.refused[name] = refused_by(draft, calls)
        if view["parameters"]:
            self.kept[name] = "its parameters narrow it already"
            return
        if (place := self.folder.type_file(name)) is None:
            self.kept[name] = "no file in tasks/ holds it"
            return
        new = _softened(with_grants(place.old, grants_text(draft)), view)
        self.files.append(FileChange(place.name, place.old, new))
        kinds = kinds_of_work(
            [one for one in calls if not one.led],
            {tool for tool, one in self._guessed.items() if one.effect.value != "none"},
        )
        if len(kinds) > 1 or self._given.split:
            self.kinds[name] = tuple(kinds)
        if self._given.split:
            self._split(name, new, kinds, calls)

    def _split(
        self, name: str, text: str, kinds: Sequence[KindOfWork], calls: Sequence[ObservedCall]
    ) -> None:
        from remit.core.tools.suggestions import split_type, with_parameters

        for kind in kinds:
            some = [one for one in calls if one.task in kind.tasks]
            draft = with_parameters(self._draft(f"{name}-{kind.name}", some, ()), some, self._guessed)
            if not draft.grants:
                continue
            self.types.append(draft)
            self.files.append(self.folder.new_type(draft.name, split_type(text, draft.name, draft)))

    def _draft(self, name: str, calls: Sequence[ObservedCall], granted: Iterable[str]) -> TypeDraft:
        from remit.core.tools.suggestions import grants_of

        return grants_of(
            name, calls, self._required, granted, accepted=self._given.accepted, drafts=self._guessed
        )


def _is_listed(tool: str) -> bool:
    from remit.core.tools.tool import RESERVED_OPERATIONS

    return tool.partition("/")[2] not in RESERVED_OPERATIONS


def _surface(client: Client, tool: str) -> dict[str, Json]:
    from remit.core.errors import NotFound

    try:
        return dict(client.get("tools", tool, "diff")["accepted"])
    except NotFound:
        return {}


def _required(surface: Mapping[str, Json]) -> tuple[str, ...]:
    schema = surface.get("inputSchema")
    wanted = schema.get("required") if isinstance(schema, dict) else None
    return tuple(str(one) for one in wanted) if isinstance(wanted, list) else ()


def _guessed(surfaces: Mapping[str, dict[str, Json]], given: Given) -> dict[str, ToolDraft]:
    """Return the guesses about the tools that were called or listed, described ones too."""
    from remit.core.tools.suggestions import UpstreamFacts, drafted, vouched
    from remit.core.tools.tool import Tool

    top = current().load_config().data_classes.top
    found: dict[str, ToolDraft] = {}
    for tool, surface in surfaces.items():
        upstream, _, name = tool.partition("/")
        facts = UpstreamFacts(
            audience=given.audience.get(upstream, ""), data_class=given.classes.get(upstream, "")
        )
        draft = drafted(Tool(upstream=upstream, name=name, surface=surface), facts, top)
        if upstream in given.trusted:
            draft = vouched(draft, "as given for this upstream")
        found[tool] = draft
    return found


def _described(
    bare: Mapping[str, ToolDraft], calls: Sequence[ObservedCall], given: Given
) -> dict[str, tuple[ToolDraft, ...]]:
    """Return the drafts of undescribed tools with what their calls showed, by upstream."""
    from remit.core.tools.suggestions import with_observed
    from remit.core.tools.tool import is_tool_name

    found: dict[str, list[ToolDraft]] = defaultdict(list)
    for tool, draft in with_observed(bare, calls).items():
        upstream, _, name = tool.partition("/")
        if is_tool_name(name):
            found[upstream].append(draft)
    return {upstream: tuple(drafts) for upstream, drafts in found.items()}


def _softened(text: str, view: Json) -> str:
    """Return a type's file with `without_words: ask`, where no person ever states what its tasks are for."""
    alone = not view["requires_person"] and all(one.startswith("agent:") for one in view["requested_by"])
    if not alone or re.search(r"^without_words:", text, re.MULTILINE):
        return text
    line = "# remit never sees the words of the person: what only words could permit is asked about."
    return re.sub(
        r"^# Suggested from ", f"{line}\nwithout_words: ask\n\\g<0>", text, count=1, flags=re.MULTILINE
    )


class _Folder:
    """remit's folder: where files of task types and of tools are, and go."""

    def __init__(self) -> None:
        config = current().load_config()
        self._root = current().config_file.parent
        self._tasks, self._tools = config.tasks, config.tools

    def type_file(self, name: str) -> FileChange | None:
        """Return the file of a task type."""
        line = re.compile(rf"^task:[ \t]*[\"']?{re.escape(name)}[\"']?[ \t]*(?:#.*)?$", re.MULTILINE)
        for path in sorted((self._root / self._tasks).rglob("*.y*ml")):
            text = path.read_text(encoding="utf-8")
            if line.search(text):
                return FileChange(path.relative_to(self._root).as_posix(), text, text)
        return None

    def new_type(self, name: str, text: str) -> FileChange:
        """Return the file of a suggested task type: new, or as it was suggested before."""
        path = f"{self._tasks}/{name}.yaml"
        place = self._root / path
        return FileChange(path, place.read_text(encoding="utf-8") if place.exists() else "", text)

    def tool_file(self, upstream: str, drafts: tuple[ToolDraft, ...], instructions: str) -> FileChange:
        """Return a new file that describes tools: no file of a person is changed.

        A file that was suggested before and is not in force yet is the file.
        """
        from remit.core.tools.suggestions import tools_text

        text = tools_text(upstream, drafts, instructions)
        number, name = 1, f"{self._tools}/{upstream}.yaml"
        while (self._root / name).exists():
            if (self._root / name).read_text(encoding="utf-8") == text:
                return FileChange(name, text, text)
            number += 1
            name = f"{self._tools}/{upstream}-{number}.yaml"
        return FileChange(name, "", text)
