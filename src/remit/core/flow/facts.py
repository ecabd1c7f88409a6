# SPDX-License-Identifier: Apache-2.0
"""Flow: what is known of a call from the origins of its arguments, in the form that policies read.

`judged` asks a task's `Index` about every argument of a call and returns a `Flow`: the justification of each
argument, and `FlowFacts`, the few terms that guardrails use. The consequences are written in Cedar, not here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import islice
from typing import Any

import msgspec

from remit.core.cooperative_steps import Steps, finish
from remit.core.flow.argument_narrowing import absent, containers_in, drop_rivals, given, place_containers
from remit.core.flow.arguments.argument_values import values_of
from remit.core.flow.arguments.argument_walk import is_long
from remit.core.flow.justification import NOTHING, Justification, Provenance, Reach, bare, leaves, worst
from remit.core.flow.language.tool_verbs import asking
from remit.core.flow.language.vocabulary.code_words import names_code
from remit.core.flow.language.word_forms import name_words, number_of, some, stem, words_of
from remit.core.flow.one_time_codes import NO_CODE, entered
from remit.core.flow.person_arguments import names_person, personal, selected
from remit.core.flow.provenance import Index
from remit.core.flow.record_facts import selected_facts
from remit.core.flow.records.participants import StoredAddressees, led_by_participants
from remit.core.flow.stated_permissions import chosen
from remit.core.flow.untrusted_values import foreign
from remit.core.flow.values.destination import Wholes
from remit.core.flow.values.strict_reading import exact
from remit.core.flow.verb_requests import asked_widely, asks, mentions, needs_firm
from remit.core.json_value import Json
from remit.core.label import Label, Trust
from remit.core.tasks.plan import Plan, standing
from remit.core.tools.json_path import EACH, path_of
from remit.core.tools.tool import LEADING, Argument, ArgumentRole, Effect, Tool

NO_VALUE = "none"
#: Words of arguments that select the payer's own account.
_PAYERS = some("from source debit own my payer sender account")
MAX_PIECES = 64
"""Most pieces of a command that are joined."""


class FlowFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What policies read of a call's flow, as `context.flow`.

    - `destination`, `selector`, `personal`, `content`, `code`, `secret`, `choice`, `amount`: the worst
      provenance of the arguments of that kind (`intent`, `trusted`, `unknown`, `untrusted`, or `none` where
      the call has no such argument).
    - `_reached`: each of them is from the intent, or is the only one in a trusted field of a record that the
      intent names.
    - `choice_reached`: the person states each power beyond the least, where they ask for the call.
    - `_pointed`: each is reached, or comes from a source that the intent points to. A selector must come from
      a trusted field there. Destinations that are not reached must come from one source for all, each as the
      only one like it; the selectors must be pointed, and the call's amounts must be from the intent or in
      that source.
    - `personal_reached`: each is stated, or is in a record that belongs to the person: however many such
      records there are (`core.flow.person_arguments`).
    - `personal_parameter`: a typed parameter states or reaches each of them, rather than words alone.
    - `personal_given`: a typed parameter names the person that the task serves.
    - `destination_structured`: each destination that is not reached is a whole field of such a source (a
      sender, a participant), and no prose.
    - `destination_free`: one of them is only in the prose of such sources, or only mentioned there, and the
      words describe no person or link whose only address it is (`their new engineer`).
    - `destination_among`: one of them is in a list beside others, in trusted fields, and the intent leads to
      none of the list.
    - `secret_code`: each secret that is not reached is an unused one-time code that arrived for its argument
      from a described sender, and every other argument is reached, at least one destination or selector among
      them.
    - `secret_proven`: outsiders cannot have chosen the senders of these codes.
    - `discloses_code`: another argument carries a one-time code that arrived.
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
    - `destination_clean`: the agent used each destination that is not reached before the task read anything
      untrusted; or it is in a trusted field of a source that the intent points to, and no link or address
      from untrusted data goes there.
    - `anchored`: at least one destination or selector is reached, neither only by such a use nor only as the
      person's own.
    - `to_self`: the call has destinations, and all are the person's own; no argument is undescribed.
    - `exact`: the destinations are addresses that the intent states letter by letter, and the call carries no
      other content.
    - `asked`: the person's words ask for what the tool does.
    - `delegated`: the person's words delegate to a text that someone else wrote (`follow the instructions in
      ...`).
    - `handed`: the text of the record that they name there mentions what the tool does. For a call that is
      irreversible or goes outside, no outsider may write the name by which that record was found.
    - `plan`: `planned`, `unplanned`, or `none` where the task has no plan.
    - `adds`: what an extension of a plan adds (`effects`: a tool that changes or discloses something;
      `reads`; `own-reads`: reads without an argument that selects anything; `first`: the task had no plan),
      or `none` for any other call.
    - `tainted`: the task has read untrusted data.
    - `full`: the index could not remember everything.
    - `unseen`: the result of a permitted call went to the agent unseen: an enforcement point only asked.
    - `unheard`: no words of a person are known to the task, and its type has such calls asked about.
    - `participants`: whether the task has read which people a call reaches by a stored thing: `known`;
      `doubtful` where outsiders may have written it; `unread`; `none` for any other call.
    """

    destination: str = NO_VALUE
    destination_reached: bool = False
    destination_pointed: bool = False
    destination_near: bool = False
    destination_clean: bool = False
    destination_structured: bool = False
    destination_free: bool = False
    destination_among: bool = False
    selector: str = NO_VALUE
    selector_reached: bool = False
    selector_pointed: bool = False
    personal: str = NO_VALUE
    personal_reached: bool = False
    personal_parameter: bool = True
    personal_given: bool = False
    content: str = NO_VALUE
    content_foreign: bool = False
    content_near: bool = True
    code: str = NO_VALUE
    secret: str = NO_VALUE
    secret_reached: bool = False
    choice: str = NO_VALUE
    choice_reached: bool = False
    secret_code: bool = False
    secret_proven: bool = False
    discloses_code: bool = False
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
    adds: str = NO_VALUE
    tainted: bool = False
    full: bool = False
    unseen: bool = False
    unheard: bool = False
    participants: str = NO_VALUE


