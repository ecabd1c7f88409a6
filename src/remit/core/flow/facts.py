# SPDX-License-Identifier: Apache-2.0
"""Flow: what is known of a call from the origins of its arguments, in the form that policies read.

`judged` asks a task's `Index` about every argument of a call and returns a `Flow`: the justification of each
argument, and `FlowFacts`, the few terms that guardrails use. The consequences are written in Cedar, not here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import islice

import msgspec

from remit.core.cooperative_steps import Steps, finish
from remit.core.flow.argument_values import values_of
from remit.core.flow.argument_walk import is_long
from remit.core.flow.justification import NOTHING, Justification, Provenance, Reach, bare, leaves, worst
from remit.core.flow.language.tool_verbs import asking, verbs_and_nouns
from remit.core.flow.language.word_forms import name_words, number_of, stem
from remit.core.flow.provenance import Index
from remit.core.flow.untrusted_values import foreign
from remit.core.flow.values.destination import Wholes
from remit.core.flow.verb_requests import asked_widely
from remit.core.json_value import Json
from remit.core.label import Label, Trust
from remit.core.tasks.plan import Plan, standing
from remit.core.tools.json_path import EACH, path_of
from remit.core.tools.tool import Argument, ArgumentRole, Effect, Tool

NO_VALUE = "none"
MAX_PIECES = 64
"""Most pieces of a command that are joined."""


class FlowFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What policies read of a call's flow, as `context.flow`.

    - `destination`, `selector`, `personal`, `content`, `code`, `secret`, `amount`: the worst provenance of
      the arguments of that kind (`intent`, `trusted`, `unknown`, `untrusted`, or `none` where the call has no
      such argument).
    - `_reached`: each of them is from the intent, or is the only one in a trusted field of a record that the
      intent names.
    - `_pointed`: each is reached, or comes from a source that the intent points to. A selector must come from
      a trusted field there. Destinations that are not reached must come from one source for all, each as the
      only one like it; the selectors must be pointed, and the call's amounts must be from the intent or in
      that source.
    - `amount_differs`: the intent states an amount, and an amount of the call is neither equal to it, nor
      below a bound that the intent sets, nor reached.
    - `amount_computed`: the words of the intent require a computed amount and set no limit (`the
      difference`).
    - `repeated`: a stated payment is made more often than it was stated.
    - `parameter`: every destination of the intent is a typed parameter of the intent, not a word.
    - `crossed`: untrusted data holds a value that the intent states.
    - `spent`: the intent states the value, the value was used for something else before, and untrusted data
      holds it too.
    - `closed`: a destination or selector is among records of which the intent picks others.
    - `doubtful`: one of them is one of several in a source that the intent points to, or is spent, or is only
      in the words of untrusted text.
    - `destination_near`: the intent itself names the source of each destination that is not reached, and
      states no destination for that argument.
    - `content_foreign`: a content carries an address or link that untrusted data brought in.
    - `content_near`: all such addresses and links come from sources that the intent names.
    - `anchored`: at least one destination or selector is reached, and is not only the person's own.
    - `to_self`: the call has destinations, and all are the person's own; no argument is undescribed.
    - `exact`: the destinations are addresses that the intent states letter by letter, and the call carries no
      other content.
    - `asked`: the person's words ask for what the tool does.
    - `delegated`: the person's words delegate to a text that someone else wrote (`follow the instructions in
      ...`).
    - `handed`: the text that was read there mentions what the tool does.
    - `plan`: `planned`, `unplanned`, or `none` where the task has no plan.
    - `tainted`: the task has read untrusted data.
    - `full`: the index could not remember everything.
    - `unseen`: the result of a permitted call went to the agent unseen: an enforcement point only asked.
    """

    destination: str = NO_VALUE
    destination_reached: bool = False
    destination_pointed: bool = False
    destination_near: bool = False
    selector: str = NO_VALUE
    selector_reached: bool = False
    selector_pointed: bool = False
    personal: str = NO_VALUE
    personal_reached: bool = False
    content: str = NO_VALUE
    content_foreign: bool = False
    content_near: bool = True
    code: str = NO_VALUE
    secret: str = NO_VALUE
    secret_reached: bool = False
    amount: str = NO_VALUE
    amount_reached: bool = False
    amount_differs: bool = False
    amount_computed: bool = False
    repeated: bool = False
    parameter: bool = False
    crossed: bool = False
    spent: bool = False
    closed: bool = False
    doubtful: bool = False
    anchored: bool = False
    to_self: bool = False
    exact: bool = False
    asked: bool = False
    delegated: bool = False
    handed: bool = False
    plan: str = NO_VALUE
    tainted: bool = False
    full: bool = False
    unseen: bool = False


