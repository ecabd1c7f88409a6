# SPDX-License-Identifier: Apache-2.0
"""A draft of one tool's description in `tools/`, from its upstream's information.

The upstream's information is a hint: it can make a guess worse, never better. A guess is no better than the
tool's name suggests, and without a suggestion it stays the worst.
"""

from __future__ import annotations

from typing import Final

import msgspec

from remit.core.json_value import Json
from remit.core.tools.suggestions import vocabulary
from remit.core.tools.suggestions.inference import (
    TEXTLESS,
    ArgumentGuess,
    FieldGuess,
    Guess,
    Proposal,
    argument,
    fields,
    placed,
)
from remit.core.tools.suggestions.proposals import (
    own_fields,
    participant_fields,
    sender_field,
    stored_destination,
)
from remit.core.tools.suggestions.schema import SchemaPart, parts
from remit.core.tools.tool import (
    COMPLETION,
    PROMPT_GET,
    RESERVED_OPERATIONS,
    RESOURCE_READ,
    RESOURCE_SUBSCRIBE,
    Effect,
    Tool,
)

_EFFECTS: Final = tuple(Effect)
#: The effects of MCP's operations other than tools.
_OPERATIONS: Final = {
    RESOURCE_READ: Effect.NONE,
    PROMPT_GET: Effect.NONE,
    COMPLETION: Effect.NONE,
    RESOURCE_SUBSCRIBE: Effect.REVERSIBLE,
}


class UpstreamFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The requesting person's knowledge of the upstream: the audience of its tools, and the highest class of
    its data.

    Empty values stay the worst.
    """

    audience: str = ""
    data_class: str = ""


class ToolDraft(msgspec.Struct, frozen=True, kw_only=True):
    """The guesses for one tool, each with its reason. `resource` is only a proposal.

    `required` are the arguments without which it cannot be called.
    """

    name: str
    says: str
    effect: Guess
    audience: Guess
    data_class: Guess
    trust: Guess
    categories: Guess | None = None
    arguments: tuple[ArgumentGuess, ...] = ()
    fields: tuple[FieldGuess, ...] = ()
    resource: str = ""
    production: Guess | None = None
    financial: Guess | None = None
    repeats: Guess | None = None
    single: bool = False
    own: tuple[Proposal, ...] = ()
    sender: Proposal | None = None
    stored: Proposal | None = None
    participants: tuple[Proposal, ...] = ()
    required: frozenset[str] = frozenset()

    @property
    def to_review(self) -> int:
        """The number of guesses that a person must review."""
        found = [self.effect, self.audience, self.data_class, self.trust, self.categories]
        found += [self.production, self.financial, self.repeats]
        found += [one.role for one in self.arguments] + [one.trust for one in self.fields]
        return sum(one.review for one in found if one is not None)


def drafted(tool: Tool, known: UpstreamFacts, top_class: str) -> ToolDraft:
    """Draft the description of a tool from its surface; `top_class` is the highest data class."""
    surface = tool.surface
    name = vocabulary.tokens(tool.name)
    said = surface.get("description")
    says = said if isinstance(said, str) else ""
    hints = surface.get("annotations")
    hints = hints if isinstance(hints, dict) else {}
    offered = parts(surface.get("inputSchema"))
    effect = _effect(tool.name, name, says, hints, _replaced(offered))
    arguments = _arguments(offered, name, Effect(effect.value))
    if tool.name in RESERVED_OPERATIONS:
        arguments = tuple(_of_operation(part) for part in offered if not _nested(part))
    results = parts(surface.get("outputSchema"))
    changes = effect.value != Effect.NONE
    taking_part = () if changes else participant_fields(name, results)
    own = own_fields(name, results, but={one.path for one in taking_part})
    return ToolDraft(
        name=tool.name,
        says=says,
        effect=effect,
        audience=_audience(name, arguments, changes, hints, known),
        data_class=_data_class(known, top_class),
        trust=Guess("untrusted", "unless outsiders cannot write its results", review=True),
        categories=_categories(results, name),
        arguments=arguments,
        fields=tuple(fields(results, but=[one.path for one in (*own, *taking_part)])),
        resource=_resource(arguments, name),
        production=_flag(name, vocabulary.PRODUCTION, "changes production") if changes else None,
        financial=_financial(name, arguments) if changes else None,
        repeats=_repeats(name, arguments, results),
        single=changes and _on_one(name, arguments),
        own=own,
        sender=sender_field(name, results, reads=not changes),
        stored=stored_destination(name, arguments) if changes else None,
        participants=taking_part,
        required=_required(surface.get("inputSchema")),
    )


def vouched(draft: ToolDraft, why: str) -> ToolDraft:
    """Return the draft of a tool of whose results no outsider can write any part.

    Fields that no agent gets stay withheld.
    """
    kept = tuple(one for one in draft.fields if one.withhold)
    return msgspec.structs.replace(draft, trust=Guess("trusted", why), fields=kept)


def _effect(full: str, name: tuple[str, ...], says: str, hints: dict[str, Json], replaced: str) -> Guess:
    if full in RESERVED_OPERATIONS:
        return Guess(_OPERATIONS[full].value, "an operation of MCP")
    guess = _by_name(name)
    first = vocabulary.single(next(iter(vocabulary.tokens(says)), ""))
    spoken = _by_name((first,)) if first else None
    if guess is None:
        why = "its name gives no hint"
        if hints.get("readOnlyHint") is True:
            why = "only the server states that it changes nothing (`readOnlyHint`); if so, `none`"
        elif hints.get("destructiveHint") is False:
            why = "only the server states that it destroys nothing (`destructiveHint`); if so, `reversible`"
        return Guess(Effect.IRREVERSIBLE.value, why, review=True)
    if spoken is not None and _worse(spoken.value, guess.value):
        why = f"its name suggests less, but its description begins with `{first}`"
        guess = Guess(spoken.value, why, review=True)
    if guess.value == Effect.NONE and hints.get("readOnlyHint") is False:
        why = f"{guess.why}, but the server states that it changes something (`readOnlyHint`)"
        kept = hints.get("destructiveHint") is False
        guess = Guess((Effect.REVERSIBLE if kept else Effect.IRREVERSIBLE).value, why, review=True)
    if guess.value == Effect.REVERSIBLE and hints.get("destructiveHint") is True:
        why = f"{guess.why}, but the server states that it destroys (`destructiveHint`)"
        value = Effect.IRREVERSIBLE.value
        if replaced and vocabulary.known(name, vocabulary.EDITS):
            # In MCP, all that does not only add destroys.
            why, value = f"{guess.why} A call holds what it replaces (`{replaced}`)", guess.value
        guess = Guess(value, why, review=True)
    if guess.value != Effect.NONE and hints.get("readOnlyHint") is True:
        return Guess(guess.value, f"{guess.why}; the server states that it changes nothing", review=True)
    return guess


def _required(schema: Json) -> frozenset[str]:
    names = schema.get("required") if isinstance(schema, dict) else None
    return frozenset(one for one in names if isinstance(one, str)) if isinstance(names, list) else frozenset()


def _replaced(offered: list[SchemaPart]) -> str:
    """Return the argument with the text that a call replaces, if another has the text in its place."""
    named = {vocabulary.tokens(part.name): part.name for part in offered if part.leaf}
    texts = ((), *((one,) for one in sorted(vocabulary.REPLACED_TEXT)))
    pairs = (("old", *text) for text in texts if ("old", *text) in named and ("new", *text) in named)
    return next((named[one] for one in pairs), "")


def _of_operation(part: SchemaPart) -> ArgumentGuess:
    """Return the guess for an argument of an MCP operation other than a tool: a selector, or content."""
    selects = part.name in ("uri", "name")
    role = Guess("selector" if selects else "content", "an operation of MCP")
    return ArgumentGuess(path=part.path, role=role)


def _by_name(name: tuple[str, ...]) -> Guess | None:
    """Return the effect that a name suggests: that of its worst verb.

    Words that are both noun and verb count as verbs only where the name has no reading verb (`post_status`,
    but not `list_posts`).
    """
    reads = vocabulary.known(name, vocabulary.READS)
    verbs = [one for one in name if not reads or (one in vocabulary.VERBS_ONLY and not _is_noun(one, name))]
    worst = next((one for one in verbs if one in vocabulary.CANNOT_BE_UNDONE), "")
    change = next((one for one in verbs if one in vocabulary.CHANGES), "")
    if worst:
        return Guess(Effect.IRREVERSIBLE.value, f"its name contains `{worst}`")
    if change:
        return Guess(Effect.REVERSIBLE.value, f"its name contains `{change}`; can it be undone?", review=True)
    if reads or (reads := vocabulary.known(name, vocabulary.READ_NOUNS)):
        return Guess(Effect.NONE.value, f"its name contains `{reads}`")
    return None


def _is_noun(word: str, name: tuple[str, ...]) -> bool:
    """Return whether a verb in a name is part of what is read: `get_run`, `list_run_steps`.

    `list` may be a noun, too (`list_run`): what a list returns is in the plural.
    """
    if word not in vocabulary.NOUNS_TOO or name[0] not in vocabulary.OPENS_READING:
        return False
    joined = vocabulary.known(name, vocabulary.JOINS)
    return not joined and (name[0] != "list" or vocabulary.single(name[-1]) != name[-1])


def _worse(one: str, other: str) -> bool:
    return _EFFECTS.index(Effect(one)) > _EFFECTS.index(Effect(other))


def _arguments(found: list[SchemaPart], tool: tuple[str, ...], effect: Effect) -> tuple[ArgumentGuess, ...]:
    """Return the arguments, and those of their parts that are more than content."""
    out: list[ArgumentGuess] = []
    for part in found:
        one = argument(part, tool, effect)
        if not part.leaf:
            if _nested(part):
                continue
            one = ArgumentGuess(path=part.path, role=Guess("content", "the rest, apart from the parts below"))
        if _nested(part) and one.role.value == "content" and not one.secret:
            continue
        out.append(one)
    return placed(out, found)


def _nested(part: SchemaPart) -> bool:
    return part.path != part.name


def _top(one: ArgumentGuess) -> bool:
    return not set(".[]{}") & set(one.path)


def _audience(
    name: tuple[str, ...],
    arguments: tuple[ArgumentGuess, ...],
    changes: bool,
    hints: dict[str, Json],
    known: UpstreamFacts,
) -> Guess:
    outward = next((one for one in arguments if one.outward), None)
    if outward is not None:
        why = f"`{outward.path}` may lead outside"
        return Guess("external", why, review=False)
    if word := vocabulary.known(name, vocabulary.OUTWARD):
        return Guess("external", f"its name contains `{word}`")
    if hints.get("openWorldHint") is True:
        return Guess("external", "the server states that it reaches others (`openWorldHint`)")
    if not known.audience:
        why = "who learns its arguments?"
        if hints.get("openWorldHint") is False:
            why += " The server states that it reaches no other party (`openWorldHint`)"
        return Guess("external", why, review=True)
    if changes and known.audience == "self":
        return Guess("internal", "what it changes may be read by others; if not, `self`", review=True)
    return Guess(known.audience, "as given for this upstream")


def _data_class(known: UpstreamFacts, top_class: str) -> Guess:
    if known.data_class:
        return Guess(known.data_class, "as given for this upstream")
    return Guess(top_class, "which class do its results have?", review=True)


def _categories(results: list[SchemaPart], name: tuple[str, ...]) -> Guess | None:
    for part in results:
        if word := vocabulary.known(vocabulary.tokens(part.name), vocabulary.IDENTIFYING):
            return Guess("pii", f"its results have `{word}`")
    word = vocabulary.known(
        name, vocabulary.IDENTIFYING | frozenset({"contact", "customer", "patient", "employee"})
    )
    return Guess("pii", f"its name contains `{word}`") if word else None


def _resource(arguments: tuple[ArgumentGuess, ...], tool: tuple[str, ...]) -> str:
    """Return the template of the resource, where exactly one argument identifies it."""
    chosen = [one for one in arguments if one.role.value == "selector" and one.single and _top(one)]
    if len(chosen) != 1:
        return ""
    (one,) = chosen
    noun = one.word
    if noun in vocabulary.NAMELESS:
        nouns = [
            w
            for w in tool
            if not vocabulary.known((w,), vocabulary.READS | vocabulary.READ_NOUNS | vocabulary.CHANGES)
        ]
        noun = vocabulary.single(nouns[-1]) if nouns else "record"
    return f"{vocabulary.NOUNS.get(noun, noun)}/{{{one.path}}}"


def _on_one(tool: tuple[str, ...], arguments: tuple[ArgumentGuess, ...]) -> bool:
    """Return whether a tool seems to concern the one object of its caller, as no argument names another."""
    return bool(vocabulary.known(tool, vocabulary.OWN)) and not any(
        one.role.value == "selector" and (one.single or one.personal) for one in arguments
    )


def _flag(name: tuple[str, ...], meaning: frozenset[str], what: str) -> Guess | None:
    word = vocabulary.known(name, meaning)
    return Guess("true", f"its name contains `{word}`, which {what}", review=True) if word else None


def _financial(name: tuple[str, ...], arguments: tuple[ArgumentGuess, ...]) -> Guess | None:
    if found := _flag(name, vocabulary.MOVES_MONEY | frozenset({"money"}), "moves money"):
        return found
    money = next(
        (one for one in arguments if one.role.value == "amount" and one.word in vocabulary.MONEY), None
    )
    return Guess("true", f"it takes `{money.path}`: does it move money?", review=True) if money else None


def _repeats(
    name: tuple[str, ...], arguments: tuple[ArgumentGuess, ...], results: list[SchemaPart]
) -> Guess | None:
    if word := vocabulary.known(name, vocabulary.REPEATS):
        return Guess("true", f"its name contains `{word}`")
    said = [part for part in results if part.leaf and not (part.types and part.types <= TEXTLESS)]
    if not arguments or (results and not said):
        return None
    return Guess("true", "its results may contain its arguments; if they never do, remove this", review=True)
