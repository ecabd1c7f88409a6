# SPDX-License-Identifier: Apache-2.0
"""The counters of `policies/history.yaml`: what policies may know of the calls before this one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

from msgspec import Meta

from remit.config.reading.decoding import Problems, read, suggestion
from remit.config.reading.section import Seconds, Section, Text
from remit.config.reading.yaml_lines import Node, read_text, read_yaml
from remit.core.tasks.history import BUILT_IN, CountedOutcome, CountOf, HistoryCounter
from remit.core.tools.tool import Effect, Tool

#: The end of the name of such a file, in the folder of the policies.
HISTORY_FILE: Final = "history.yaml"

CounterName = Annotated[
    str,
    Meta(
        pattern=r"^[a-z][a-z0-9_]{0,62}$",
        extra={"rule": "use 1 to 63 of a-z, 0-9 and `_`, beginning with a letter"},
    ),
]
_OF: Final = ("count", "distinct", "sum", "seconds_since")


class CounterForm(Section, frozen=True, kw_only=True):
    """One counter; policies read it as `context.history.NAME`."""

    count: Annotated[
        Literal["calls", "tasks"] | None,
        Meta(description="`calls`: how many calls. `tasks`: how many tasks of the family made one."),
    ] = None
    distinct: Annotated[
        str, Meta(description="An argument: how many different values; items of a list count one by one.")
    ] = ""
    sum: Annotated[
        str, Meta(description="An argument: the sum of its values, rounded up. A negative value counts 0.")
    ] = ""
    seconds_since: Annotated[
        Literal["last"] | None, Meta(description="Seconds since the last call. Absent while there was none.")
    ] = None
    tools: Annotated[
        tuple[Text, ...], Meta(description="The tools whose calls count: `upstream/tool`, or `upstream/*`.")
    ] = ()
    effects: Annotated[tuple[Effect, ...], Meta(description="The effects of the calls that count.")] = ()
    outcome: Annotated[
        CountedOutcome,
        Meta(
            description="Which calls count. `permitted` includes calls in progress; `refused` does not "
            "include questions to people; `approved` are permitted after a person approved; `failed` are "
            "permitted and did not succeed."
        ),
    ] = CountedOutcome.PERMITTED
    within: Annotated[Seconds, Meta(ge=0, description="How far back calls count; 0: the whole life.")] = 0
    over: Annotated[
        Literal["family", "task"],
        Meta(description="`family`: calls of every task of the family; `task`: of the same task."),
    ] = "family"
    same: Annotated[
        tuple[Text, ...], Meta(description="Arguments that must equal those of the call being decided.")
    ] = ()
    same_as: Annotated[
        dict[Text, Text],
        Meta(
            description="As `same`, where the names differ: the argument of the counted call, and that of "
            "the call being decided."
        ),
    ] = {}
    this_call: Annotated[
        bool, Meta(description="Whether the value includes the call being decided, as if it were permitted.")
    ] = False


class HistoryFile(Section, frozen=True, kw_only=True):
    """A file `history.yaml` beside the policies."""

    counters: Annotated[
        dict[CounterName, CounterForm], Meta(description="The counters, by name.", min_length=1)
    ]


def counters_in(folder: Path) -> tuple[HistoryCounter, ...]:
    """Return the counters in a folder of policies, whatever tools there are; raise `ConfigInvalid`."""
    out: list[HistoryCounter] = []
    for path in sorted(folder.glob(f"**/*{HISTORY_FILE}")):
        node = read_yaml(read_text(path.read_bytes(), path.name), path.name)
        problems = Problems(path.name, path.parent)
        form = read(node, HistoryFile, problems)
        if isinstance(form, HistoryFile):
            out += counters_of(form, node, problems)
        if problems.found:
            raise problems.found[0]
    return tuple(out)


def counters_of(
    form: HistoryFile,
    node: Node,
    problems: Problems,
    tools: Mapping[str, Tool] | None = None,
    upstreams: Collection[str] = (),
) -> tuple[HistoryCounter, ...]:
    """Return the counters of a file, and note what they cannot mean; without `tools`, any may be named."""
    out = []
    for name, one in form.counters.items():
        key = f"counters.{name}"
        line = node.child_line("counters", name)

        def wrong(text: str, way: str, at: str = "", *, line: int = line, key: str = key) -> None:
            problems.add(text, line=line, key=f"{key}.{at}" if at else key, remediation=way)

        if name in BUILT_IN:
            wrong(f"`{name}` is a counter of every bundle", "choose another name")
        given = [word for word in _OF if getattr(one, word)]
        if len(given) != 1:
            wrong("a counter counts one thing", f"give one of {', '.join(f'`{word}`' for word in _OF)}")
            continue
        for tool in one.tools if tools is not None else ():
            if found := _unknown(tool, tools or {}, upstreams):
                wrong(*found, "tools")
        if one.this_call and (one.outcome is not CountedOutcome.PERMITTED or one.seconds_since):
            wrong("`this_call` is for counts of permitted calls", "leave it out", "this_call")
        out.append(_counter(name, one, given[0]))
    return tuple(out)


def _unknown(tool: str, tools: Mapping[str, Tool], upstreams: Collection[str]) -> tuple[str, str] | None:
    """Return what is wrong with the name of a tool, and the remediation."""
    upstream, _, rest = tool.partition("/")
    if upstream not in upstreams:
        return f"`{upstream}` is not an upstream of `remit.yaml`", suggestion(upstream, upstreams)
    if not rest:
        return f"`{tool}` is not a tool", f"write `{upstream}/*` for all its tools"
    if rest != "*" and tool not in tools:
        return f"no file describes the tool `{tool}`", suggestion(tool, tools)
    return None


def _counter(name: str, one: CounterForm, of: str) -> HistoryCounter:
    return HistoryCounter(
        name=name,
        of=CountOf(one.count or of),
        argument=one.distinct or one.sum,
        tools=one.tools,
        effects=one.effects,
        outcome=one.outcome,
        window_s=one.within,
        family=one.over == "family",
        same=(*((name, name) for name in one.same), *one.same_as.items()),
        this_call=one.this_call,
    )
