# SPDX-License-Identifier: Apache-2.0
"""Lists of what upstreams offer, as tasks see them: upstream data, and so taken in like a result.

The steps of a list; steps 1 and 2 are done by the endpoint, as for every call:

3. describe: a list carries the label that reading there would bring, and the stored label of its upstream as
   a whole, because others may have written what the list names. What an upstream says of a tool is untrusted
   until an administrator vouches for it: it is assumed until files describe the tool
4. decide: of everything that is offered, a task sees what it may call, and nothing whose data would be above
   the ceilings of its grants
8. observe: what the task has not seen yet is taken in, then the list may be released
9. close: the bytes of new entries are counted against the task's budgets

Each entry is identified by its content: an entry that a task has seen costs nothing in its next list, and a
changed entry costs its own bytes. An unchanged list is written once for all tasks that see the same entries.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import msgspec
import orjson

from remit.core.cooperative_steps import finish
from remit.core.decisions.access_request import AccessRequest
from remit.core.decisions.mediation import Delivery
from remit.core.flow.values.destination import within
from remit.core.ids import ID_BYTES, make_id
from remit.core.json_value import Json
from remit.core.label import Classes, Label, Trust
from remit.core.oauth.access_token import AccessClaims
from remit.core.tasks.plan import tools_of
from remit.core.tools.assumed_labels import words_key
from remit.core.tools.tool import PROMPT_GET, RESOURCE_READ, Effect, Tool, ToolState, list_key
from remit.ports.runtime import Entropy
from remit.ports.store.changes import TakeBudget
from remit.ports.store.units import Unit
from remit.services.decisions.authorizer import carries
from remit.services.flow.observation import Observation
from remit.services.mediation.dependencies import Dependencies
from remit.services.tasks.live_task import HeardList, LiveTask
from remit.services.tools.pinned_tools import ToolCatalogue

TOOLS: Final = "tools"
RESOURCES: Final = "resources"
TEMPLATES: Final = "resourceTemplates"
PROMPTS: Final = "prompts"
#: What an upstream says of its use, as a list of one entry. Enforced, only a reviewed text is shown.
WORDS: Final = "instructions"
#: The operation that reads an entry of each list, and the argument that names the entry.
_READ_BY: Final = {
    RESOURCES: (RESOURCE_READ, "uri"),
    TEMPLATES: (RESOURCE_READ, ""),
    PROMPTS: (PROMPT_GET, "name"),
}
#: Kinds of entries that get another name where all upstreams are served at one address.
_RENAMED: Final = frozenset((TOOLS, PROMPTS))
#: Bytes of written lists that are kept.
MAX_WRITTEN: Final = 32 * 1024 * 1024


class ListedEntry(msgspec.Struct, frozen=True, eq=False):
    """One entry of a list.

    `number` is unique to the entry's content. `key` is the value that grants refer to. `addresses` are those
    in a tool that an administrator vouches for; `None` where no administrator does.
    """

    number: int
    key: str
    wire: dict[str, Json]
    body: bytes
    tool: Tool | None = None
    addresses: tuple[str, ...] | None = None

    def named(self, name: str) -> bytes:
        """Return the entry's JSON under another name."""
        rest = self.body[1:] if self.body != b"{}" else b"}"
        return b'{"name":' + orjson.dumps(name) + (b"," if rest != b"}" else b"") + rest


class Offering(msgspec.Struct, frozen=True, eq=False):
    """One list of one upstream.

    `of` are the objects that the list was made of, `numbers` those of its entries. A list with other entries,
    or in another order, has another `serial`. `size` is its JSON's size in bytes.
    """

    serial: int
    of: tuple[object, ...]
    entries: tuple[ListedEntry, ...]
    numbers: frozenset[int]
    size: int


class ToolListSizes(msgspec.Struct):
    """The sizes of the tool lists of tasks, in bytes of JSON, since the start.

    `tasks` asked for a list. They were shown `shown_bytes` in their first lists, of the `offered_bytes` that
    their upstreams offer. What is not shown costs an agent's model no tokens.
    """

    tasks: int = 0
    shown_bytes: int = 0
    offered_bytes: int = 0


