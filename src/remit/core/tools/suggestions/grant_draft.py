# SPDX-License-Identifier: Apache-2.0
"""Grants that fit what tasks of one type did, each with its evidence.

INVARIANT: a call is evidence only if no rule of flow objected to it, and no stranger's text led it. What a
person was asked about, what flow would have refused, a tool that was called once in very many calls, and what
only a text of outsiders chose do not become permissions; they are listed for review.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from remit.core.json_value import Json
from remit.core.tools import constraint
from remit.core.tools.suggestions.call_observations import ObservedCall
from remit.core.tools.suggestions.draft import ToolDraft
from remit.core.tools.suggestions.value_constraints import MIN_SEEN, ValueConstraint, constrained
from remit.core.tools.tool import ArgumentRole, Effect

#: Uses of one argument that are read; later ones count.
MAX_USES: Final = 20_000
#: Repetitions of one value in one piece of work that count.
MAX_REPEATS: Final = 6
#: A tool with a smaller share of a type's calls than this is listed, and not granted.
RARE: Final = 0.0005
#: In so many calls, one value of each argument may be left out as strange.
PER_SPARE: Final = 1_000
_TOP_KEY: Final = re.compile(r"[A-Za-z_\"']")


class GrantDraft(msgspec.Struct, frozen=True, kw_only=True):
    """The grant of one tool: a constraint for each argument, and how often it was used.

    `unused` are arguments that are granted although the few calls did not use them.
    """

    tool: str
    calls: int
    tasks: int
    last: str
    arguments: dict[str, ValueConstraint] = {}
    optional: frozenset[str] = frozenset()
    unused: tuple[str, ...] = ()

    @property
    def free(self) -> tuple[str, ...]:
        """The arguments that are limited by no more than size."""
        return tuple(name for name, one in self.arguments.items() if one.free)

    @property
    def spec(self) -> dict[str, Json]:
        """The grant in the form of `grants` in a file of `tasks/`."""
        rules = {
            name: {"optional": one.spec} if name in self.optional else one.spec
            for name, one in self.arguments.items()
        }
        return {"tool": self.tool, **({"arguments": rules} if rules else {})}


class LedCalls(msgspec.Struct, frozen=True, kw_only=True):
    """Calls of one tool that a stranger's text led, and that are therefore no evidence.

    `arguments` are what those texts chose, each with the texts' tool and field. `granted` says that other
    calls of the tool are evidence.
    """

    calls: int
    tasks: int
    arguments: dict[str, str] = {}
    granted: bool = False


class ParameterDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter of a task type: its type, its constraint, and the arguments that take it."""

    type: str
    limit: ValueConstraint
    arguments: tuple[str, ...]
    tasks: int


class TypeDraft(msgspec.Struct, frozen=True, kw_only=True):
    """The grants of one task type.

    `rare` are tools that were called too seldom to be granted, `objected` tools with calls that flow would
    have refused, each with the number of calls; `unused` are tools that the type grants now, and that no call
    used. `led` are tools with calls that a stranger's text led; `parameters` are bound in the grants.
    """

    name: str
    agents: tuple[str, ...]
    calls: int
    tasks: int
    grants: tuple[GrantDraft, ...]
    rare: dict[str, int] = {}
    objected: dict[str, int] = {}
    unused: tuple[str, ...] = ()
    led: dict[str, LedCalls] = {}
    parameters: dict[str, ParameterDraft] = {}


