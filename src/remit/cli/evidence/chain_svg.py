# SPDX-License-Identifier: Apache-2.0
"""A chain as a picture for browsers: one self-contained SVG, calm, in light and in dark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from textwrap import wrap
from typing import Final

import msgspec

from remit.cli.safe_text import plain
from remit.core.evidence.chain import Chain, ChainCall

WIDTH: Final = 960
_LEFT: Final = 24
_ROW: Final = 46
_HEAD: Final = 44
_GAP: Final = 62
_LINE: Final = 17
#: Characters that a line of reasons holds.
_COLUMNS: Final = 108
#: Where names of tools begin, and how wide letters are at most: theirs, and those of what a call was about.
_TOOL: Final = _LEFT + 112
_NAME_WIDTH: Final = 8.8
_DIM_WIDTH: Final = 7.6
_LONGEST_NAME: Final = 44

_STYLE: Final = """
  svg { background: #fbfaf7; font: 14px system-ui, sans-serif; color: #22262b }
  text { fill: currentColor }
  .task { fill: #ffffff; stroke: #d9d5cc }
  .name { font-weight: 600 }
  .dim { opacity: .62; font-size: 13px }
  .mono { font-family: ui-monospace, monospace; font-size: 13px }
  .code { font-family: ui-monospace, monospace; font-size: 12.5px }
  .edge { stroke: #b07a1e; stroke-width: 1.6; fill: none }
  .tip { fill: #b07a1e }
  .led { fill: #8a5c0d; font-size: 13px }
  .call { fill: #3b7ea1 }
  .stop { fill: #b3261e }
  .why { fill: #b3261e; font-size: 13px }
  .ask { fill: #b07a1e }
  .asked { fill: #8a5c0d; font-size: 13px }
  @media (prefers-color-scheme: dark) {
    svg { background: #16181b; color: #e7e4dd }
    .task { fill: #1f2226; stroke: #3a3f45 }
    .led, .asked { fill: #e0b25a } .ask { fill: #c9973a } .edge { stroke: #c9973a } .tip { fill: #c9973a }
    .why, .stop { fill: #ff8a80 } .call { fill: #7cc0e0 }
  }
"""

#: How a call that did not pass is drawn, and its words.
_CLASSES: Final = {"deny": ("stop", "why"), "defer": ("ask", "asked")}


class _Box(msgspec.Struct):
    """A task with its calls that follow each other."""

    top: int
    calls: list[tuple[ChainCall, int]]
    bottom: int = 0


def svg_of(chain: Chain) -> str:
    """Draw a chain. Everything that comes from the evidence is escaped; nothing is fetched."""
    boxes, places, height = _laid_out(chain)
    title = f"What led to {chain.calls[-1].tool}" if chain.calls else "A chain"
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
            f'height="{height}" role="img">'
        ),
        f"<title>{_safe(title)}</title>",
        f"<style>{_STYLE}</style>",
        (
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            'orient="auto"><path class="tip" d="M0 0 8 4 0 8z"/></marker></defs>'
        ),
    ]
    about = _about_at(chain)
    for box in boxes:
        parts += _box(chain, box, about)
    for call in chain.calls:
        for number, (cause, how) in enumerate(chain.led_to(call.decision)):
            parts += _edge(how, places[cause], places[call.decision], number, _gap(boxes, cause, call))
    if chain.cut:
        parts.append(f'<text class="dim" x="{_LEFT}" y="18">There is more of it, further back.</text>')
    return "\n".join((*parts, "</svg>")) + "\n"


def _gap(boxes: Sequence[_Box], cause: str, call: ChainCall) -> int:
    """Return the middle of the space above a call's box where an arrow comes through it, else 0."""
    for box in boxes:
        held = [one.decision for one, _ in box.calls]
        if call.decision in held:
            return 0 if cause in held else box.top - _GAP // 2
    return 0


def _laid_out(chain: Chain) -> tuple[list[_Box], dict[str, int], int]:
    """Return the boxes, where each call stands, and how high it all is."""
    boxes: list[_Box] = []
    places: dict[str, int] = {}
    at = _LEFT
    task = ""
    for call in chain.calls:
        if call.task != task:
            at += _GAP if boxes else 0
            boxes.append(_Box(at, []))
            task = call.task
            at += _HEAD
        elif boxes[-1].calls:
            at += _GAP - 30
        places[call.decision] = at
        boxes[-1].calls.append((call, at))
        why = _why(call)
        at += _ROW + (_LINE * len(why) + 5 if why else 0)
        boxes[-1].bottom = at
    return boxes, places, at + _LEFT


def _why(call: ChainCall) -> list[str]:
    told = (f"{one.said}  [{one.rule}]" if one.rule else one.said for one in call.told)
    return [line for reason in told for line in wrap(reason, _COLUMNS)]


def _about_at(chain: Chain) -> int:
    """Return where what calls were about begins: right of the longest name of a tool."""
    longest = max((len(plain(one.tool)) for one in chain.calls), default=0)
    return _TOOL + max(150, round(min(longest, _LONGEST_NAME) * _NAME_WIDTH) + 18)


def _box(chain: Chain, box: _Box, about_at: int) -> Sequence[str]:
    task = chain.task(box.calls[0][0].task)
    told = f"{task.type}{f', for {task.on_behalf_of}' if task.on_behalf_of else ''}"
    out = [
        (
            f'<rect class="task" x="{_LEFT}" y="{box.top}" width="{WIDTH - 2 * _LEFT}" '
            f'height="{box.bottom - box.top}" rx="10"/>'
        ),
        (
            f'<text x="{_LEFT + 46}" y="{box.top + 27}"><tspan class="name">{_safe(task.agent)}</tspan>'
            f'<tspan dx="10">{_safe(told)}</tspan>'
            f'<tspan class="dim mono" dx="10">{_safe(task.id)}</tspan></text>'
        ),
    ]
    for call, at in box.calls:
        mark, words = _CLASSES.get(call.outcome, ("call", ""))
        name = {"deny": "refused", "defer": "asked"}.get(call.outcome, f"call {call.number}")
        about = " · ".join(one for one in (call.about, call.carries, call.approved) if one)
        out += [
            f'<circle class="{mark}" cx="{_LEFT + 26}" cy="{at + 18}" r="7"/>',
            f'<text class="{words}" x="{_LEFT + 46}" y="{at + 23}">{_safe(name)}</text>',
            _line("name", _TOOL, at + 23, call.tool, _LONGEST_NAME),
            _line("dim", about_at, at + 23, about, int((WIDTH - _LEFT - 14 - about_at) / _DIM_WIDTH)),
        ]
        out += [
            f'<text class="{words or "why"}" x="{_LEFT + 46}" y="{at + 45 + _LINE * number}">{line}</text>'
            for number, line in enumerate(_coded(_why(call)))
        ]
    return out


def _line(kind: str, x: int, y: int, text: str, room: int) -> str:
    """Return a text that keeps to its room; the whole of it is shown by pointing at it."""
    shown = plain(text)
    hint = f"<title>{_safe(text)}</title>" if len(shown) > room else ""
    shown = shown if len(shown) <= room else f"{shown[: room - 1]}…"
    return f'<text class="{kind}" x="{x}" y="{y}">{hint}{escape(shown)}</text>'


def _coded(lines: Sequence[str]) -> Iterator[str]:
    """Yield lines with what stands between backticks in letters of one width, also over the end of a line."""
    inside = False
    for line in lines:
        parts = []
        for number, part in enumerate(line.split("`")):
            inside = inside if number == 0 else not inside
            parts.append(f'<tspan class="code">{_safe(part)}</tspan>' if inside else _safe(part))
        yield "".join(parts)


def _edge(how: str, start: int, end: int, number: int, gap: int) -> Sequence[str]:
    """Draw an arrow from one call to a later one: straight where they follow each other, else in an arc.

    What it is labelled with stands above the later call; in the middle of `gap` where there is one.
    """
    x = _LEFT + 26
    far = end - start > 4 * _ROW
    line = (
        f"M{x - 8} {start + 22} C{x - 20} {start + 60} {x - 20} {end - 30} {x - 7} {end + 12}"
        if far
        else f"M{x} {start + 27} L{x} {end + 8}"
    )
    at = (gap + 5 if gap else end - 4) - _LINE * number
    return [
        f'<path class="edge" d="{line}" marker-end="url(#tip)"/>',
        f'<text class="led" x="{x + 20}" y="{at}">{next(_coded([how]))}</text>',
    ]


def _safe(text: str) -> str:
    return escape(plain(text), quote=True)