class Lists:
    """All lists, for one event loop.

    `steps` counts the work done: entries `read` from catalogues, `judged` for a task and `taken` in by a
    task, and lists `written`.
    """

    def __init__(self, parts: Dependencies, *, tools: ToolCatalogue, entropy: Entropy) -> None:
        """Take the dependencies of every call, and the catalogue where tools are registered."""
        self._m = parts
        self._tools = tools
        self._entropy = entropy
        self._offerings: dict[tuple[str, str], Offering] = {}
        self._numbers = 0
        self._written: OrderedDict[tuple[Json, ...], bytes] = OrderedDict()
        self._written_bytes = 0
        self.steps: Counter[str] = Counter()
        self.sizes = ToolListSizes()

    async def of(
        self,
        claims: AccessClaims,
        live: LiveTask,
        upstream: str,
        kind: str,
        shown: Callable[[str], str] | None,
    ) -> Delivery | None:
        """Return the entries of one list that a task may see, as JSON with commas between them.

        Returns `None` where there are no such entries. `shown` returns the name under which the task knows an
        entry; with `shown` as `None` entries keep their names.

        Raises `BudgetExhausted` where the task's budget of result bytes is used up, and the error of an end
        that reaches the task during this.
        """
        offering = self._offering(upstream, kind)
        heard = self._visible(live, upstream, kind, offering)
        known = live.heard.get((upstream, kind))
        if kind == TOOLS and known is None:
            self._measure(live, offering, heard.numbers)
        if not heard.numbers:
            live.heard.setdefault((upstream, kind), heard)
            return None
        before = known.numbers if known is not None and known.index is live.index else frozenset()
        new = heard.numbers - before
        entries = [one for one in offering.entries if one.number in new] if new else []
        request = await self._describe(claims, live, upstream, kind, entries)
        if not _within(request, self._m.policies.applied.bundle.classes.rank):
            return None
        body = self._body(offering, heard.numbers, upstream, kind, shown)
        took = self._count(live, entries)
        taking = Observation(
            live,
            request,
            0,
            make_id("list", self._entropy.bytes(ID_BYTES)),
            lambda: self._m.live.check(live, self._m.clock.now()),
        )
        self.steps["taken"] += len(entries)
        plain = [one.wire for one in entries if one.addresses is None]
        vouched = [text for one in entries for text in one.addresses or ()]
        delivery = await self._m.observer.listed(taking, plain, vouched, body)
        live.heard[upstream, kind] = heard
        if took is not None and live.bounds_bytes:
            self._m.late.write(Unit((took,)))
        return delivery

    # Step 3.

    async def _describe(
        self, claims: AccessClaims, live: LiveTask, upstream: str, kind: str, new: Sequence[ListedEntry]
    ) -> AccessRequest:
        """Describe a list as a call that reads its upstream as a whole."""
        operation, _ = _READ_BY.get(kind, ("", ""))
        now, classes = self._m.clock.now(), self._m.policies.applied.bundle.classes
        steps = self._m.authorizer.describing(claims.principal, live, upstream, operation or TOOLS, {}, now)
        # A list has no arguments, so its description needs no pause for other tasks.
        request = finish(steps)
        label = carries(request.tool, classes) if operation else _unreviewed(new, upstream, classes)
        tool = Tool(
            upstream=upstream,
            name=f"{kind}:list",
            effect=Effect.NONE,
            audience=request.tool.audience,
            label=label,
            described=True,
        )
        request = msgspec.structs.replace(request, tool=tool, observed=request.observed or not operation)
        return await self._m.stored_labels.seen(request) if new else request

    # Step 4.

    def holds(self, live: LiveTask, upstream: str, name: str) -> bool:
        """Return whether a task may know of a tool or operation.

        It may where it holds a grant, or where the upstream is only observed and nothing is refused.
        """
        return self._m.authorizer.observes(upstream) or f"{upstream}/{name}" in live.grants

    def permits(self, live: LiveTask, upstream: str, operation: str, key: str, value: str) -> bool:
        """Return whether some grant of an operation permits `value` for `key`, whatever else is requested."""
        if self._m.authorizer.observes(upstream):
            return True
        for grant in live.grants.get(f"{upstream}/{operation}", ()):
            if not any(one.argument in (key, "") for one in grant.permits({key: value})):
                return True
        return False

    def sees(self, live: LiveTask, tool: Tool) -> bool:
        """Return whether a task may know of a tool."""
        return live.sees(tool, observed=self._m.authorizer.observes(tool.upstream))

    def told(self, tool: Tool) -> dict[str, Json]:
        """Return the description of a tool that tasks see: its accepted surface.

        Where the upstream is only observed and nothing is refused, this is what the upstream states now, as
        clients without remit would see it.
        """
        if self._m.authorizer.observes(tool.upstream):
            offered = self._tools.offered(tool.upstream, tool.name) or {}
            return offered if "inputSchema" in offered else tool.surface
        return tool.surface

    def schema(self, tool: Tool) -> Json:
        """Return the schema of a tool's input, for validating a request."""
        return self.told(tool).get("inputSchema")

    def has_result_schema(self, tool: Tool) -> bool:
        """Return whether a tool's description has a schema of its results."""
        return "outputSchema" in self.told(tool)

    def _visible(self, live: LiveTask, upstream: str, kind: str, offering: Offering) -> HeardList:
        """Return the entries that a task may see.

        Entries that were judged for the task before are not judged again while its grants and plan are
        unchanged.
        """
        known = live.heard.get((upstream, kind))
        plan = live.task.plan if kind == TOOLS else None
        judged: frozenset[int] = frozenset()
        visible: frozenset[int] = frozenset()
        if known is not None and known.grants is live.grants and known.plan == plan:
            if known.judged is offering.numbers and known.index is live.index:
                return known
            judged, visible = known.judged, known.numbers & offering.numbers
        fresh = [one for one in offering.entries if one.number not in judged]
        self.steps["judged"] += len(fresh)
        found = frozenset(one.number for one in fresh if self._permitted(live, upstream, kind, one))
        return HeardList(visible | found, offering.numbers, live.grants, plan, live.index)

    def _permitted(self, live: LiveTask, upstream: str, kind: str, entry: ListedEntry) -> bool:
        if (tool := entry.tool) is not None:
            # A task with a plan sees the tools that the plan names, because no other tool may be called under
            # the plan. Where nothing is refused, every tool is visible.
            plan = tools_of(live.task.plan)
            foreseen = plan is None or tool.id in plan or self._m.authorizer.observes(upstream)
            return foreseen and self.sees(live, tool)
        if kind == WORDS:
            # A task gets a reviewed text if it may call any tool that the text may be about.
            works = any(one.partition("/")[0] == upstream for one in live.grants)
            return self._m.authorizer.observes(upstream) or (entry.addresses is not None and works)
        operation, argument = _READ_BY[kind]
        if not self.holds(live, upstream, operation):
            return False
        return not argument or self.permits(live, upstream, operation, argument, entry.key)

    # What is offered.

    def _offering(self, upstream: str, kind: str) -> Offering:
        made_of = self._made_of(upstream, kind)
        known = self._offerings.get((upstream, kind))
        if known is not None and all(map(_same, known.of, made_of)):
            return known
        before = {one.key: one for one in known.entries} if known is not None else {}
        entries = tuple(self._entries(upstream, kind, before))
        if known is not None and entries == known.entries:
            # The same entries: a task that has seen them has seen the same list.
            offering = msgspec.structs.replace(known, of=made_of)
        else:
            self._numbers += 1
            numbers = frozenset(one.number for one in entries)
            offering = Offering(self._numbers, made_of, entries, numbers, sum(map(_size, entries)))
        self._offerings[upstream, kind] = offering
        return offering

    def _made_of(self, upstream: str, kind: str) -> tuple[object, ...]:
        if kind == TOOLS:
            return self._tools.version(upstream)
        if kind == WORDS:
            return (self._tools.catalogue(upstream), self._tools.reviewed_words(upstream))
        return (self._catalogued(upstream, kind),)

    def _catalogued(self, upstream: str, kind: str) -> tuple[dict[str, Json], ...]:
        catalogue = self._tools.catalogue(upstream)
        if catalogue is None:
            return ()
        return {
            RESOURCES: catalogue.resources,
            TEMPLATES: catalogue.resource_templates,
            PROMPTS: catalogue.prompts,
        }[kind]

    def _entries(self, upstream: str, kind: str, before: dict[str, ListedEntry]) -> Iterator[ListedEntry]:
        if kind == TOOLS:
            for tool in self._tools.of(upstream):
                if "inputSchema" in tool.surface:
                    yield self._entry(kind, before, tool.name, _callable(self.told(tool)), tool)
            return
        if kind == WORDS:
            catalogue = self._tools.catalogue(upstream)
            if catalogue is not None and catalogue.instructions:
                accepted = catalogue.instructions == self._tools.reviewed_words(upstream)
                yield self._entry(kind, before, kind, {kind: catalogue.instructions}, accepted=accepted)
            return
        _, argument = _READ_BY[kind]
        for wire in self._catalogued(upstream, kind):
            key = wire.get(argument or "uriTemplate")
            if isinstance(key, str) or not argument:
                yield self._entry(kind, before, str(key), wire)

    def _entry(
        self,
        kind: str,
        before: dict[str, ListedEntry],
        key: str,
        wire: dict[str, Json],
        tool: Tool | None = None,
        *,
        accepted: bool = False,
    ) -> ListedEntry:
        known = before.get(key)
        same = known is not None and known.wire == wire and known.tool == tool
        if known is not None and same and (tool is not None or accepted is (known.addresses is not None)):
            return known
        self.steps["read"] += 1
        self._numbers += 1
        kept = {name: one for name, one in wire.items() if name != "name"} if kind in _RENAMED else wire
        vouched = accepted or (tool is not None and self._vouched(tool, wire))
        addresses = tuple(_addresses(wire)) if vouched else None
        return ListedEntry(self._numbers, key, wire, orjson.dumps(kept), tool, addresses)

    def _vouched(self, tool: Tool, wire: dict[str, Json]) -> bool:
        """Return whether an administrator vouches for what a tool's entry states.

        The tool is described and pinned, or is in an API document of the bundle. Members beside a pinned
        surface were not reviewed.
        """
        if tool.upstream in self._m.policies.applied.bundle.apis:
            return True
        return tool.described and tool.state is ToolState.PINNED and "_meta" not in wire

    # The written list, and its cost.

    def _body(
        self,
        offering: Offering,
        visible: frozenset[int],
        upstream: str,
        kind: str,
        shown: Callable[[str], str] | None,
    ) -> bytes:
        key = (upstream, kind, shown is None, offering.serial, visible)
        if (found := self._written.get(key)) is not None:
            self._written.move_to_end(key)
            return found
        self.steps["written"] += 1
        chosen = (one for one in offering.entries if one.number in visible)
        if kind in _RENAMED:
            body = b",".join([one.named(shown(one.key) if shown else one.key) for one in chosen])
        else:
            body = b",".join([one.body for one in chosen])
        self._keep(key, body)
        return body

    def _measure(self, live: LiveTask, offering: Offering, visible: frozenset[int]) -> None:
        """Count what a task is shown of a list of tools that it has not asked for before."""
        first = not any(kind == TOOLS for _, kind in live.heard)
        self.sizes.tasks += first
        self.sizes.offered_bytes += offering.size
        self.sizes.shown_bytes += sum(_size(one) for one in offering.entries if one.number in visible)

    def _keep(self, key: tuple[Json, ...], body: bytes) -> None:
        if len(body) > MAX_WRITTEN:
            return
        self._written[key] = body
        self._written_bytes += len(body)
        while self._written_bytes > MAX_WRITTEN:
            _, gone = self._written.popitem(last=False)
            self._written_bytes -= len(gone)

    def _count(self, live: LiveTask, new: Sequence[ListedEntry]) -> TakeBudget | None:
        """Count new entries; raises `BudgetExhausted` where no more data may come in."""
        if not new:
            return None
        room = TakeBudget(live.bounds)
        live.reserve((room,))
        live.settle((room,), taken=False)
        return live.count_result(sum(len(one.body) for one in new))