class Flow(msgspec.Struct, frozen=True):
    """What is known of a call.

    These are its facts, the justification of each argument, by name, and the whole texts in the arguments, so
    that step 8 need not read them again.
    """

    facts: FlowFacts = FlowFacts()
    arguments: dict[str, Justification] = {}
    read: Wholes = {}


NO_FLOW = Flow()
_PLAIN = Argument()
_WORDS = {one: one.value for one in Provenance}
_KINDS = {one: one.value for one in ArgumentRole}
# Module-level names: each attribute lookup on an enum class costs the interpreter a search.
_UNTRUSTED, _INTENT = Trust.UNTRUSTED, Provenance.INTENT
_CONTENT, _DESTINATION = ArgumentRole.CONTENT, ArgumentRole.DESTINATION


def judged(index: Index, tool: Tool, arguments: dict[str, Json], *, label: Label, plan: Plan | None) -> Flow:
    """Return the flow of a call; `label` is the task's label, `plan` the plan that its agent declared."""
    return finish(judging(index, tool, arguments, label=lambda: label, plan=plan))


def judging(
    index: Index, tool: Tool, arguments: dict[str, Json], *, label: Callable[[], Label], plan: Plan | None
) -> Steps[Flow]:
    """Return the same as `judged`, in steps; `label` returns the task's label at the time of its call."""
    parts = tool.parts(arguments)
    read: Wholes = {}
    found, kinds, contents = yield from _of_arguments(index, tool, parts, read)
    # INVARIANT: data that the task read during these steps taints the call, too. Where it read none, no other
    # task runs from here on. Content that is foreign without the sources that the intent names is foreign
    # with them.
    tainted = label().trust is _UNTRUSTED
    carries = tainted and (yield from _any_foreign(index, contents, named=True))
    content_near = not carries or not (yield from _any_foreign(index, contents, named=False))
    # For each kind of argument: the worst provenance, and whether one argument is not reached.
    worst_of, short = _worst(kinds)
    destinations, selectors = kinds.get("destination", ()), kinds.get("selector", ())
    spent, near, parameter = _of_destinations(destinations)
    closed, doubtful, anchored = _of_leading((*destinations, *selectors))
    said = index.utterance
    pointed = _pointed_to(selectors, delegated=(delegated := said.delegates))
    facts = FlowFacts(
        destination=worst_of.get("destination", NO_VALUE),
        destination_reached="destination" not in short,
        destination_pointed="destination" in short and pointed and _pointed(index, tool, parts, destinations),
        destination_near=near and (delegated or said.speaks_of_links or not _used(index, tool)),
        selector=worst_of.get("selector", NO_VALUE),
        selector_reached="selector" not in short,
        selector_pointed=pointed,
        personal=worst_of.get("personal", NO_VALUE),
        personal_reached="personal" not in short,
        content=worst_of.get("content", NO_VALUE),
        content_foreign=carries,
        content_near=content_near,
        code=worst_of.get("code", NO_VALUE),
        secret=worst_of.get("secret", NO_VALUE),
        secret_reached="secret" not in short,
        amount=worst_of.get("amount", NO_VALUE),
        amount_reached="amount" not in short,
        amount_differs=any(one.differs for one in kinds.get("amount", ())),
        amount_computed=index.statement.owed.amounts(tool).computed,
        repeated=index.statement.repeats(tool, parts),
        parameter=parameter,
        crossed=any(one.crossed for one in found.values()),
        spent=spent,
        closed=closed,
        doubtful=doubtful,
        anchored=anchored,
        to_self=_to_self(tool, parts, destinations),
        exact=_is_exact(index, tool, parts, found),
        asked=said.asks(asking(tool)) or asked_widely(index, tool, parts, found),
        delegated=delegated,
        handed=delegated and _handed(index, tool),
        plan=standing(plan, tool, arguments),
        tainted=tainted,
        full=index.full,
        unseen=index.unseen,
    )
    return Flow(facts, found, read)