class Flow(msgspec.Struct, frozen=True):
    """What is known of a call.

    These are its facts, the justification of each argument, by name, and the whole texts in the arguments, so
    that step 8 need not read them again. `record` holds the facts of the reached record that it selects,
    `owned` the personal arguments that a typed parameter reaches, `to` the people of a stored thing.
    """

    facts: FlowFacts = FlowFacts()
    arguments: dict[str, Justification] = {}
    read: Wholes = {}
    record: dict[str, Json] = {}
    owned: frozenset[str] = frozenset()
    to: StoredAddressees = StoredAddressees()


NO_FLOW = Flow()
_PLAIN = Argument()
_WORDS = {one: one.value for one in Provenance}
_KINDS = {one: one.value for one in ArgumentRole}
# Module-level names: each attribute lookup on an enum class costs the interpreter a search.
_UNTRUSTED, _INTENT = Trust.UNTRUSTED, Provenance.INTENT
_CONTENT, _DESTINATION, _CODE = ArgumentRole.CONTENT, ArgumentRole.DESTINATION, ArgumentRole.CODE
#: Kinds of arguments that can be reached, each with the name of that fact.
_REACHED = {
    kind: f"{kind}_reached" for kind in ("destination", "selector", "personal", "secret", "choice", "amount")
}
_EVERY_REACHED: dict[str, Any] = dict.fromkeys(_REACHED.values(), True)


def judged(index: Index, tool: Tool, arguments: dict[str, Json], *, label: Label, plan: Plan | None) -> Flow:
    """Return the flow of a call; `label` is the task's label, `plan` the plan that its agent declared."""
    return finish(judging(index, tool, arguments, label=lambda: label, plan=plan))


