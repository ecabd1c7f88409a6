# SPDX-License-Identifier: Apache-2.0
"""The picture as SVG, and a page with picture and report: each one file that needs nothing else.

Names come from configuration files and from upstreams. They are escaped by the templates, and characters that
do not show themselves are written out before.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any, Final

import jinja2

from remit.cli.paths.graph import COLUMNS, STORES, Box, graph_of
from remit.cli.paths.layout import BETWEEN, MARGIN, WIDTHS, curve, lay
from remit.cli.paths.report import TALLIED, ReachReport, stands
from remit.cli.paths.text import TITLES, carried, rows_of, way, ways_out
from remit.cli.safe_text import plain
from remit.core.json_value import Json
from remit.core.policy.reach import Openness, PathKind, together

_TEMPLATES: Final = jinja2.Environment(
    loader=jinja2.PackageLoader("remit.cli.paths", "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters |= {"plain": plain}
_WORDS: Final = {Openness.OPEN: "open", Openness.ASKED: "asked", Openness.REFUSED: "refused"}
#: Letters of the two sizes are about so wide, in pixels; what is longer than its box is cut in the middle.
_TITLE_WIDTH: Final = 7.1
_NOTE_WIDTH: Final = 5.8
_FOOT: Final = 38
MOST_ROWS: Final = 60
"""Rows of a table of the page; of the others their number is said."""
MANY_LINES: Final = 150
"""Where there are more lines, each is thinner, so that one sees the boxes."""


def picture(report: ReachReport) -> str:
    """Draw the graph of a report as SVG."""
    graph = graph_of(report)
    width, height = lay(graph)
    width, height = round(width), round(max(height, 220) + _FOOT)
    numbers = {key: number for number, key in enumerate(graph.boxes)}
    heads = _heads()
    stores = [box.y for box in graph.boxes.values() if box.column == STORES]
    # The more open, the later drawn: nothing dangerous lies below what is refused.
    lines = sorted(graph.lines.values(), key=lambda line: -line.openness)
    return _TEMPLATES.get_template("paths.svg").render(
        title=_summary(report),
        width=width,
        height=height,
        foot=_FOOT - 12,
        heads=heads,
        stores_at=round(min(stores) - 14) if stores else 0,
        left_out=graph.left_out,
        many=len(lines) > MANY_LINES,
        lines=[
            {
                "d": curve(graph, line),
                "word": _WORDS[line.openness],
                "shared": line.shared,
                "hint": line.hint,
                "start": numbers[line.start],
                "end": numbers[line.end],
            }
            for line in lines
        ],
        boxes=[_drawn(box, numbers[box.key]) for box in graph.boxes.values()],
    )


def _heads() -> list[Json]:
    found, x = [], MARGIN
    for text, width in zip(COLUMNS, WIDTHS, strict=True):
        found.append({"x": round(x), "width": round(width), "text": text})
        x += width + BETWEEN
    return found


def _drawn(box: Box, number: int) -> Json:
    room = box.width - (44 if box.openness is not None else 26)
    return {
        "number": number,
        "x": round(box.x, 1),
        "y": round(box.y, 1),
        "width": round(box.width, 1),
        "height": round(box.height, 1),
        "title": cut(box.title, int(room / _TITLE_WIDTH)),
        "note": cut(box.note, int((box.width - 26) / _NOTE_WIDTH)),
        "hint": box.hint,
        "mark": box.mark,
        "store": box.column == STORES,
        "word": "" if box.openness is None else _WORDS[box.openness],
    }


def cut(text: str, most: int) -> str:
    """Return a text that is at most so long; of a longer one both ends stay."""
    if len(text) <= most:
        return text
    head = (most - 1) * 2 // 3
    return f"{text[:head]}…{text[len(text) - (most - 1 - head) :]}"


def _summary(report: ReachReport) -> str:
    return f"Who could get from where to what: {report.tally()}"


def page(report: ReachReport) -> str:
    """Write a page with report and picture."""
    script = _TEMPLATES.get_template("paths.js").render()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return _TEMPLATES.get_template("paths.html").render(
        summary=_summary(report),
        counts=[
            {
                "title": title.removesuffix("s") if sum(counts.values()) == 1 else title,
                "total": sum(counts.values()),
                "worst": next((_WORDS[one] for one, count in counts.items() if count), "none"),
                "stand": [
                    {"word": _WORDS[one], "says": f"{count} {stands(one, count)}"}
                    for one, count in counts.items()
                    if count
                ],
            }
            for title, counts in zip(TALLIED, report.standings, strict=True)
        ],
        combined=report.choice.kind in ("", PathKind.TOXIC.value),
        toxic=[
            {
                "name": one.runner.name,
                "agents": ", ".join(one.runner.agents),
                "word": _WORDS[one.openness],
                "standing": one.openness.word,
                "across": one.crosses,
                "untrusted": _ways(one.untrusted),
                "private": _ways(one.private),
                "undescribed": one.undescribed,
                "ways_out": [
                    {"outlets": outlets, "word": _WORDS[openness], "standing": says}
                    for openness, says, outlets in ways_out(paths)
                ],
                "broken_by": [
                    [
                        {"text": text, "rules": [one.rule for one in repairs if one.rule]}
                        for text, repairs in together(remedy.repairs)
                    ]
                    for remedy in broken_by
                ],
            }
            for one, paths, broken_by in report.toxic
        ],
        others=[{"title": title, "groups": _others(report, kind)} for kind, title in TITLES.items()],
        handovers=_handovers(report),
        credentials=_credentials(report),
        most=MOST_ROWS,
        # Both go in as they are: the picture was made by its own template, which escapes, the script is ours.
        picture=picture(report),
        script=script,
        digest=digest,
    )


def _handovers(report: ReachReport) -> list[Json]:
    return [
        {
            "via": one.via,
            "writers": ", ".join(sorted({agent for _, agent in one.writers})),
            "readers": ", ".join(sorted({agent for _, agent in one.readers})),
        }
        for one in report.handovers
    ]


def _credentials(report: ReachReport) -> list[Json]:
    return [
        {"name": name, "lives": lives, "opens": opens, "by": by, "untrusted": "yes" if untrusted else "no"}
        for name, lives, opens, by, untrusted in carried(report)
    ]


def _others(report: ReachReport, kind: PathKind) -> list[Json]:
    """Return the rows of a table, and apart from them those that are refused anyhow."""
    rows = [
        {"word": _WORDS[openness], "standing": says, "task": task, "sources": sources, "to": to}
        for openness, says, task, sources, to in rows_of(path for path in report.paths if path.kind is kind)
    ]
    refused = _WORDS[Openness.REFUSED]
    groups = (
        {"fold": 0, "rows": [row for row in rows if row["word"] != refused]},
        {
            "fold": report.count(kind, Openness.REFUSED),
            "rows": [row for row in rows if row["word"] == refused],
        },
    )
    return [group for group in groups if group["rows"]]


def _ways(inflows: Any) -> list[Json]:
    return [
        {
            "name": inflow.source.name if inflow.direct else way(inflow),
            "label": ", ".join((inflow.label.data_class, *sorted(inflow.label.categories))),
        }
        for inflow in inflows
    ]