def _selects(tool: Tool) -> bool:
    """Return whether a tool has an effect on something that one of its arguments selects."""
    return tool.effect is not Effect.NONE and any(
        spec.role is ArgumentRole.SELECTOR and EACH not in path_of(name)
        for name, spec in tool.arguments.items()
    )


def _pointed(index: Index, tool: Tool, parts: dict[str, Json], destinations: Sequence[Justification]) -> bool:
    """Return whether the destinations that are not reached come from one source that the intent points to.

    Each must be the only one of its kind there, and the amounts of the call must be there or in the intent.
    So a person is asked about a whole action, not about a destination that was inserted into another action.
    """
    open_ones = [one for one in destinations if not one.reached]
    if not open_ones:
        return False
    sources = {one.source for one in open_ones}
    if 0 in sources or len(sources) > 1:
        return False
    if any(one.candidates > 1 for one in open_ones) and not index.utterance.speaks_of_many():
        return False
    (call,) = sources
    return all(
        number in index.utterance.numbers or index.holds_number(number, call)
        for number in _numbers(parts, {name for name, one in tool.arguments.items() if _is_amount(one)})
    )


def _worst(kinds: dict[str, list[Justification]]) -> tuple[dict[str, str], set[str]]:
    """Return the worst provenance of each kind of argument, and the kinds with an argument that is not
    reached.
    """
    worst_of: dict[str, str] = {}
    short: set[str] = set()
    for kind, ones in kinds.items():
        found = ones[0].provenance if len(ones) == 1 else worst(ones)
        worst_of[kind] = _WORDS[found or Provenance.UNKNOWN]
        for one in ones:
            if not one.reached:
                short.add(kind)
    return worst_of, short


def _of_destinations(destinations: Sequence[Justification]) -> tuple[bool, bool, bool]:
    """Return whether any destination is spent, all are near, and those of the intent are typed parameters."""
    spent, near, words, parameters = False, True, False, False
    for one in destinations:
        spent = spent or one.spent
        near = near and (one.reached or one.near)
        if one.provenance is _INTENT:
            typed = one.stated is not None and bool(one.stated.parameter)
            parameters, words = parameters or typed, words or not typed
    return spent, near, parameters and not words


def _of_leading(leading: Sequence[Justification]) -> tuple[bool, bool, bool]:
    """Return whether any of the destinations and selectors is closed, any is doubtful, and any is reached."""
    closed, doubtful, anchored = False, False, False
    for one in leading:
        closed = closed or one.closed
        doubtful = doubtful or _doubtful(one)
        anchored = anchored or (one.reached and not one.own)
    return closed, doubtful, anchored


def _to_self(tool: Tool, parts: dict[str, Json], destinations: Sequence[Justification]) -> bool:
    """Return whether a call reaches only the person behind the task."""
    return (
        bool(destinations)
        and all(one.own for one in destinations)
        and all(name in tool.arguments for name in parts)
    )


def _is_exact(index: Index, tool: Tool, parts: dict[str, Json], found: dict[str, Justification]) -> bool:
    """Return whether a call goes to addresses that the intent states as a whole, and carries nothing else."""
    return bool(found) and all(
        one.reached
        and name in tool.arguments
        and tool.arguments[name].role is _DESTINATION
        and all(index.states_address(text) for text in values_of(parts[name], tool, name))
        for name, one in found.items()
    )


def _doubtful(one: Justification) -> bool:
    return not one.reached and (one.candidates > 1 or one.spent or one.reach is Reach.MENTIONED)


def _of_arguments(
    index: Index, tool: Tool, parts: dict[str, Json], read: Wholes
) -> Steps[tuple[dict[str, Justification], dict[str, list[Justification]], list[Json]]]:
    """Return what is known of each argument, by name and by role, and the contents of the call."""
    found: dict[str, Justification] = {}
    kinds: dict[str, list[Justification]] = {}
    contents: list[Json] = []
    together = _code_together(index, tool, parts)
    for name, value in parts.items():
        spec = tool.arguments.get(name, _PLAIN)
        role = spec.role
        used = role is ArgumentRole.CODE or spec.secret
        if (_absent(value) and not (used and value)) or (
            isinstance(value, bool) and role is _CONTENT and not used
        ):
            continue
        if together is not None and role is ArgumentRole.CODE:
            one = together
        else:
            one = yield from index.judging(value, tool, name, read)
        found[name] = one
        kinds.setdefault("secret" if spec.secret else _KINDS[role], []).append(one)
        if spec.personal:
            kinds.setdefault("personal", []).append(one)
        if role is _CONTENT:
            contents.append(value)
    for role in index.statement.astray(tool, parts) if tool.effect is not Effect.NONE else ():
        # The person stated the value, but for another argument.
        kinds[_KINDS[role]].append(msgspec.structs.replace(NOTHING, differs=role is ArgumentRole.AMOUNT))
    if "destination" not in kinds and "selector" not in kinds and _selects(tool):
        kinds["selector"] = [NOTHING]  # the choice is left to the tool: possibly all of them
    if "personal" not in kinds and _about_somebody(tool) and not _speaks_of_all(index, tool):
        kinds["personal"] = [NOTHING]  # the person concerned is left to the tool: possibly every person
    return found, kinds, contents