def judging(
    index: Index, tool: Tool, arguments: dict[str, Json], *, label: Callable[[], Label], plan: Plan | None
) -> Steps[Flow]:
    """Return the same as `judged`, in steps; `label` returns the task's label at the time of its call."""
    parts = given(tool, arguments)
    read: Wholes = {}
    people: dict[str, Justification] = {}
    found, kinds, contents = yield from _of_arguments(index, tool, parts, read, people)
    to = led_by_participants(index, tool, arguments, found, kinds)
    kinds |= chosen(index, tool, arguments, found)
    carries_code = index.codes.met and (yield from _any_code(index, tool, parts))
    # INVARIANT: data that the task read during these steps taints the call, too; else no other task runs from
    # here on. Content that is foreign without the sources that the intent names is foreign with them.
    tainted, said = label().trust is _UNTRUSTED, index.utterance
    carries = tainted and (yield from _any_foreign(index, contents, named=True))
    content_near = not carries or not (yield from _any_foreign(index, contents, named=False))
    by_kind = _by_kind(kinds)
    destinations, selectors = kinds.get("destination", ()), kinds.get("selector", ())
    near, parameters = _of_destinations(destinations)
    unreached = not by_kind["destination_reached"]
    unclean = [one for one in destinations if not (one.reached or one.clean)]
    closed, doubtful, anchored = _of_leading((*destinations, *selectors))
    if around := containers_in(tool, parts):
        anchored = any(found[name].anchors for name in _leading(tool, found) if name not in around)
    pointed = _pointed_to(index, tool, selectors, delegated=(delegated := said.delegates))
    facts = FlowFacts(
        **by_kind,
        destination_pointed=unreached and pointed and _pointed(index, tool, parts, kinds),
        destination_near=near and (delegated or said.speaks_of_links or not _used(index, tool)),
        destination_clean=unreached and _clean(destinations, carries=carries),
        destination_structured=unreached and _structured(destinations),
        destination_free=any(one.free for one in unclean),
        destination_among=any(one.among for one in unclean),
        selector_pointed=pointed,
        personal_parameter=all(one.parameter for one in kinds.get("personal", ())),
        personal_given=names_person(index),
        content_foreign=carries,
        content_near=content_near,
        amount_differs=any(one.differs for one in kinds.get("amount", ())),
        amount_computed=index.statement.owed.amounts(tool).computed,
        repeated=index.statement.repeats(tool, parts),
        parameter=parameters,
        crossed=any(one.crossed for one in found.values()),
        spent=any(one.spent for one in destinations),
        closed=closed,
        doubtful=doubtful,
        anchored=anchored,
        to_self=_to_self(tool, parts, destinations),
        exact=_is_exact(index, tool, parts, found),
        asked=_asked(index, tool, parts, found),
        delegated=delegated,
        handed=delegated and mentions(index, tool),
        plan=standing(plan, tool, arguments),
        tainted=tainted,
        full=index.full,
        unseen=index.unseen,
        participants=to.fact,
    )
    if index.codes.met:
        facts = _with_codes(facts, index, tool, parts, found, discloses=carries_code)
    return Flow(facts, found, read, selected_facts(index, tool, parts, found, people), _owned(people), to)


def _owned(people: Mapping[str, Justification]) -> frozenset[str]:
    """Return the personal arguments that a typed parameter reaches."""
    return frozenset(one for one in people if people[one].parameter)


def _asked(index: Index, tool: Tool, parts: dict[str, Json], found: dict[str, Justification]) -> bool:
    """Return whether the person's words ask for a call."""
    return asks(index.utterance, tool) or asked_widely(index, tool, parts, found)


def _structured(destinations: Sequence[Justification]) -> bool:
    """Return whether each destination that is not reached is a whole field of a pointed source."""
    return all(one.reached or (one.pointed and one.structured) for one in destinations)


def _clean(destinations: Sequence[Justification], *, carries: bool) -> bool:
    """Return whether each destination that is not reached was used while the task was clean.

    A trusted one counts, too, if the intent points to all of them (also to the container around it), and the
    call `carries` nothing untrusted there.
    """
    unreached = [one for one in destinations if not one.reached]
    return all(one.clean for one in unreached) or (
        not carries
        and all(one.pointed and (one.clean or one.provenance is Provenance.TRUSTED) for one in unreached)
    )


def _with_codes(
    facts: FlowFacts,
    index: Index,
    tool: Tool,
    parts: dict[str, Json],
    found: dict[str, Justification],
    *,
    discloses: bool,
) -> FlowFacts:
    """Return the facts of a call with those about one-time codes that the task has met.

    `discloses` tells whether an argument that is no secret carries one.
    """
    reached = facts.destination_reached and facts.selector_reached and facts.personal_reached
    firm = reached and facts.amount_reached and facts.choice_reached and facts.anchored
    firm = firm and not facts.closed and not facts.spent
    code = NO_CODE if not firm or index.full else entered(index.codes, tool, parts, found)
    discloses = discloses and tool.audience.name != "self"
    if discloses and facts.destination != NO_VALUE and facts.destination_reached:
        discloses = not _asked_for_code(index, tool)
    return msgspec.structs.replace(
        facts, secret_code=code.arrived, secret_proven=code.proven, discloses_code=discloses
    )


