# SPDX-License-Identifier: Apache-2.0
"""Where boxes lie: in layers from left to right, ordered so that few lines cross (Sugiyama's method).

Each column is ordered by the mean place of its neighbours, some sweeps to either side; then boxes are drawn
towards their neighbours' height as far as the order lets them.
"""

from __future__ import annotations

from collections.abc import Iterable

from remit.cli.paths.graph import REACHED, STORES, TASKS, Box, Graph, Line

WIDTHS = (196.0, 196.0, 214.0, 196.0, 186.0)
BETWEEN = 108.0
MARGIN = 36.0
TOP = 74.0
HEIGHT = 42.0
GAP = 14.0
STORE_GAP = 58.0
SWEEPS = 12


def lay(graph: Graph) -> tuple[float, float]:
    """Return each box its place; answers with width and height of the whole."""
    columns: list[list[Box]] = [[] for _ in range(STORES + 1)]
    for box in graph.boxes.values():
        columns[box.column].append(box)
    near = _neighbours(graph)
    for column in columns:
        column.sort(key=lambda box: box.title)
        _stack(column)
    for sweep in range(SWEEPS):
        order = range(REACHED + 1) if sweep % 2 == 0 else range(REACHED, -1, -1)
        for number in order:
            columns[number].sort(key=lambda box: (_mean(near[box.key], box.middle), box.title))
            _stack(columns[number])
    tallest = max((_extent(column) for column in columns[:STORES]), default=0)
    for column in columns[:STORES]:
        _shift(column, (tallest - _extent(column)) / 2)
    for _ in range(SWEEPS):
        for column in columns[:STORES]:
            _settle(column, near, tallest)
    x = MARGIN
    for number, width in enumerate(WIDTHS):
        for box in columns[number] + (columns[STORES] if number == TASKS else []):
            box.x, box.width = x, width
        x += width + BETWEEN
    bottom = max((box.y + box.height for column in columns[:STORES] for box in column), default=0.0)
    columns[STORES].sort(key=lambda box: (_mean(near[box.key], box.middle), box.title))
    _stack(columns[STORES])
    _shift(columns[STORES], bottom + STORE_GAP)
    bottom = max((box.y + box.height for box in graph.boxes.values()), default=0.0)
    for box in graph.boxes.values():
        box.y += TOP
    return x - BETWEEN + MARGIN, bottom + TOP + MARGIN


def curve(graph: Graph, line: Line) -> str:
    """Return the path of a line: from one box's side to the other's, without corners."""
    start, end = graph.boxes[line.start], graph.boxes[line.end]
    if start.column == end.column:
        x, bow = start.x + start.width, 34.0
        return (
            f"M{x:.1f} {start.middle:.1f}C{x + bow:.1f} {start.middle:.1f} {x + bow:.1f} {end.middle:.1f} "
            f"{x:.1f} {end.middle:.1f}"
        )
    # What is stored goes back, from right to left.
    forward = end.x > start.x
    x1 = start.x + start.width if forward else start.x
    x2 = end.x if forward else end.x + end.width
    lower = 11.0 if line.shared else 0.0
    y1 = start.middle + (lower if start.column != STORES else 0)
    y2 = end.middle + (lower if end.column != STORES else 0)
    bend = (x2 - x1) * 0.5
    return f"M{x1:.1f} {y1:.1f}C{x1 + bend:.1f} {y1:.1f} {x2 - bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"


def _neighbours(graph: Graph) -> dict[str, list[Box]]:
    near: dict[str, list[Box]] = {key: [] for key in graph.boxes}
    for line in graph.lines.values():
        near[line.start].append(graph.boxes[line.end])
        near[line.end].append(graph.boxes[line.start])
    return near


def _stack(column: Iterable[Box]) -> None:
    y = 0.0
    for box in column:
        box.y, box.height = y, HEIGHT
        y += HEIGHT + GAP


def _extent(column: list[Box]) -> float:
    return len(column) * (HEIGHT + GAP) - GAP if column else 0.0


def _shift(column: Iterable[Box], by: float) -> None:
    for box in column:
        box.y += by


def _mean(near: list[Box], unless: float) -> float:
    across = [box.middle for box in near if box.column != STORES]
    return sum(across) / len(across) if across else unless


def _settle(column: list[Box], near: dict[str, list[Box]], tallest: float) -> None:
    """Draw boxes towards their neighbours, keep their order and distance, and stay within the height."""
    for box in column:
        box.y += (_mean(near[box.key], box.middle) - box.middle) * 0.6
    floor = 0.0
    for box in column:
        box.y = max(box.y, floor)
        floor = box.y + HEIGHT + GAP
    ceiling = tallest
    for box in reversed(column):
        box.y = min(box.y, ceiling - HEIGHT)
        ceiling = box.y - GAP