def _code_together(index: Index, tool: Tool, parts: dict[str, Json]) -> Justification | None:
    """Return what is known of a command that is given in several pieces, where the person stated the whole
    command.
    """
    names = [
        name for name, spec in tool.arguments.items() if spec.role is ArgumentRole.CODE and name in parts
    ]
    texts = [text for name in names for text in islice(values_of(parts[name], tool, name), MAX_PIECES)]
    if not 1 < len(texts) <= MAX_PIECES or not all(texts):
        return None
    whole = " ".join(texts)
    if is_long(whole):
        return None
    one = index.judge_one(whole, tool, names[0])
    return one if one.provenance is _INTENT and one.reached else None


def _absent(value: Json) -> bool:
    """Return whether an argument is empty: a tool treats it like an argument that is left out."""
    return value is None or value in ([], {}) or (isinstance(value, str) and not value.strip())


def _about_somebody(tool: Tool) -> bool:
    return any(spec.personal for spec in tool.arguments.values())


def _speaks_of_all(index: Index, tool: Tool) -> bool:
    """Return whether the person mentions all of what a tool looks up by person."""
    nouns = {stem(one) for one in name_words(tool.name)}
    return index.utterance.counts_up(nouns | {stem(one) for key in tool.arguments for one in name_words(key)})


def _any_foreign(index: Index, contents: list[Json], *, named: bool) -> Steps[bool]:
    """Return whether one of the contents carries a value that untrusted data brought in."""
    for one in contents:
        if (yield from foreign(index, one, named=named)):
            return True
    return False


def _handed(index: Index, tool: Tool) -> bool:
    """Return whether the text that the intent delegates to mentions what a tool does."""
    by = asking(tool)
    verbs, nouns = verbs_and_nouns(by.name)
    return not index.naming.handed.words.isdisjoint(by.words | verbs | nouns)


def _pointed_to(selectors: Sequence[Justification], *, delegated: bool) -> bool:
    """Return whether all selectors are fields of sources that the intent points to.

    Where the intent delegates, words of a source that it names suffice.
    """
    return all(
        one.reached or one.reach >= Reach.POINTED or (delegated and one.near and one.reach is Reach.MENTIONED)
        for one in selectors
    )


def _used(index: Index, tool: Tool) -> bool:
    """Return whether a destination that the intent states was already given to this tool."""
    return any(
        index.statement.used((tool.id, name))
        for name, one in tool.arguments.items()
        if one.role is _DESTINATION
    )


def _is_amount(spec: Argument) -> bool:
    return spec.role is ArgumentRole.AMOUNT


def _numbers(parts: dict[str, Json], names: Collection[str]) -> list[str]:
    texts = (text for name in names if name in parts for text in leaves(parts[name]))
    return [number for text in texts if (number := number_of(text))]


def chains(flow: Flow) -> list[tuple[str, str]]:
    """Return (argument, sentence) for each argument that is not from the intent: how it entered the task."""
    out = []
    for name, one in flow.arguments.items():
        if one.provenance is _INTENT and not one.spent:
            continue
        first = next((met for met in one.origins if met.trust is _UNTRUSTED), None) or next(
            iter(one.origins), None
        )
        if one.spent:
            out.append(
                (name, f"`{bare(name)}` was stated for another purpose, and untrusted data contains it, too")
            )
        elif first is None:
            out.append((name, f"`{bare(name)}` is neither in the intent nor in data that this task has read"))
        else:
            out.append((name, f"`{bare(name)}` first appeared in {first}"))
    return out