def grants_of(
    name: str,
    calls: Sequence[ObservedCall],
    required: Mapping[str, Collection[str]],
    granted: Iterable[str] = (),
    accepted: Collection[str] = (),
    drafts: Mapping[str, ToolDraft] | None = None,
) -> TypeDraft:
    """Draft the grants of a task type from its calls.

    `required` are the arguments without which no call of a tool reaches its server, `granted` the tools that
    the type grants now, `accepted` the tools whose led calls are evidence, too, `drafts` the guesses about
    arguments that a few calls may not have used yet.
    """
    by_tool: dict[str, list[ObservedCall]] = defaultdict(list)
    objected: dict[str, int] = {}
    for one in calls:
        if one.objections:
            objected[one.tool] = objected.get(one.tool, 0) + 1
        elif one.permitted:
            by_tool[one.tool].append(one)
    rare = {tool: len(found) for tool, found in by_tool.items() if len(found) < len(calls) * RARE}
    spare = max(1, len(calls) // PER_SPARE)
    evidence = {tool: found if tool in accepted else _unled(found) for tool, found in by_tool.items()}
    grants = [
        _grant(tool, found, required.get(tool, ()), spare, (drafts or {}).get(tool))
        for tool, found in evidence.items()
        if found and tool not in rare
    ]
    return TypeDraft(
        name=name,
        agents=tuple(sorted({one.agent for one in calls})),
        calls=len(calls),
        tasks=len({one.task for one in calls}),
        grants=tuple(sorted(grants, key=lambda one: (-one.calls, one.tool))),
        rare=rare,
        objected=objected,
        unused=tuple(sorted(set(granted) - by_tool.keys())),
        led={
            tool: _led(found, granted=bool(evidence[tool]))
            for tool, found in by_tool.items()
            if tool not in rare and len(evidence[tool]) < len(found)
        },
    )


def refused_by(draft: TypeDraft, calls: Iterable[ObservedCall]) -> int:
    """Return how many of the calls that are evidence the suggested grants would refuse."""
    grants = {one.tool: one for one in draft.grants}
    limits = {
        (tool, name): constraint.load(made.spec, "suggestion")
        for tool, grant in grants.items()
        for name, made in grant.arguments.items()
    }
    return sum(
        one.tool not in grants
        or not (grants[one.tool].arguments.keys() - grants[one.tool].optional <= one.arguments.keys())
        or not all(
            (limit := limits.get((one.tool, name))) and limit.judge(value) is constraint.Verdict.YES
            for name, value in one.arguments.items()
        )
        for one in calls
        if one.permitted and not (one.objections or one.led or one.followed)
    )


def _unled(calls: Sequence[ObservedCall]) -> list[ObservedCall]:
    """Return the calls that are evidence: none, unless at least one does not go back to a stranger's text."""
    if all(one.led or one.followed for one in calls):
        return []
    return [one for one in calls if not one.led]


def _led(calls: Sequence[ObservedCall], *, granted: bool) -> LedCalls:
    found = [one for one in calls if one.led or (one.followed and not granted)]
    return LedCalls(
        calls=len(found),
        tasks=len({one.task for one in found}),
        arguments={name: text for one in found for name, text in one.led.items()},
        granted=granted,
    )


def _grant(
    tool: str, calls: Sequence[ObservedCall], required: Collection[str], spare: int, draft: ToolDraft | None
) -> GrantDraft:
    seen = calls[-MAX_USES:]
    counts = Counter(name for one in seen for name in one.arguments)
    # One call with an argument that no other call has is no use to go by.
    kept = {name for name, count in counts.items() if count > 1 or len(calls) < MIN_SEEN}
    always = {name for name in kept if counts[name] == len(seen)}
    made = {name: constrained(values, spare) for name, values in sorted(_uses(seen, kept).items())}
    unused = tuple(_harmless(draft, counts)) if len(calls) < MIN_SEEN else ()
    why = f"not used in {'one call' if len(calls) == 1 else f'{len(calls)} calls'}: not limited"
    made |= dict.fromkeys(unused, ValueConstraint({"anything": {}}, why, free=True))
    return GrantDraft(
        tool=tool,
        calls=len(calls),
        tasks=len({one.task for one in calls}),
        last=max(one.at for one in calls),
        arguments=made,
        # An argument that the server does not demand may be left out, as ever.
        optional=frozenset(name for name in made if name not in required or name not in always),
        unused=unused,
    )


def _uses(calls: Sequence[ObservedCall], kept: Collection[str]) -> dict[str, list[Json]]:
    """Return the values of each argument, as often as they say something of other work.

    Tasks with the same words are the same work, which counts once. A value that only one piece of work has
    counts once, whatever that piece repeats; another value counts up to `MAX_REPEATS` times in each.
    """
    found: dict[tuple[str, str], dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    values: dict[tuple[str, str], Json] = {}
    for one in calls:
        for name, value in one.arguments.items():
            if name in kept:
                key = name, _json(value)
                values[key] = value
                found[key][one.words or one.task][one.task] += 1
    used: dict[str, list[Json]] = defaultdict(list)
    for (name, text), works in found.items():
        most = MAX_REPEATS if len(works) > 1 else 1
        times = sum(min(most, max(tasks.values())) for tasks in works.values())
        used[name] += [values[name, text]] * times
    return used


def _harmless(draft: ToolDraft | None, used: Collection[str]) -> list[str]:
    """Return the arguments that a few calls left out, and that neither lead anywhere nor give a power."""
    if draft is None:
        return []
    roles = {ArgumentRole.CONTENT, ArgumentRole.AMOUNT}
    if draft.effect.value == Effect.NONE:
        roles.add(ArgumentRole.SELECTOR)
    return [
        one.path
        for one in draft.arguments
        if one.path.isidentifier()
        and one.path not in used
        and one.role.value in roles
        and not (one.secret or one.personal or one.hands_over or one.outward or one.least is not None)
    ]


def grants_text(draft: TypeDraft) -> str:
    """Return the `grants` of a task type's file, each line with its evidence.

    INVARIANT: comments hold only numbers and remit's own words, never an observed value.
    """
    return "\n".join(_lines(draft)) + "\n"


def _lines(draft: TypeDraft) -> Iterator[str]:
    yield f"# Suggested from {draft.calls:,} calls in {draft.tasks:,} tasks: review each line."
    if draft.parameters:
        yield "parameters:"
        for name, parameter in draft.parameters.items():
            form = {"type": parameter.type, "constraint": parameter.limit.spec}
            yield f"  {_json(name)}: {_json(form)}  # {parameter.limit.why}"
    if not draft.grants:
        yield "grants: []"
        return
    yield "grants:"
    for one in draft.grants:
        last = f", last on {one.last[:10]}" if re.fullmatch(r"\d{4}-\d\d-\d\d", one.last[:10]) else ""
        yield f"  # {one.calls:,} calls in {one.tasks:,} tasks{last}"
        yield f"  - tool: {_json(one.tool)}"
        if one.arguments:
            yield "    arguments:"
        rules = one.spec.get("arguments", {})
        for name, made in one.arguments.items():
            yield f"      {_json(name)}: {_json(rules[name])}  # {made.why}"


def split_type(text: str, name: str, draft: TypeDraft) -> str:
    """Return the file of a new task type like another one, with its own name, parameters and grants."""
    named = re.sub(r"^task:.*$", lambda _: f"task: {_json(name)}", text, count=1, flags=re.MULTILINE)
    return with_grants(named, grants_text(draft))


def with_grants(text: str, grants: str) -> str:
    """Return a task type's file with other grants; everything else stays as it is written."""
    kept: list[str] = []
    inside, placed = False, False
    for line in text.splitlines():
        if line.startswith("grants:"):
            inside, placed = True, True
            while kept and kept[-1].startswith("# Suggested from "):
                kept.pop()
            kept += grants.splitlines()
        elif inside and line and _TOP_KEY.match(line):
            inside = False
        if not inside:
            kept.append(line)
    if not placed:
        kept += grants.splitlines()
    return "\n".join(kept) + "\n"


def _json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=True)
