# SPDX-License-Identifier: Apache-2.0
"""Graphs that are drawn on the server: what led to a call, from top to bottom."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from markupsafe import Markup, escape

from remit.api.console.page import ROOT, address_of
from remit.core.evidence.chain import Chain, ChainCall
from remit.core.safe_text import plain

_WIDTH: Final = 360
#: Room for arrows around boxes.
_ROOM: Final = 34
_BOX: Final = 46
_GAP: Final = 30
#: Characters of one line in a box, and of what is written at an arrow; calls that a graph shows.
_LINE: Final = 44
_HALF: Final = 26
MAX_CALLS: Final = 12


class GraphNode(msgspec.Struct, frozen=True, kw_only=True):
    """A box: who or what, and a second line. `kind` is `person`, `agent`, `call`, `others` or `asked`."""

    key: str
    kind: str
    title: str
    note: str = ""
    address: str = ""


class GraphEdge(msgspec.Struct, frozen=True, kw_only=True):
    """An arrow from one box to a later one, with what it stands for."""

    start: str
    end: str
    text: str = ""


def question_graph(
    *, person: str, agents: Sequence[str], tool: str, note: str, chain: Chain | None
) -> Markup:
    """Return the way to a call: the person, the agents, the calls that its values came from, and itself."""
    nodes = (
        [GraphNode(key="person", kind="person", title=person, note="stated what the task is for")]
        if person
        else []
    )
    nodes += [
        GraphNode(key=f"agent {place}", kind="agent", title=one, address=address_of("agents", one),
                  note="makes the call" if place == len(agents) - 1 else "has delegated")
        for place, one in enumerate(agents)
    ]  # fmt: skip
    edges = [GraphEdge(start=one.key, end=two.key) for one, two in itertools.pairwise(nodes)]
    last = nodes[-1].key if nodes else ""
    before = _before(chain)
    nodes += [_call_node(chain, one, agents) for one in before if chain is not None]
    nodes.append(GraphNode(key="asked", kind="asked", title=tool, note=note))
    edges += _call_edges(chain, before, last)
    return drawn(nodes, edges)


def _before(chain: Chain | None) -> list[ChainCall]:
    if chain is None:
        return []
    return [one for one in chain.calls if one.decision != chain.stopped][-MAX_CALLS:]


def _call_node(chain: Chain, one: ChainCall, agents: Sequence[str]) -> GraphNode:
    by = chain.task(one.task).agent
    parts = [f"call {one.number}" if one.number else one.outcome, *([f"by {by}"] if by not in agents else [])]
    return GraphNode(
        key=one.decision,
        kind="others" if "untrusted" in one.carries else "call",
        title=one.tool,
        note=" · ".join([*parts, *([one.carries] if one.carries else [])]),
        address=f"{ROOT}/decisions/{one.decision}",
    )


def _call_edges(chain: Chain | None, before: Sequence[ChainCall], agent: str) -> Iterable[GraphEdge]:
    shown = {one.decision for one in before}
    led: set[str] = set()
    ways: dict[tuple[str, str], list[str]] = {}
    for edge in chain.edges if chain is not None else ():
        if edge.cause not in shown:
            continue
        end = "asked" if chain is not None and edge.effect == chain.stopped else edge.effect
        led.add(end)
        ways.setdefault((edge.cause, end), []).append(
            _way(edge.kind, edge.argument, edge.field, edge.resource)
        )
    if agent:
        first = next((one.decision for one in before), "asked")
        yield from (
            GraphEdge(start=agent, end=end) for end in dict.fromkeys((first, "asked")) if end not in led
        )
    for (start, end), words in ways.items():
        yield GraphEdge(start=start, end=end, text=", ".join(dict.fromkeys(one for one in words if one)))


def _way(kind: str, argument: str, field: str, resource: str) -> str:
    if kind == "value":
        return f"{argument}, from field {field}" if field else argument
    return f"through {resource}" if kind == "stored" and resource else "read before"


def drawn(
    nodes: Sequence[GraphNode], edges: Sequence[GraphEdge], says: str = "What led to this call: "
) -> Markup:
    """Return boxes one below the other, with an arrow for each edge; `says` begins its description."""
    order = {one.key: at for at, one in enumerate(nodes)}
    far = [one for one in edges if order[one.end] - order[one.start] > 1]
    left = _ROOM if far else 1
    parts = [_near(order[one.start], one.text, left) for one in edges if one not in far]
    parts += [_far(order[one.start], order[one.end], lane, left) for lane, one in enumerate(far)]
    parts += [_coming(order[key], words) for key, words in _coming_to(nodes, far).items()]
    parts += [_box(one, _top(at), left) for at, one in enumerate(nodes)]
    listed = Markup("; ").join(
        _line(f"{one.title}, {one.note}" if one.note else one.title, 100) for one in nodes
    )
    return Markup('<svg class="graph" viewBox="0 0 {} {}" role="group" aria-label="{}">{}</svg>').format(
        _WIDTH, _top(len(nodes)) - _GAP + 1, escape(says) + listed, Markup("").join(parts)
    )


def _coming_to(nodes: Sequence[GraphNode], far: Sequence[GraphEdge]) -> dict[str, list[str]]:
    """Return what comes to boxes around others: the argument, and the box that it comes from."""
    titles = {one.key: one.title for one in nodes}
    words: dict[str, list[str]] = {}
    for one in far:
        if one.text:
            words.setdefault(one.end, []).append(
                f"{one.text.partition(', from')[0]} from {titles[one.start]}"
            )
    return words


def _coming(place: int, words: Sequence[str]) -> Markup:
    """Return what comes to a box around others, above it at the right."""
    more = f" +{len(words) - 1}" if len(words) > 1 else ""
    return Markup('<text text-anchor="end" x="{}" y="{}">{}</text>').format(
        _WIDTH - 1, _top(place) - _GAP // 2 + 4, _line(words[0], _HALF) + more
    )


def _top(place: int) -> int:
    return place * (_BOX + _GAP) + 1


def _near(place: int, text: str, left: int) -> Markup:
    """Return an arrow to the next box, with its text."""
    at, top, end = left + 24, _top(place) + _BOX, _top(place + 1) - 2
    return Markup(
        '<path class="edge" d="M{} {}V{}m-4 -5l4 5l4 -5"/><text class="way" x="{}" y="{}">{}</text>'
    ).format(at, top, end, at + 12, top + _GAP // 2 + 4, _line(text, _HALF))


def _far(start: int, end: int, lane: int, left: int) -> Markup:
    """Return an arrow around the boxes between, in a lane of its own as far as there is room."""
    at, top, bottom = left - 14 - 6 * (lane % 3), _top(start) + _BOX // 2, _top(end) + _BOX // 2 - 6
    line = f"M{left} {top}H{at + 6}q-6 0 -6 6V{bottom - 6}q0 6 6 6H{left - 2}m-5 -4l5 4l-5 4"
    return Markup('<path class="edge" d="{}"/>').format(line)


def _box(node: GraphNode, top: int, left: int) -> Markup:
    box = Markup(
        '<g class="node {}"><rect x="{}" y="{}" width="{}" height="{}" rx="9"/>'
        '<text class="name" x="{}" y="{}">{}</text><text x="{}" y="{}">{}</text></g>'
    ).format(
        node.kind, left, top, _WIDTH - left - 1, _BOX,
        left + 12, top + 19, _line(node.title), left + 12, top + 36, _line(node.note),
    )  # fmt: skip
    return Markup('<a href="{}">{}</a>').format(node.address, box) if node.address else box


def _line(text: str, most: int = _LINE) -> Markup:
    text = " ".join(plain(text[:1000]).split())
    return escape(text if len(text) <= most else f"{text[: most - 1]}…")