def _selects(tool: Tool) -> bool:
    """Return whether a tool has an effect on something that one of its arguments selects."""
    return not (tool.effect is Effect.NONE or tool.single) and any(
        spec.role is ArgumentRole.SELECTOR and EACH not in path_of(name)
        for name, spec in tool.arguments.items()
    )


def _pointed(
    index: Index, tool: Tool, parts: dict[str, Json], kinds: Mapping[str, Sequence[Justification]]
) -> bool:
    """Return whether the destinations that are not reached come from one source that the intent points to.

    Each must be the only one like it there, and the amounts of the call must be there or in the intent, or
    the intent must refer to an amount elsewhere. So a person is asked about a whole action, not about a
    destination that was inserted into another action. Calls that read the same record by its id are one
    source.
    """
    open_ones = [one for one in kinds["destination"] if not one.reached]
    if not open_ones or not all(one.pointed for one in open_ones):
        return False
    said = index.utterance
    several = said.speaks_of_many() or (said.people.several and _structured(open_ones))
    if not several and any(one.candidates > 1 for one in open_ones):
        return False
    calls = frozenset.intersection(*(one.sources for one in open_ones))
    records = frozenset.intersection(*(one.records for one in open_ones))
    if not (calls or records) or not _of_selected(index, tool, parts, open_ones):
        return False
    read = calls or frozenset().union(*(one.sources for one in open_ones))
    by_others = any(one.provenance is Provenance.UNTRUSTED for one in kinds.get("amount", ()))
    referred = index.statement.owed.amounts(tool).referred and all(one.structured for one in open_ones)
    if referred and not by_others:
        return True  # `the same amount as ...` is stated in another source
    amounts = {name for name, one in tool.arguments.items() if one.role is ArgumentRole.AMOUNT}
    numbers = _numbers(parts, amounts)
    return any(
        all(number in said.numbers or index.holds_number(number, call) for number in numbers) for call in read
    )


def _of_selected(
    index: Index, tool: Tool, parts: dict[str, Json], open_ones: Sequence[Justification]
) -> bool:
    """Return whether the payees of a payment are in the records that its ids select (`invoice_id`)."""
    if not tool.financial:
        return True
    ids = {
        index.kept.digest_exact(exact(value))
        for name, value in parts.items()
        if isinstance(value, str) and tool.selects(name) and _PAYERS.isdisjoint(name_words(name))
    }
    known = {one for one in ids if index.naming.knows_id(one)}
    return not known or all(not known.isdisjoint(one.records) for one in open_ones)


def _by_kind(kinds: dict[str, list[Justification]]) -> dict[str, Any]:
    """Return the facts that every kind of argument has: its worst provenance, and whether all are reached."""
    facts = _EVERY_REACHED.copy()
    for kind, ones in kinds.items():
        found = ones[0].provenance if len(ones) == 1 else worst(ones)
        facts[kind] = _WORDS[found or Provenance.UNKNOWN]
        if kind in _REACHED:
            facts[_REACHED[kind]] = all(one.reached for one in ones)
    return facts


def _of_destinations(destinations: Sequence[Justification]) -> tuple[bool, bool]:
    """Return whether each destination is near, and whether those of the intent are all typed parameters."""
    near, words, parameters = True, False, False
    for one in destinations:
        near = near and (one.reached or one.near)
        if one.provenance is _INTENT:
            typed = one.stated is not None and bool(one.stated.parameter)
            parameters, words = parameters or typed, words or not typed
    return near, parameters and not words


def _leading(tool: Tool, found: Collection[str]) -> list[str]:
    """Return the destinations and selectors of a call."""
    return [name for name in found if tool.arguments.get(name, _PLAIN).role in LEADING]


def _of_leading(leading: Sequence[Justification]) -> tuple[bool, bool, bool]:
    """Return whether any of the destinations and selectors is closed, any is doubtful, and any is reached."""
    closed, doubtful, anchored = False, False, False
    for one in leading:
        closed = closed or one.closed
        doubtful = doubtful or _doubtful(one)
        anchored = anchored or one.anchors
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
    return not one.reached and (one.candidates > 1 or one.spent or one.hinted or one.reach is Reach.MENTIONED)


