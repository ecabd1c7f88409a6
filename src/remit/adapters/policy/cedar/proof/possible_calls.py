# SPDX-License-Identifier: Apache-2.0
"""The limits of a possible call, as Cedar conditions.

A schema says that a fact is a string. remit's facts are words of closed sets, levels belong to words, and a
tool's registered facts are what they are. A proof that knows nothing of this finds calls that cannot happen.

INVARIANT: every call that remit can decide about the tool meets every condition. A condition that is too
narrow would hide a call, so what is not certain is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from remit.adapters.policy.cedar.policy_text import attribute, quoted
from remit.adapters.policy.types import Kind, Shape
from remit.core.flow.justification import Provenance
from remit.core.flow.records.participants import KNOWN
from remit.core.json_value import Json
from remit.core.label import MAX_CROSSINGS, Audience, Classes
from remit.core.policy.vocabulary import Words
from remit.core.tasks.plan import PLAN_TOOL
from remit.core.tasks.task import MAX_CHAIN, TaskType
from remit.core.tools.constraint import Constraint, Exact, OneOf
from remit.core.tools.tool import Tool, Variant

#: Facts of a tool that change without its description.
_CHANGING = "state"
_ONESELF = Audience("self")
_LITERALS = {Kind.STRING: str, Kind.BOOL: bool, Kind.LONG: int}


class CalledForm(msgspec.Struct, frozen=True):
    """A tool as calls of some arguments and some flow have it, and what holds of these calls."""

    tool: Tool
    holds: tuple[str, ...] = ()


def forms_of(tool: Tool, args: Shape) -> list[CalledForm]:
    """Return a tool in every form that a call can have.

    The forms are the tool as registered or in one of its variants, with the audience of its description, of a
    narrowing to known participants, or of the person alone.
    """
    found: list[CalledForm] = []
    others: list[str] = []
    for variant in tool.variants:
        fits, exact = _fitting(variant, args)
        found.append(CalledForm(variant.of(tool), (*others, *fits)))
        if exact:
            others.append(f"!({' && '.join(f'({one})' for one in fits)})" if fits else "false")
    found.insert(0, CalledForm(tool, tuple(others)))
    stored = tool.stored_destination
    for form in list(found):
        for one in stored.narrowings if stored else ():
            narrowed = msgspec.structs.replace(
                form.tool, audience=one.audience, effect=one.effect or form.tool.effect
            )
            found.append(CalledForm(narrowed, (*form.holds, f"context.flow.participants == {quoted(KNOWN)}")))
    for form in list(found):
        if form.tool.audience != _ONESELF and (tool.arguments or stored):
            own = msgspec.structs.replace(form.tool, audience=_ONESELF)
            found.append(CalledForm(own, (*form.holds, "context.flow.to_self")))
    return found


def conditions(
    form: CalledForm,
    facts: Mapping[str, Json],
    context: Shape,
    words: Mapping[str, Words],
    classes: Classes,
    task_types: Sequence[TaskType],
    agents: Iterable[str],
) -> list[str]:
    """Return what holds of every call of a tool in one of its forms.

    `facts` are the tool's attributes, `context` is the type of its calls' context, `words` are the closed
    sets, `agents` the agents that rules name.
    """
    tool = form.tool
    out = [f"resource == Tool::{quoted(tool.id)}", f"resource in Upstream::{quoted(tool.upstream)}"]
    out += [f"resource.{name} == {_literal(value)}" for name, value in facts.items() if name != _CHANGING]
    out += form.holds
    out += _of_context(tool, classes)
    if not any("to_self" in one for one in form.holds) and tool.audience != _ONESELF:
        out.append("!context.flow.to_self")
    for path, one in words.items():
        shape = _shape(path, context)
        # A stored label may still have a zone that the configuration no longer has.
        lasting = one.closed and not one.grows and not path.endswith(".zones")
        if lasting and one.words and shape is not None:
            out.append(_one_of(path, one.words, several=shape.kind is Kind.SET))
            if one.levels:
                out.append(_levels(path, one))
    out.append(_purposes(task_types))
    out += [f"(principal == Agent::{quoted(one)}) == (principal.name == {quoted(one)})" for one in agents]
    out += _of_arguments(context)
    out += _of_counts(context)
    return out


def _fitting(variant: Variant, args: Shape) -> tuple[list[str], bool]:
    """Return what holds of calls that a variant fits, and whether no other call has all of it."""
    found = [_fits(name, one, args) for name, one in variant.arguments.items()]
    return [one for one in found if one], None not in found


def _fits(name: str, constraint: Constraint, args: Shape) -> str | None:
    """Return the condition that an argument meets a constraint; None if this is not said in Cedar."""
    shape = args.fields.get(name)
    if shape is None or shape.kind not in _LITERALS or constraint.may_be_absent:
        return None
    if isinstance(constraint, Exact):
        values: Sequence[Json] = (constraint.value,)
    elif isinstance(constraint, OneOf):
        values = constraint.values
    else:
        return None
    if any(type(value) is not _LITERALS[shape.kind] for value in values):
        return None
    return f"context.args has {attribute(name)} && {_listed(_below('context.args', name), values)}"


def _of_context(tool: Tool, classes: Classes) -> Iterator[str]:
    audience = tool.audience.name
    ceiling = classes.ceiling(audience)
    rank = classes.rank(ceiling)
    yield f"context.effect == {quoted(tool.effect.value)}"
    yield f"context.audience == {quoted(audience)}"
    yield f"context.audiences == [{', '.join(map(quoted, classes.around(audience)))}]"
    yield f"context.tier == {quoted(tool.tier.word)} && context.tier_level == {int(tool.tier)}"
    yield f"context.sink_clearance == {{class: {quoted(ceiling)}, class_level: {rank}}}"
    yield "context.task_label == context.label"
    yield "context.destination_trust == context.flow.destination"
    yield f"context.task.depth >= 0 && context.task.depth <= {MAX_CHAIN}"
    yield "context.task.parent == (context.task.depth > 0)"
    yield "context.crossings >= 0"
    yield _listed("context.max_crossings", sorted({*classes.crossings.values(), MAX_CROSSINGS}))
    yield 'context.now >= datetime("0001-01-02") && context.now <= datetime("9999-12-30")'
    if tool.id == PLAN_TOOL.id:
        yield "context.cleared"
        return
    yield 'context.flow.adds == "none"'
    learnable = classes.learnable(audience)
    within = f"context.label.class_level <= {rank}"
    if learnable == frozenset():
        within += " && context.label.categories.isEmpty()"
    elif learnable is not None:
        listed = ", ".join(map(quoted, sorted(learnable)))
        within += f" && [{listed}].containsAll(context.label.categories)"
    yield f"context.cleared == ({within})"


def _purposes(task_types: Sequence[TaskType]) -> str:
    """Return which purpose belongs to which task type; a type that is gone has none."""
    names = ", ".join(quoted(one.name) for one in task_types)
    pairs = [
        f"(context.task.type == {quoted(one.name)} && context.task.purpose == {quoted(one.purpose)})"
        for one in task_types
    ]
    unknown = f"!([{names}].contains(context.task.type)) && " if names else ""
    return " || ".join([*pairs, f'({unknown}context.task.purpose == "")'])


def _of_arguments(context: Shape) -> Iterator[str]:
    args = context.fields["args"]
    for name in args.fields:
        listed, given = f"context.arg_names.contains({quoted(name)})", f"context.args has {attribute(name)}"
        # An argument that is given as null counts as absent, and its name is listed.
        yield f"!({given}) || {listed}" if name in args.nullable else f"{listed} == ({given})"
    for name in context.fields["provenance"].fields:
        shown = f"context.provenance has {attribute(name)}"
        yield f"if {shown} then {_one_of(_below('context.provenance', name), tuple(Provenance))} else true"


def _of_counts(context: Shape) -> Iterator[str]:
    """Return that what was counted is not negative."""
    for counted in ("history", "budget"):
        shape = context.fields[counted]
        for name in shape.fields:
            held = f"{_below(f'context.{counted}', name)} >= 0"
            known = name in shape.required
            yield held if known else f"if context.{counted} has {attribute(name)} then {held} else true"


def _below(path: str, name: str) -> str:
    written = attribute(name)
    return f"{path}[{written}]" if written.startswith('"') else f"{path}.{written}"


def _listed(path: str, values: Sequence[Json]) -> str:
    return f"[{', '.join(map(_literal, values))}].contains({path})"


def _one_of(path: str, words: tuple[str, ...], *, several: bool = False) -> str:
    if several:
        return f"[{', '.join(map(quoted, words))}].containsAll({path})"
    return _listed(path, words)


def _levels(path: str, one: Words) -> str:
    level = f"{path.rpartition('.')[0]}.{one.levels}"
    pairs = [f"({path} == {quoted(word)} && {level} == {at})" for at, word in enumerate(one.words, one.first)]
    return " || ".join(pairs)


def _shape(path: str, context: Shape) -> Shape | None:
    """Return the type of a fact; None for one that calls do not have. Attributes of entities are strings."""
    variable, *names = path.split(".")
    if variable != "context":
        return Shape(Kind.STRING)
    shape: Shape | None = context
    for name in names:
        shape = shape.fields.get(name) if shape else None
    return shape


def _literal(value: Json) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else quoted(str(value))