def _unreviewed(entries: Sequence[ListedEntry], upstream: str, classes: Classes) -> Label:
    """Return the label of entries that no administrator vouches for.

    It is assumed of the surfaces of the tools and of the text of the upstream, and known where an entry says
    anything else.
    """
    label = Label(classes.bottom, trust=Trust.UNTRUSTED)
    keys = [_key_of(one, upstream) for one in entries if one.addresses is None]
    return label.assuming(Label(classes.bottom), frozenset(filter(None, keys))) if all(keys) else label


def _key_of(entry: ListedEntry, upstream: str) -> str:
    tool, said = entry.tool, entry.wire.get(WORDS)
    if entry.key == WORDS and tool is None and isinstance(said, str):
        return words_key(upstream, said)
    reviewable = tool is not None and tool.label.assumed is not None and entry.wire == _callable(tool.surface)
    return list_key(tool) if tool is not None and reviewable else ""


def _callable(wire: dict[str, Json]) -> dict[str, Json]:
    """Return a tool's entry without its offer of tasks of 2025-11-25, which no session has.

    A client would read a tool that demands them as one that it cannot call.
    """
    execution = wire.get("execution")
    if not isinstance(execution, dict) or "taskSupport" not in execution:
        return wire
    rest = {name: one for name, one in execution.items() if name != "taskSupport"}
    kept = {name: one for name, one in wire.items() if name != "execution"}
    return kept | ({"execution": rest} if rest else {})


def _size(entry: ListedEntry) -> int:
    return len(entry.body) + len(entry.key)


def _same(one: object, other: object) -> bool:
    return one is other


def _within(request: AccessRequest, rank: Callable[[str], int]) -> bool:
    """Return whether some grant permits results of the data class that a list carries."""
    carried = rank(request.tool.label.data_class)
    return request.observed or any(
        all(carried <= rank(top) for top in grant.result_classes) for grant in request.grants
    )


def _addresses(value: Json) -> Iterator[str]:
    """Yield the addresses in all texts of a value, keys included."""
    for text in _texts(value):
        for found in within(text):
            yield found.normal


def _texts(value: Json) -> Iterable[str]:
    todo = [value]
    while todo:
        one = todo.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            todo += one.keys()
            todo += one.values()
        elif isinstance(one, list):
            todo += one