def _of_arguments(
    index: Index,
    tool: Tool,
    parts: dict[str, Json],
    read: Wholes,
    people: dict[str, Justification],
) -> Steps[tuple[dict[str, Justification], dict[str, list[Justification]], list[Json]]]:
    """Return what is known of each argument, by name and by role, and the contents of the call.

    What is known of the personal arguments as such is added to `people`.
    """
    found: dict[str, Justification] = {}
    kinds: dict[str, list[Justification]] = {}
    contents: list[Json] = []
    together = _code_together(index, tool, parts)
    for name, value in parts.items():
        spec = tool.arguments.get(name, _PLAIN)
        role = spec.role
        used = role is _CODE or spec.secret
        if (absent(value) and not (used and value)) or (
            isinstance(value, bool) and role is _CONTENT and not used
        ):
            continue
        if together is not None and role is _CODE:
            one = together
        else:
            one = yield from index.judging(value, tool, name, read)
        if spec.personal:
            person = personal(index, parts, tool, name, one)
            kinds.setdefault("personal", []).append(person)
            people[name] = person
            one = selected(one, person)
        found[name] = one
        if spec.least:
            continue  # see `core.flow.stated_permissions`
        kinds.setdefault("secret" if spec.secret else _KINDS[role], []).append(one)
        if role is _CONTENT:
            contents.append(value)
    for role in index.statement.astray(tool, parts) if tool.effect is not Effect.NONE else ():
        # The person stated the value, but for another argument.
        kinds[_KINDS[role]].append(msgspec.structs.replace(NOTHING, differs=role is ArgumentRole.AMOUNT))
    if "destination" not in kinds and "selector" not in kinds and _selects(tool):
        kinds["selector"] = [NOTHING]  # the choice is left to the tool: possibly all of them
    # Where a parameter names the person, words about everyone open no one else's record.
    left_open = "personal" not in kinds and tool.personal
    if left_open and (names_person(index) or not _speaks_of_all(index, tool)):
        kinds["personal"] = [NOTHING]  # the person concerned is left to the tool: possibly every person
    drop_rivals(index, tool, found, kinds)
    place_containers(index, tool, parts, found, kinds)
    return found, kinds, contents


def _code_together(index: Index, tool: Tool, parts: dict[str, Json]) -> Justification | None:
    """Return what is known of a command that is given in several pieces, where the person stated the whole
    command.
    """
    names = [name for name, spec in tool.arguments.items() if spec.role is _CODE and name in parts]
    if not names:
        return None
    texts = [text for name in names for text in islice(values_of(parts[name], tool, name), MAX_PIECES)]
    if not 1 < len(texts) <= MAX_PIECES or not all(texts):
        return None
    whole = " ".join(texts)
    if is_long(whole):
        return None
    one = index.judge_one(whole, tool, names[0])
    return one if one.provenance is _INTENT and one.reached else None


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


def _any_code(index: Index, tool: Tool, parts: dict[str, Json]) -> Steps[bool]:
    """Return whether an argument that is no secret carries a one-time code."""
    shown = [value for name, value in parts.items() if not tool.arguments.get(name, _PLAIN).secret]
    return (yield from index.codes.within(shown))


def _asked_for_code(index: Index, tool: Tool) -> bool:
    """Return whether the person's words ask for what a tool does in a clause about a code."""
    said = index.utterance
    words = {one for sentence in said.clauses.sentences for one in words_of(sentence) if names_code(one)}
    return any(said.asks_for(one, asking(tool)) for one in words)


def _pointed_to(index: Index, tool: Tool, selectors: Sequence[Justification], *, delegated: bool) -> bool:
    """Return whether all selectors are fields of sources that the intent points to.

    Where the intent delegates to a text, words of that text suffice.
    """
    firmly = needs_firm(tool)
    return all(
        one.reached
        or one.reach >= Reach.POINTED
        or (
            delegated
            and one.near
            and one.reach is Reach.MENTIONED
            and index.naming.hands_over(one.origins[0].call, one.origins[0].field, firmly=firmly)
        )
        for one in selectors
    )


def _used(index: Index, tool: Tool) -> bool:
    """Return whether a destination that the intent states was already given to this tool."""
    return any(
        index.statement.used((tool.id, name))
        for name, one in tool.arguments.items()
        if one.role is _DESTINATION
    )


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
        if one.clean:
            out.append((name, f"`{bare(name)}` was used before this task had read untrusted data"))
        elif one.spent:
            out.append(
                (name, f"`{bare(name)}` was stated for another purpose, and untrusted data contains it, too")
            )
        elif first is None:
            out.append((name, f"`{bare(name)}` is neither in the intent nor in data that this task has read"))
        else:
            out.append((name, f"`{bare(name)}` first appeared in {first}"))
    return out
